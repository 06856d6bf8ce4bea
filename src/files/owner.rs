//! Files and folders that steer this program: read only if nobody else could have written them.

use std::fs::Metadata;
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use rustix::process::geteuid;

use super::FileError;

/// Reads text from `path`, at most `limit` bytes, if it is a regular file that only this user or root can write.
///
/// Under sudo the user who called it counts too. A FIFO or a device is never waited for.
///
/// # Errors
/// If it cannot be read, is not such a file, or is not UTF-8.
pub fn read_own_text(path: &Path, limit: u64) -> Result<String, FileError> {
    let failed = |source| FileError::Read { path: path.into(), source };
    let named = path.symlink_metadata().map_err(failed)?;
    // A link is as good as its target only if it is ours: somebody else's leads to a file of their choice.
    if named.is_symlink() && !is_trusted(named.uid()) {
        return Err(FileError::OtherOwner { path: path.into(), owner: named.uid() });
    }
    let file = super::open(path)?;
    let metadata = file.metadata().map_err(failed)?;
    check_owner(path, &metadata)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(FileError::TooLarge { path: path.into(), limit });
    }
    super::decode(path, bytes)
}

/// Makes the folder `path` for this user alone (0700), with those above it, or checks that it is one into which nobody else can write.
///
/// # Errors
/// If it cannot be made, is not a folder, or others can write to it.
pub fn make_own_folder(path: &Path) -> Result<(), FileError> {
    let failed = |source| FileError::Write { path: path.into(), source };
    match path.metadata() {
        Ok(there) if there.is_dir() => check_owner(path, &there),
        Ok(_) => Err(failed(io::ErrorKind::NotADirectory.into())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)
        }
        Err(e) => Err(failed(e)),
    }
}

/// Refuses what another user owns or can write to.
fn check_owner(path: &Path, metadata: &Metadata) -> Result<(), FileError> {
    let (owner, mode) = (metadata.uid(), metadata.mode());
    if !is_trusted(owner) {
        return Err(FileError::OtherOwner { path: path.into(), owner });
    }
    // A group of the owner's own, which has the owner's number on most systems, is nobody else.
    let by_group = mode & 0o020 != 0 && metadata.gid() != owner;
    if mode & 0o002 != 0 || by_group {
        return Err(FileError::WritableByOthers { path: path.into(), mode: mode & 0o7777 });
    }
    Ok(())
}

/// Whether files of this user are believed: our own, root's, and those of whoever became root by sudo.
fn is_trusted(owner: u32) -> bool {
    let we = geteuid();
    let caller = || std::env::var("SUDO_UID").ok()?.parse().ok();
    owner == we.as_raw() || owner == 0 || (we.is_root() && caller() == Some(owner))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown};

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn only_a_regular_file_that_nobody_else_can_write_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        std::fs::write(&path, "a = 1\n").unwrap();
        set_mode(&path, 0o644);
        assert_eq!(read_own_text(&path, 100).unwrap(), "a = 1\n");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(read_own_text(&link, 100).unwrap(), "a = 1\n");
        assert!(matches!(read_own_text(&path, 3), Err(FileError::TooLarge { .. })));
        set_mode(&path, 0o646);
        assert!(matches!(read_own_text(&path, 100), Err(FileError::WritableByOthers { mode: 0o646, .. })));
        assert!(matches!(read_own_text(folder.path(), 100), Err(FileError::NotRegular { .. })));
        assert!(matches!(read_own_text(Path::new("/dev/zero"), 100), Err(FileError::NotRegular { .. })));
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(matches!(read_own_text(&fifo, 100), Err(FileError::NotRegular { .. })));
    }

    #[test]
    fn somebody_elses_files_links_and_folders_are_refused() {
        if !geteuid().is_root() {
            return; // Only root can give a file away.
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(65_534), None).unwrap();
        assert!(matches!(read_own_text(&link, 100), Err(FileError::OtherOwner { owner: 65_534, .. })));
        chown(&path, Some(65_534), None).unwrap();
        assert!(matches!(read_own_text(&path, 100), Err(FileError::OtherOwner { owner: 65_534, .. })));
        let theirs = folder.path().join("theirs");
        std::fs::create_dir(&theirs).unwrap();
        chown(&theirs, Some(65_534), None).unwrap();
        assert!(matches!(make_own_folder(&theirs), Err(FileError::OtherOwner { .. })));
    }

    #[test]
    fn a_folder_is_made_for_its_owner_alone_and_one_that_others_can_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        make_own_folder(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        make_own_folder(&path).unwrap();
        set_mode(&path, 0o777);
        assert!(matches!(make_own_folder(&path), Err(FileError::WritableByOthers { mode: 0o777, .. })));
        std::fs::write(folder.path().join("f"), "").unwrap();
        assert!(matches!(make_own_folder(&folder.path().join("f")), Err(FileError::Write { .. })));
    }
}
