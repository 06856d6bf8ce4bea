//! The rules under which it is compared: ours, and public ones.

use std::fs;
use std::path::{Path, PathBuf};

/// A constitution, and whether its rules know operators.
pub struct Rules {
    pub name: String,
    pub files: Vec<PathBuf>,
    /// Whether the first member is an operator, and no recovery member.
    pub has_operator: bool,
}

impl Rules {
    /// Those of templates/constitution.
    pub fn ours() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/constitution");
        let files = ["actions.js", "validate.js", "resolve.js", "apply.js"].map(|name| folder.join(name)).into();
        Self { name: "ours".into(), files, has_operator: false }
    }

    /// Those of the folder that `CCF_GOV_CONSTITUTIONS` names, one in each folder in it. What a folder lacks is taken from the folder
    /// `default`, as CCF's samples are used.
    pub fn public() -> Option<Vec<Self>> {
        let folder = PathBuf::from(std::env::var_os("CCF_GOV_CONSTITUTIONS")?);
        let folders = fs::read_dir(&folder).expect("the folder of constitutions").map(|entry| entry.unwrap().path());
        let mut folders: Vec<PathBuf> = folders.filter(|path| path.is_dir()).collect();
        folders.sort();
        Some(folders.iter().map(|path| Self::of(path, &folder.join("default"))).collect())
    }

    fn of(folder: &Path, default: &Path) -> Self {
        let scripts = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut more: Vec<PathBuf> = scripts.filter(|path| path.extension().is_some_and(|e| e == "js")).collect();
        more.retain(|path| !PARTS.iter().any(|part| path.ends_with(part)));
        more.sort();
        let [actions, rest @ ..] =
            PARTS.map(|part| [folder, default].map(|at| at.join(part)).into_iter().find(|path| path.exists()));
        let files = actions.into_iter().chain(more).chain(rest.into_iter().flatten()).collect();
        Self { name: folder.file_name().unwrap().to_string_lossy().into_owned(), files, has_operator: true }
    }

    pub fn source(&self) -> String {
        self.files.iter().map(|path| fs::read_to_string(path).unwrap()).collect::<Vec<_>>().join("\n")
    }
}

const PARTS: [&str; 4] = ["actions.js", "validate.js", "resolve.js", "apply.js"];
