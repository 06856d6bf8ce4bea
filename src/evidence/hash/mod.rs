//! SHA-256 of artefacts of any size: read once, in pieces, with flat memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};

use crate::files::{self, FileError};

/// How much is read at a time: small enough to stay in the processor's second-level cache.
const PIECE: usize = 256 << 10;

/// SHA-256 of everything that `reader` gives.
///
/// # Errors
/// Whatever reading gives; an interrupted read is tried again.
pub fn sha256_reader(mut reader: impl Read) -> io::Result<[u8; 32]> {
    let mut context = Context::new(&SHA256);
    let mut piece = vec![0; PIECE];
    loop {
        match reader.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => context.update(&piece[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    Ok(digest)
}

/// SHA-256 of a file, `-` for standard input.
///
/// # Errors
/// The file cannot be opened or read.
pub fn sha256_file(path: &Path) -> io::Result<[u8; 32]> {
    if path == Path::new("-") { sha256_reader(io::stdin().lock()) } else { sha256_reader(open(path)?) }
}

/// Opens a file, or a pipe that the process was handed open.
///
/// # Errors
/// It cannot be opened, or is something else: reading that may never end.
pub fn open(path: &Path) -> io::Result<File> {
    files::open(path).map_err(|error| match error {
        FileError::Read { source, .. } => source,
        FileError::NotRegular { what, .. } => {
            io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}; only regular files are read"))
        }
        other => io::Error::other(other.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hash_as_the_whole() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7] {
            let bytes: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            assert_eq!(sha256_reader(&bytes[..]).unwrap(), crate::digest::sha256(&bytes), "{length}");
        }
    }
}
