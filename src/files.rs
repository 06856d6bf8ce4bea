//! Files read with a bound, and written whole or not at all.

mod encoding;
mod folder;
mod open;
mod owner;

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};
use zeroize::Zeroizing;

pub use encoding::Encoding;
pub use folder::NewFolder;
pub use open::open;
pub(crate) use open::what;
pub use owner::{make_own_folder, read_own_text};

/// The largest file that is read whole into memory where nothing smaller is stated: 64 MiB.
pub const MAX_FILE: u64 = 64 << 20;

/// What can go wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It could not be read.
    #[error("cannot read {}", shown(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is a folder, a named pipe, a socket or a device.
    #[error("{} is {what}; only regular files are read", shown(path))]
    NotRegular {
        /// What was to be read.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// It is larger than what such a file can be.
    #[error("{} is larger than {limit} bytes, more than such a file can hold", shown(path))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound, in bytes.
        limit: u64,
    },
    /// It is not text.
    #[error("{} is not UTF-8 text", shown(path))]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// It is text in another encoding than UTF-8, or begins with a byte order mark.
    #[error("{} is not plain UTF-8 text", shown(path))]
    Encoding {
        /// The file.
        path: PathBuf,
        /// What it is.
        #[source]
        source: Encoding,
    },
    /// A file or folder that decides what this program does is somebody else's.
    #[error("{} belongs to another user (uid {owner}), who decides what is in it", path.display())]
    OtherOwner {
        /// The file or folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// A file or folder that decides what this program does can be changed by others.
    #[error("{} can be written by other users (mode {mode:04o})", path.display())]
    WritableByOthers {
        /// The file or folder.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// There is a file already, and nothing is overwritten unasked.
    #[error("{} already exists", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Something is there that is never replaced: a folder, a device, a link.
    #[error("{} is not a regular file; only regular files are replaced", path.display())]
    NotAFile {
        /// What is there.
        path: PathBuf,
    },
    /// A folder that should be new is there already.
    #[error("{} already exists; a new folder is needed", path.display())]
    FolderExists {
        /// The folder.
        path: PathBuf,
    },
    /// It could not be written; nothing was left behind.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// How a file that is read is called: its path, or "standard input" for `-`.
pub fn shown(path: &Path) -> Cow<'_, str> {
    if path == Path::new("-") { "standard input".into() } else { path.to_string_lossy() }
}

/// Reads `path` (`-` for standard input), at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let failed = |source| FileError::Read { path: path.into(), source };
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(limit + 1).read_to_end(&mut bytes)
    } else {
        let file = open(path)?;
        // A file says how long it is; what it says is a hint, and no more is believed than may be read.
        bytes.reserve_exact(file.metadata().map_or(0, |m| m.len().min(limit)) as usize + 1);
        file.take(limit + 1).read_to_end(&mut bytes)
    }
    .map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(FileError::TooLarge { path: path.into(), limit });
    }
    Ok(bytes)
}

/// Reads a file that holds a secret, at most `limit` bytes: wiped when dropped, and no copy left behind.
pub fn read_secret(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let failed = |source| FileError::Read { path: path.into(), source };
    let capacity = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
    // One read into a buffer that never grows: a growing one would leave its old self in freed memory.
    let mut bytes = Zeroizing::new(vec![0; capacity]);
    let mut file = open(path)?;
    let mut length = 0;
    while length < bytes.len() {
        match file.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(n) => length += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(failed(e)),
        }
    }
    if length as u64 > limit {
        return Err(FileError::TooLarge { path: path.into(), limit });
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Reads `path` (`-` for standard input) as UTF-8 text, at most `limit` bytes.
pub fn read_text(path: &Path, limit: u64) -> Result<String, FileError> {
    decode(path, read(path, limit)?)
}

/// Reads `path` as JavaScript in UTF-8, at most `limit` bytes. A byte order mark stays: to JavaScript it is white space.
pub fn read_script(path: &Path, limit: u64) -> Result<String, FileError> {
    match String::from_utf8(read(path, limit)?) {
        Ok(script) if script.starts_with('\u{feff}') => Ok(script),
        Ok(script) => decode(path, script.into_bytes()),
        Err(error) => decode(path, error.into_bytes()),
    }
}

/// The text of a file; a byte order mark or another encoding is called what it is.
fn decode(path: &Path, bytes: Vec<u8>) -> Result<String, FileError> {
    check_encoding(path, &bytes)?;
    String::from_utf8(bytes).map_err(|_| FileError::NotText { path: path.into() })
}

/// The text of a secret that was read from `path`, where it stands.
///
/// # Errors
/// If it is not plain UTF-8 text.
pub fn secret_text<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, FileError> {
    check_encoding(path, bytes)?;
    std::str::from_utf8(bytes).map_err(|_| FileError::NotText { path: path.into() })
}

/// Refuses what is text in another encoding than plain UTF-8, and tells how to convert it.
///
/// # Errors
/// If it is.
pub fn check_encoding(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    match Encoding::detect(bytes) {
        Some(source) => Err(FileError::Encoding { path: path.into(), source }),
        None => Ok(()),
    }
}

/// Who may read a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Everybody whom the umask lets (0644): proposals, envelopes, certificates.
    Shared,
    /// The owner alone (0600): keys.
    Private,
}

impl Readers {
    /// The mode of a new file, which the umask may restrict further.
    fn mode(self) -> u32 {
        if self == Self::Private { 0o600 } else { 0o644 }
    }
}

/// Writes `path` whole or not at all, through a temporary file beside it; refuses one that exists unless `force`.
pub fn write(path: &Path, bytes: &[u8], access: Readers, force: bool) -> Result<(), FileError> {
    refuse_existing(path, force)?;
    let file = stage(path, bytes, access)?;
    if force { file.persist(path).map(drop).map_err(|e| write_error(path, e.error)) } else { place(file, path) }
}

/// One file of a set that [`write_set`] writes.
#[derive(Clone, Copy)]
pub struct NewFile<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    access: Readers,
}

impl<'a> NewFile<'a> {
    /// `bytes`, to be written to `path`.
    pub fn new(path: &'a Path, bytes: &'a [u8], access: Readers) -> Self {
        Self { path, bytes, access }
    }
}

/// Writes all files of a set or none: if one cannot be written, those already in place are taken away again,
/// and what `force` replaced is put back.
pub fn write_set(files: &[NewFile<'_>], force: bool) -> Result<(), FileError> {
    files.iter().try_for_each(|f| refuse_existing(f.path, force))?;
    let staged: Vec<_> = files.iter().map(|f| stage(f.path, f.bytes, f.access)).collect::<Result<_, _>>()?;
    let mut placed: Vec<(&Path, Option<TempPath>)> = Vec::new();
    for (new, path) in staged.into_iter().zip(files.iter().map(|f| f.path)) {
        let result = set_aside(path, force).and_then(|old| match place(new, path) {
            Ok(()) => Ok(old),
            Err(error) => {
                let _ = old.map(|old| old.persist_noclobber(path));
                Err(error)
            }
        });
        match result {
            Ok(old) => placed.push((path, old)),
            Err(error) => {
                for (path, old) in placed {
                    let _ = std::fs::remove_file(path);
                    let _ = old.map(|old| old.persist_noclobber(path));
                }
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Refuses to write to `path` if something is there and `force` was not given, or if it is no regular file.
pub fn refuse_existing(path: &Path, force: bool) -> Result<(), FileError> {
    match path.symlink_metadata() {
        Ok(there) if !there.is_file() => Err(FileError::NotAFile { path: path.into() }),
        Ok(_) if !force => Err(FileError::Exists { path: path.into() }),
        _ => Ok(()),
    }
}

/// Writes `bytes` to a temporary file in `path`'s folder.
fn stage(path: &Path, bytes: &[u8], access: Readers) -> Result<NamedTempFile, FileError> {
    let failed = |source| write_error(path, source);
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(access.mode()));
    }
    let mut file = builder.tempfile_in(folder(path)).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    Ok(file)
}

fn place(file: NamedTempFile, path: &Path) -> Result<(), FileError> {
    file.persist_noclobber(path).map(drop).map_err(|e| match e.error.kind() {
        io::ErrorKind::AlreadyExists => FileError::Exists { path: path.into() },
        _ => write_error(path, e.error),
    })
}

/// Moves what stands at `path` to a temporary name; it is deleted when that is dropped.
fn set_aside(path: &Path, force: bool) -> Result<Option<TempPath>, FileError> {
    if !force || path.symlink_metadata().is_err() {
        return Ok(None);
    }
    let failed = |source| write_error(path, source);
    let old = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder(path)).map_err(failed)?.into_temp_path();
    std::fs::rename(path, &old).map_err(failed)?;
    Ok(Some(old))
}

const TEMPORARY: &str = ".ccf-gov-";

fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn write_error(path: &Path, source: io::Error) -> FileError {
    // The text of a temporary file's error names that file, which tells nobody anything.
    let source = match source.kind() {
        _ if source.raw_os_error().is_some() => source,
        io::ErrorKind::NotFound => io::Error::new(source.kind(), "its folder does not exist"),
        kind => io::Error::from(kind),
    };
    FileError::Write { path: path.into(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_overwritten_unasked_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write(&path, b"1", Readers::Private, false).unwrap();
        assert!(matches!(write(&path, b"2", Readers::Private, false), Err(FileError::Exists { .. })));
        assert_eq!(read(&path, 10).unwrap(), b"1");
        write(&path, b"23", Readers::Private, true).unwrap();
        assert!(matches!(read(&path, 1), Err(FileError::TooLarge { .. })));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_script_may_begin_with_a_byte_order_mark_and_a_text_may_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resolve.js");
        std::fs::write(&path, "\u{feff}export function resolve() {}").unwrap();
        assert_eq!(read_script(&path, 99).unwrap(), "\u{feff}export function resolve() {}");
        assert!(matches!(read_text(&path, 99), Err(FileError::Encoding { .. })));
        for other in [b"\xff\xfee\0x\0".as_slice(), b"\xffexport"] {
            std::fs::write(&path, other).unwrap();
            assert!(read_script(&path, 99).is_err());
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_regular_files_are_ever_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link, directory) = (folder.path().join("f"), folder.path().join("l"), folder.path().join("d"));
        std::fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        std::fs::create_dir(&directory).unwrap();
        for path in [&link, &directory] {
            for force in [false, true] {
                assert!(matches!(write(path, b"x", Readers::Shared, force), Err(FileError::NotAFile { .. })));
                let set = [NewFile::new(path, b"x", Readers::Shared)];
                assert!(matches!(write_set(&set, force), Err(FileError::NotAFile { .. })));
            }
            assert!(matches!(NewFolder::new(path), Err(FileError::FolderExists { .. })));
        }
        assert_eq!(read(&file, 10).unwrap(), b"old");
    }

    #[test]
    fn a_set_that_fails_half_way_leaves_everything_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        // No file can have a name as long as the second one's, which is found when it gets its place.
        let (first, second) = (folder.path().join("a"), folder.path().join("b".repeat(300)));
        std::fs::write(&first, "old").unwrap();
        let set = [NewFile::new(&first, b"new", Readers::Shared), NewFile::new(&second, b"new", Readers::Shared)];
        assert!(matches!(write_set(&set, true), Err(FileError::Write { .. })));
        assert_eq!(read(&first, 10).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let second = folder.path().join("b");
        let set = [set[0], NewFile::new(&second, b"new", Readers::Shared)];
        write_set(&set, true).unwrap();
        assert_eq!(read(&first, 10).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
