//! An attestation's files and folders.

use std::io;
use std::path::{Path, PathBuf};

use super::{Attestation, MAX_FILE, NodeError};
use crate::files::{self, FileError};

/// Why a file or folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// A folder cannot be listed.
    #[error("cannot read the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A folder without a part of an attestation.
    #[error("no file in the folder {} is part of an attestation", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is no part of an attestation, or a part that does not fit the others.
    #[error("cannot use {}", path.display())]
    Part {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: NodeError,
    },
}

impl Attestation {
    /// Adds a file, or the files of a folder (of certificates, or a security context): of these, what is no part of an
    /// attestation is passed over, and returned.
    ///
    /// # Errors
    /// [`PathError`]
    pub fn add_path(&mut self, path: &Path) -> Result<Vec<PathBuf>, PathError> {
        if !path.is_dir() {
            let bytes = files::read(path, MAX_FILE)?;
            self.add(&bytes).map_err(|source| PathError::Part { path: path.into(), source })?;
            return Ok(Vec::new());
        }
        let entries = std::fs::read_dir(path).map_err(|source| PathError::Folder { path: path.into(), source })?;
        let mut inside: Vec<PathBuf> =
            entries.filter_map(Result::ok).map(|e| e.path()).filter(|p| p.is_file()).collect();
        inside.sort();
        let (mut passed_over, mut used) = (Vec::new(), false);
        for file in inside {
            let read = match files::read(&file, MAX_FILE) {
                Err(FileError::TooLarge { .. }) => Err(NodeError::Unknown),
                read => Ok(read?),
            };
            match read.and_then(|bytes| self.add(&bytes)) {
                Ok(()) => used = true,
                Err(NodeError::Unknown) => passed_over.push(file),
                Err(source) => return Err(PathError::Part { path: file, source }),
            }
        }
        if used { Ok(passed_over) } else { Err(PathError::Empty { path: path.into() }) }
    }
}
