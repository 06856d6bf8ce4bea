//! Application bundles: `app.json` beside `src/`, as CCF's documentation lays them out.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::catalogue::nearest;
use crate::files::{self, FileError};
use crate::json::{self, JsonError};

/// More modules than an application has, and few enough to hold.
const MAX_MODULES: usize = 10_000;
/// Folders within folders; also the end of a link that leads back to where it stands.
const MAX_DEPTH: usize = 32;

/// Why a folder or file is not an application bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file of it cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A folder of it cannot be listed.
    #[error("cannot list {}", path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The metadata or the bundle is not JSON.
    #[error("{} is not JSON", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: JsonError,
    },
    /// Too large, too deep, or a name that is not UTF-8.
    #[error("{} {what}", path.display())]
    Unfit {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Its parts do not fit together.
    #[error("the bundle does not fit together: {0}")]
    Problem(String),
}

/// Reads a bundle: a folder with `app.json` and `src/`, or a JSON file `{"metadata", "modules"}`.
///
/// Modules are named by their path below `src/`, with `/` between and none in front: CCF itself puts it there.
/// Hidden files and editors' copies (`.x`, `x~`) are no modules.
///
/// # Errors
/// Unreadable files, text that is not UTF-8, and anything that [`problems`] finds.
pub fn read(path: &Path) -> Result<Value, BundleError> {
    let bundle = if path.is_dir() { read_folder(path)? } else { read_json(path)? };
    match problems(&bundle).into_iter().next() {
        Some(problem) => Err(BundleError::Problem(problem)),
        None => Ok(bundle),
    }
}

fn read_json(path: &Path) -> Result<Value, BundleError> {
    let bytes = files::read(path, super::MAX_PROPOSAL)?;
    json::parse(&bytes).map_err(|source| BundleError::Json { path: path.into(), source })
}

fn read_folder(folder: &Path) -> Result<Value, BundleError> {
    let metadata = read_json(&folder.join("app.json"))?;
    let src = folder.join("src");
    let mut paths = Vec::new();
    list(&src, 0, &mut paths)?;
    paths.sort();
    let mut size = 0;
    let mut modules = Vec::new();
    for path in paths {
        let unfit = |what| BundleError::Unfit { path: path.clone(), what };
        let name =
            path.strip_prefix(&src).ok().and_then(Path::to_str).ok_or_else(|| unfit("has a name that is not UTF-8"))?;
        let text = files::read_text(&path, super::MAX_PROPOSAL - size)?;
        size += text.len() as u64;
        modules.push(json!({ "name": name.replace('\\', "/"), "module": text }));
    }
    Ok(json!({ "metadata": metadata, "modules": modules }))
}

fn list(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> Result<(), BundleError> {
    let failed = |source| BundleError::List { path: folder.into(), source };
    let unfit = |what| BundleError::Unfit { path: folder.into(), what };
    if depth > MAX_DEPTH {
        return Err(unfit("lies too deep"));
    }
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        if path.is_dir() {
            list(&path, depth + 1, paths)?;
        } else {
            paths.push(path);
        }
        if paths.len() > MAX_MODULES {
            return Err(unfit("holds more modules than an application has"));
        }
    }
    Ok(())
}

/// What is wrong with a bundle, by the rules of CCF's sample constitution; empty if nothing is.
pub fn problems(bundle: &Value) -> Vec<String> {
    let Some(modules) = bundle.get("modules").and_then(Value::as_array) else {
        return vec![r#"it is an object with "metadata" and a list of "modules""#.into()];
    };
    let Some(endpoints) = bundle.get("metadata").and_then(|m| m.get("endpoints")).and_then(Value::as_object) else {
        return vec![r#"its metadata has no object "endpoints""#.into()];
    };
    let mut problems = Vec::new();
    let mut names = BTreeSet::new();
    for (at, module) in modules.iter().enumerate() {
        match (module.get("name").and_then(Value::as_str), module.get("module").and_then(Value::as_str)) {
            (Some(name), Some(_)) if !names.insert(name) => problems.push(format!("there are two modules {name:?}")),
            (Some(_), Some(_)) => {}
            _ => problems.push(format!(r#"module {at} has no text "name" and "module""#)),
        }
    }
    for (url, methods) in endpoints {
        let Some(methods) = methods.as_object() else {
            problems.push(format!("endpoint {url:?} is not an object of methods"));
            continue;
        };
        for (method, endpoint) in methods {
            let at = format!("{} {url}", method.to_uppercase());
            match endpoint.as_object() {
                Some(endpoint) => check_endpoint(&at, endpoint, &names, &mut problems),
                None => problems.push(format!("{at} is not an object")),
            }
        }
    }
    problems
}

fn check_endpoint(at: &str, endpoint: &Map<String, Value>, modules: &BTreeSet<&str>, problems: &mut Vec<String>) {
    let text = |name: &str| endpoint.get(name).and_then(Value::as_str);
    match text("js_module") {
        None => problems.push(format!("{at} has no text \"js_module\"")),
        Some(module) if !modules.contains(module) => {
            let near = nearest(module, modules.iter().copied()).map(|n| format!("; did you mean {n:?}?"));
            problems.push(format!(
                "{at} names the module {module:?}, which the bundle has not{}",
                near.unwrap_or_default()
            ));
        }
        Some(_) => {}
    }
    if text("js_function").is_none() {
        problems.push(format!("{at} has no text \"js_function\""));
    }
    let choices = [
        ("mode", &["readwrite", "readonly", "historical"][..], true),
        ("forwarding_required", &["sometimes", "always", "never"], true),
        ("redirection_strategy", &["none", "to_primary", "to_backup"], false),
    ];
    for (name, values, required) in choices {
        let good = match endpoint.get(name) {
            None => !required,
            Some(value) => value.as_str().is_some_and(|v| values.contains(&v)),
        };
        if !good {
            problems.push(format!("{at}: {name:?} is one of {}", values.join(", ")));
        }
    }
    if !endpoint.get("authn_policies").is_some_and(Value::is_array) {
        problems.push(format!("{at} has no list \"authn_policies\""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(module: &str) -> Value {
        json!({"endpoints": {"/x": {"get": {
            "js_module": module, "js_function": "f", "mode": "readonly", "forwarding_required": "never",
            "authn_policies": [], "openapi": {},
        }}}})
    }

    #[test]
    fn a_folder_becomes_a_bundle_with_modules_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("src/lib")).unwrap();
        fs::write(at("app.json"), app("main.js").to_string()).unwrap();
        for name in ["src/main.js", "src/lib/a.js", "src/.hidden", "src/main.js~"] {
            fs::write(at(name), name).unwrap();
        }
        let bundle = read(folder.path()).unwrap();
        assert_eq!(
            bundle["modules"],
            json!([
                {"name": "lib/a.js", "module": "src/lib/a.js"}, {"name": "main.js", "module": "src/main.js"},
            ])
        );
        fs::write(at("src/bad.js"), b"\xff").unwrap();
        assert!(matches!(read(folder.path()), Err(BundleError::File(FileError::NotText { .. }))));
        fs::remove_file(at("src/bad.js")).unwrap();
        fs::write(at("app.json"), app("/main.js").to_string()).unwrap();
        assert!(read(folder.path()).unwrap_err().to_string().contains("did you mean \"main.js\""));
        fs::write(at("app.json"), "{").unwrap();
        assert!(matches!(read(folder.path()), Err(BundleError::Json { .. })));
        assert!(read(&at("nowhere")).is_err());
    }

    #[test]
    fn bundles_that_the_service_would_refuse_or_misread_are_found() {
        let with = |metadata: Value, modules: Value| problems(&json!({"metadata": metadata, "modules": modules}));
        let one = json!([{"name": "main.js", "module": ""}]);
        assert!(with(app("main.js"), one.clone()).is_empty());
        assert!(!with(app("other.js"), one.clone()).is_empty());
        assert!(with(app("/main.js"), json!([{"name": "/main.js", "module": ""}])).is_empty());
        assert!(!with(app("main.js"), json!([{"name": "main.js"}])).is_empty());
        assert!(!with(json!({}), one.clone()).is_empty());
        let mut bad = app("main.js");
        bad["endpoints"]["/x"]["get"]["mode"] = json!("write");
        assert!(!with(bad, one).is_empty());
        assert!(!problems(&json!([])).is_empty());
    }
}
