//! Templates of the user's own, in folders.

use std::io;
use std::path::{Path, PathBuf};

use super::{Fault, Source, Template, is_builtin};
use crate::files::{self, FileError};
use crate::proposal::template::is_action_name;

/// The most templates that a user may have.
const MOST: usize = 500;
/// The largest file: 64 KiB.
const MAX_TEMPLATE: u64 = 64 << 10;

/// Why templates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The folder cannot be read.
    #[error("cannot read the folder of templates {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// More files than anybody has actions.
    #[error("{} holds more than {MOST} files", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
    },
    /// Something in the folder that is not named like a template.
    #[error("{} does not end in .toml, and a folder of templates holds nothing else", path.display())]
    NotToml {
        /// What it is.
        path: PathBuf,
    },
    /// A file that is named after nothing that can be an action.
    #[error("{} cannot be the template of an action: {name:?} is not an identifier of JavaScript", path.display())]
    Name {
        /// The file.
        path: PathBuf,
        /// Its name, without the end.
        name: String,
    },
    /// A file that cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file that is not a template.
    #[error("cannot read the template {}", path.display())]
    Fault {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        #[source]
        fault: Fault,
    },
    /// A template that would hide one that is built in.
    #[error("{} would hide the template {name} that is built in", path.display())]
    BuiltIn {
        /// The file.
        path: PathBuf,
        /// The action's name.
        name: String,
    },
    /// Two templates of one action.
    #[error("{first} and {} are both templates of {name}", second.display())]
    Twice {
        /// The action's name.
        name: String,
        /// The first one's file.
        first: Source,
        /// The second one's.
        second: PathBuf,
    },
}

/// The templates in these folders, by folder and name.
pub(super) fn read(folders: &[PathBuf]) -> Result<Vec<Template>, TemplateError> {
    let mut templates: Vec<Template> = Vec::new();
    for folder in folders {
        for path in list(folder)? {
            let template = template(&path)?;
            if let Some(first) = templates.iter().find(|t| t.name == template.name) {
                let first = first.source.clone();
                return Err(TemplateError::Twice { name: template.name, first, second: path });
            }
            templates.push(template);
            if templates.len() > MOST {
                return Err(TemplateError::TooMany { path: folder.clone() });
            }
        }
    }
    Ok(templates)
}

/// What is in a folder, by name; hidden files are not looked at.
fn list(folder: &Path) -> Result<Vec<PathBuf>, TemplateError> {
    let failed = |source| TemplateError::Folder { path: folder.into(), source };
    let mut paths = Vec::new();
    for entry in folder.read_dir().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
        if paths.len() > MOST {
            return Err(TemplateError::TooMany { path: folder.into() });
        }
    }
    paths.sort();
    Ok(paths)
}

fn template(path: &Path) -> Result<Template, TemplateError> {
    let named = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let Some(name) = named.strip_suffix(".toml") else { return Err(TemplateError::NotToml { path: path.into() }) };
    if !is_action_name(name) {
        return Err(TemplateError::Name { path: path.into(), name: name.into() });
    }
    if is_builtin(name) {
        return Err(TemplateError::BuiltIn { path: path.into(), name: name.into() });
    }
    let text = files::read_text(path, MAX_TEMPLATE)?;
    Template::read(name, &text, Source::File(path.into()))
        .map_err(|fault| TemplateError::Fault { path: path.into(), fault })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proposal::catalogue::Catalogue;

    const MINIMAL: &str = "description = \"X.\"\n";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
        folder
    }

    fn one(text: &str) -> Result<Template, TemplateError> {
        let folder = folder(&[("set_x.toml", text)]);
        Ok(read(&[folder.path().into()])?.remove(0))
    }

    #[test]
    fn templates_are_added_to_those_that_are_built_in() {
        let (first, second) =
            (folder(&[("b.toml", MINIMAL), ("a.toml", MINIMAL), (".swp", "x")]), folder(&[("_c.toml", MINIMAL)]));
        let catalogue = Catalogue::with_folders(&[first.path().into(), second.path().into()]).unwrap();
        let own: Vec<_> = catalogue.own.iter().map(|t| t.name.as_str()).collect();
        assert_eq!(own, ["a", "b", "_c"]);
        assert_eq!(catalogue.find("a").unwrap().source, Source::File(first.path().join("a.toml")));
        assert_eq!(catalogue.find("set_user").unwrap().source, Source::BuiltIn);
    }

    #[test]
    fn no_name_is_taken_twice() {
        let hides = folder(&[("set_user.toml", MINIMAL)]);
        let error = read(&[hides.path().into()]).unwrap_err();
        assert!(matches!(error, TemplateError::BuiltIn { name, .. } if name == "set_user"));
        let (first, second) = (folder(&[("a.toml", MINIMAL)]), folder(&[("a.toml", MINIMAL)]));
        let error = read(&[first.path().into(), second.path().into()]).unwrap_err();
        let TemplateError::Twice { name, first: one, second: two } = error else { panic!("{error:?}") };
        assert_eq!((name.as_str(), one), ("a", Source::File(first.path().join("a.toml"))));
        assert_eq!(two, second.path().join("a.toml"));
    }

    #[test]
    fn files_and_folders_have_a_bound() {
        let error = one(&"#".repeat(MAX_TEMPLATE as usize + 1)).unwrap_err();
        assert!(matches!(error, TemplateError::File(FileError::TooLarge { .. })), "{error:?}");
        let many: Vec<_> = (0..=MOST).map(|n| format!("x{n}.toml")).collect();
        let many = folder(&many.iter().map(|name| (name.as_str(), MINIMAL)).collect::<Vec<_>>());
        assert!(matches!(read(&[many.path().into()]), Err(TemplateError::TooMany { .. })));
        std::fs::remove_file(many.path().join("x0.toml")).unwrap();
        assert_eq!(read(&[many.path().into()]).unwrap().len(), MOST);
        let one_more = folder(&[("one_more.toml", MINIMAL)]);
        assert!(matches!(read(&[many.path().into(), one_more.path().into()]), Err(TemplateError::TooMany { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn nothing_but_files_is_read_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("set_x.toml");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let error = read(&[folder.path().into()]).unwrap_err();
        assert!(matches!(error, TemplateError::File(FileError::NotRegular { .. })), "{error:?}");
    }

    #[test]
    fn what_a_template_says_cannot_steer_a_terminal() {
        let template = one("description = \"a\\u001b[2J\\n  Template: built in.\\u202e\"\n\
             [[decides]]\nwhat = \"b\\u001b\"\n\
             [[parameters]]\nname = \"p\"\ntype = \"text\"\nrequired = false\ndescription = \"c\\u009b\\nd\"\n");
        let template = template.unwrap();
        assert_eq!(template.description, "a\\u{1b}[2J Template: built in.\\u{202e}");
        assert_eq!(template.decides[0].what, "b\\u{1b}");
        assert_eq!(template.parameters[0].description, "c\\u{9b} d");
        let choice = "description = \"\"\n[[parameters]]\nname = \"p\"\ntype = \"choice\"\nvalues = [\"a\\u001b\"]\nrequired = false\ndescription = \"\"\n";
        let error = std::error::Error::source(&one(choice).unwrap_err()).unwrap().to_string();
        assert!(error.starts_with("line 2: ") && !error.contains('\u{1b}'), "{error}");
        let error = std::error::Error::source(&one("\"a\\u001b\" = 1").unwrap_err()).unwrap().to_string();
        assert!(error.starts_with("line 1: ") && !error.contains('\u{1b}'), "{error}");
    }

    #[test]
    fn a_default_fits_its_parameter() {
        let parameter = |rest: &str| {
            let text = format!(
                "description = \"\"\n\n[[parameters]]\nname = \"p\"\nrequired = false\ndescription = \"\"\n{rest}\n"
            );
            one(&text).map_err(|e| std::error::Error::source(&e).unwrap().to_string())
        };
        for (right, wrong) in [
            ("type = \"time\"\ndefault = \"now\"", "type = \"text\"\ndefault = \"now\""),
            (
                "type = \"hex\"\nbytes = 32\ndefault = { sha256 = \"p\" }",
                "type = \"hex\"\nbytes = 20\ndefault = { sha256 = \"p\" }",
            ),
            ("type = \"hex\"\nbytes = 64", "type = \"hex\"\nbytes = 65"),
            ("type = \"integer\"\nmin = 1\nmax = 1", "type = \"integer\"\nmin = 2\nmax = 1"),
            ("type = \"choice\"\nvalues = [\"a\"]", "type = \"choice\"\nvalues = []"),
            (
                "type = \"hex\"\nbytes = 32\ndefault = { sha256 = \"p\" }",
                "type = \"hex\"\nbytes = 32\ndefault = { sha256 = \"q\" }",
            ),
        ] {
            parameter(right).unwrap_or_else(|e| panic!("{right}: {e}"));
            let error = parameter(wrong).expect_err(wrong);
            assert!(error.starts_with("line 3: "), "{wrong}: {error}");
        }
    }

    #[test]
    fn the_worked_example_in_the_documentation_is_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cmd/proposal/own_templates.in/kms");
        let catalogue = Catalogue::with_folders(&[folder.into()]).unwrap();
        let example = catalogue.find("set_key_release_policy").unwrap();
        assert_eq!(example.parameters.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["type", "claims", "gte"]);
        let text = std::fs::read_to_string(format!("{folder}/set_key_release_policy.toml")).unwrap();
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/proposals.md")).unwrap();
        assert!(page.contains(&format!("```toml\n{text}```\n")), "docs/proposals.md should hold:\n{text}");
    }
}
