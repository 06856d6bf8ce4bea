//! Opening what is to be read: regular files, and what this process was handed open.

use std::fs::{File, FileType};
use std::io;
use std::path::Path;

use super::FileError;

/// Opens a file to read. A folder, named pipe, socket or device is refused: reading it could wait for ever.
///
/// What the process was handed open may be a pipe: `/dev/stdin`, and the shell's `<(…)`, which is under `/dev/fd`. And
/// `/dev/null` is an empty file.
///
/// # Errors
/// [`FileError::NotRegular`] for anything else than a file, and [`FileError::Read`].
pub fn open(path: &Path) -> Result<File, FileError> {
    let failed = |source| FileError::Read { path: path.into(), source };
    let handed = is_handed(path);
    let check = |kind: FileType| match what(kind) {
        Some(what) if !handed => Err(FileError::NotRegular { path: path.into(), what }),
        _ => Ok(()),
    };
    check(path.metadata().map_err(failed)?.file_type())?;
    let file = if handed { File::open(path) } else { open_at_once(path) }.map_err(failed)?;
    // What was looked at may have been replaced before it was opened.
    check(file.metadata().map_err(failed)?.file_type())?;
    Ok(file)
}

fn is_handed(path: &Path) -> bool {
    let process = ["/dev/fd", "/proc/self/fd"].iter().any(|folder| path.parent() == Some(Path::new(folder)));
    process || ["/dev/stdin", "/dev/null"].iter().any(|known| path == Path::new(known))
}

/// Opens without waiting for a writer, should it be a named pipe after all.
fn open_at_once(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, rustix::fs::OFlags::NONBLOCK.bits() as i32);
    options.read(true).open(path)
}

/// What it is, if it is no regular file.
pub(crate) fn what(kind: FileType) -> Option<&'static str> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return Some("a named pipe");
        }
        if kind.is_socket() {
            return Some("a socket");
        }
        if kind.is_char_device() || kind.is_block_device() {
            return Some("a device");
        }
    }
    match kind {
        _ if kind.is_symlink() => Some("a symbolic link"),
        _ if kind.is_dir() => Some("a folder"),
        _ if kind.is_file() => None,
        _ => Some("something else"),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_read_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "x").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        assert_eq!(crate::files::read(Path::new("/dev/null"), 10).unwrap(), b"");
        assert!(open(&at("file")).is_ok() && open(&at("link")).is_ok());
        for (path, is) in [
            (at("pipe"), "a named pipe"),
            (at("socket"), "a socket"),
            (at(""), "a folder"),
            ("/dev/zero".into(), "a device"),
        ] {
            let refused = crate::files::read(&path, 10).unwrap_err();
            assert!(matches!(refused, FileError::NotRegular { what, .. } if what == is), "{refused:?}");
            assert!(crate::files::read_secret(&path, 10).is_err());
        }
        assert!(matches!(open(&at("none")), Err(FileError::Read { .. })));
    }

    #[test]
    fn what_the_process_was_handed_may_be_a_pipe() {
        use std::io::Write;
        use std::os::fd::AsRawFd;

        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"[]").unwrap();
        drop(writer);
        let path = format!("/dev/fd/{}", reader.as_raw_fd());
        assert_eq!(crate::files::read(Path::new(&path), 10).unwrap(), b"[]");
    }
}
