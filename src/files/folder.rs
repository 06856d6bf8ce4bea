//! A whole folder, written or not at all.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{FileError, Readers, TEMPORARY, folder, write_error};

/// A folder that is filled under a temporary name beside its place, and appears there whole or not at all.
#[derive(Debug)]
pub struct NewFolder {
    path: PathBuf,
    staged: TempDir,
}

impl NewFolder {
    /// Refuses a `path` where something is already; makes nothing.
    pub fn check(path: &Path) -> Result<(), FileError> {
        refuse_folder(&path.components().collect::<PathBuf>())
    }

    /// Begins a folder at `path`, where nothing may be yet.
    pub fn new(path: &Path) -> Result<Self, FileError> {
        let named: PathBuf = path.components().collect();
        refuse_folder(&named)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(TEMPORARY);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o755));
        }
        let staged = builder.tempdir_in(folder(&named)).map_err(|e| write_error(path, e))?;
        Ok(Self { path: named, staged })
    }

    /// Writes one of its files. Only its folder makes it durable.
    pub fn write(&self, name: &str, bytes: &[u8], access: Readers) -> Result<(), FileError> {
        let failed = |e| write_error(&self.path.join(name), e);
        let mut options = File::options();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, access.mode());
        let file = options.write(true).create_new(true).open(self.staged.path().join(name));
        let mut file = file.map_err(failed)?;
        file.write_all(bytes).map_err(failed)
    }

    /// Puts the folder in its place.
    pub fn finish(self) -> Result<PathBuf, FileError> {
        refuse_folder(&self.path)?;
        std::fs::rename(self.staged.path(), &self.path).map_err(|e| write_error(&self.path, e))?;
        Ok(self.path)
    }
}

fn refuse_folder(path: &Path) -> Result<(), FileError> {
    if path.symlink_metadata().is_ok() { Err(FileError::FolderExists { path: path.into() }) } else { Ok(()) }
}
