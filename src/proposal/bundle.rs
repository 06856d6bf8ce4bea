//! Application bundles: `app.json` beside `src/`, as CCF's documentation lays them out.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::application;
use crate::files::{self, FileError};
use crate::json::{self, JsonError};

/// More modules than an application has, and few enough to hold.
const MAX_MODULES: usize = 10_000;
/// Files and folders altogether, those that are no modules too.
const MAX_ENTRIES: usize = 100_000;
/// Folders within folders.
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
    /// Something else than a file or a folder: what a link leads to may be anybody's.
    #[error("{} is {what}; a bundle is made of regular files in its own folders", path.display())]
    Foreign {
        /// What is there.
        path: PathBuf,
        /// What it is.
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
/// Unreadable files, text that is not UTF-8, links and anything else that is no regular file, and what
/// [`application::problems`] finds.
pub fn read_bundle(path: &Path) -> Result<Value, BundleError> {
    let bundle = if path.is_dir() { read_folder(path)? } else { read_json(path)? };
    check_bundle(&bundle).map(|()| bundle)
}

/// Checks that the parts of a bundle fit together.
///
/// # Errors
/// The first thing that [`application::problems`] finds.
pub fn check_bundle(bundle: &Value) -> Result<(), BundleError> {
    match application::problems(bundle).into_iter().next() {
        Some(problem) => Err(BundleError::Problem(problem)),
        None => Ok(()),
    }
}

fn read_json(path: &Path) -> Result<Value, BundleError> {
    let bytes = files::read(path, super::MAX_PROPOSAL)?;
    json::parse(&bytes).map_err(|source| BundleError::Json { path: path.into(), source })
}

fn read_folder(folder: &Path) -> Result<Value, BundleError> {
    let metadata = folder.join("app.json");
    refuse_foreign(&metadata)?;
    let metadata = read_json(&metadata)?;
    let src = folder.join("src");
    refuse_foreign(&src)?;
    let (mut paths, mut entries) = (Vec::new(), 0);
    list(&src, 0, &mut paths, &mut entries)?;
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

fn list(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>, entries: &mut usize) -> Result<(), BundleError> {
    let failed = |source| BundleError::List { path: folder.into(), source };
    let unfit = |what| BundleError::Unfit { path: folder.into(), what };
    if depth > MAX_DEPTH {
        return Err(unfit("lies too deep"));
    }
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        *entries += 1;
        if *entries > MAX_ENTRIES || paths.len() > MAX_MODULES {
            return Err(unfit("holds more files than an application has"));
        }
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        match refuse_foreign(&path)? {
            true => list(&path, depth + 1, paths, entries)?,
            false => paths.push(path),
        }
    }
    Ok(())
}

/// Refuses what is neither a file nor a folder by itself; returns whether it is a folder.
fn refuse_foreign(path: &Path) -> Result<bool, BundleError> {
    let there = path.symlink_metadata().map_err(|source| FileError::Read { path: path.into(), source })?;
    match files::what(there.file_type()) {
        Some(what) if !there.is_dir() => Err(BundleError::Foreign { path: path.into(), what }),
        _ => Ok(there.is_dir()),
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
        let bundle = read_bundle(folder.path()).unwrap();
        assert_eq!(
            bundle["modules"],
            json!([
                {"name": "lib/a.js", "module": "src/lib/a.js"}, {"name": "main.js", "module": "src/main.js"},
            ])
        );
        fs::write(at("src/bad.js"), b"\xff").unwrap();
        assert!(matches!(read_bundle(folder.path()), Err(BundleError::File(FileError::NotText { .. }))));
        fs::remove_file(at("src/bad.js")).unwrap();
        fs::write(at("app.json"), app("/main.js").to_string()).unwrap();
        assert!(read_bundle(folder.path()).unwrap_err().to_string().contains("did you mean \"main.js\""));
        fs::write(at("app.json"), "{").unwrap();
        assert!(matches!(read_bundle(folder.path()), Err(BundleError::Json { .. })));
        assert!(read_bundle(&at("nowhere")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn nothing_outside_of_the_folder_is_read_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let refused = |name: &str, is: &str| {
            let error = read_bundle(&at("app")).unwrap_err();
            assert!(
                matches!(&error, BundleError::Foreign { path, what } if path.ends_with(name) && *what == is),
                "{error}"
            );
            fs::remove_file(at("app").join(name)).unwrap();
        };
        let link = std::os::unix::fs::symlink::<PathBuf, PathBuf>;
        fs::create_dir_all(at("app/src/lib")).unwrap();
        fs::create_dir_all(at("other")).unwrap();
        fs::write(at("secret"), "password").unwrap();
        fs::write(at("app.json"), app("main.js").to_string()).unwrap();
        link(at("app.json"), at("app/app.json")).unwrap();
        refused("app.json", "a symbolic link");
        fs::copy(at("app.json"), at("app/app.json")).unwrap();
        fs::write(at("app/src/main.js"), "export function f() {}").unwrap();
        link(at("secret"), at("app/src/lib/zz.js")).unwrap();
        refused("src/lib/zz.js", "a symbolic link");
        link(at("other"), at("app/src/other")).unwrap();
        refused("src/other", "a symbolic link");
        rustix::fs::mknodat(rustix::fs::CWD, at("app/src/pipe.js"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
        refused("src/pipe.js", "a named pipe");
        drop(std::os::unix::net::UnixListener::bind(at("app/src/socket.js")).unwrap());
        refused("src/socket.js", "a socket");
        assert!(read_bundle(&at("app")).is_ok());
        // The folder itself is the caller's own word.
        link(at("app"), at("named")).unwrap();
        assert!(read_bundle(&at("named")).is_ok());
        fs::rename(at("app/src"), at("moved")).unwrap();
        link(at("moved"), at("app/src")).unwrap();
        refused("src", "a symbolic link");
    }
}
