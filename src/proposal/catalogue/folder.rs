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
