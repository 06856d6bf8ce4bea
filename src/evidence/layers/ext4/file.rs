//! What is put on the disk: paths, and files with all that is known of them.

use std::collections::BTreeMap;

use super::super::LayerError;
use super::super::tar::{EntryKind, Time};

pub(super) const TYPE: u16 = 0xf000;
pub(super) const REGULAR: u16 = 0x8000;
pub(super) const DIRECTORY: u16 = 0x4000;
pub(super) const SYMLINK: u16 = 0xa000;
pub(super) const CHARACTER: u16 = 0x2000;
pub(super) const BLOCK_DEVICE: u16 = 0x6000;
pub(super) const FIFO: u16 = 0x1000;

/// The type bits of an inode's mode.
pub(crate) fn type_bits(kind: EntryKind) -> u16 {
    match kind {
        EntryKind::File | EntryKind::HardLink => REGULAR,
        EntryKind::Symlink => SYMLINK,
        EntryKind::Character => CHARACTER,
        EntryKind::Block => BLOCK_DEVICE,
        EntryKind::Directory => DIRECTORY,
        EntryKind::Fifo => FIFO,
    }
}

/// A path from the root, without `.`, `..` and empty parts.
#[derive(Clone, Debug)]
pub(crate) struct Path<'a> {
    parts: Vec<&'a [u8]>,
    text: &'a [u8],
}

/// Linux opens no longer paths than 4 KiB; archives may hold longer ones.
const MAX_PATH: usize = 64 << 10;
const MAX_NAME: usize = 255;

impl<'a> Path<'a> {
    /// Reads a path as if it began at the root, above which there is nothing.
    pub(crate) fn of(text: &'a [u8]) -> Result<Self, LayerError> {
        if text.len() > MAX_PATH {
            return Err(LayerError::entry(text, "its path is longer than 64 KiB"));
        }
        let mut parts = Vec::new();
        for part in text.split(|b| *b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        if parts.iter().any(|part| part.len() > MAX_NAME) {
            return Err(LayerError::entry(text, "a name in its path is longer than 255 bytes"));
        }
        Ok(Self { parts, text })
    }

    /// The names from the root on; none for the root itself.
    pub(crate) fn parts(&self) -> &[&'a [u8]] {
        &self.parts
    }

    /// The folder that this is in; of the root, the root.
    pub(crate) fn parent(&self) -> Self {
        let parts = self.parts.split_last().map_or(&[][..], |(_, folders)| folders);
        Self { parts: parts.to_vec(), text: self.text }
    }

    /// An error about this path.
    pub(crate) fn error(&self, what: &'static str) -> LayerError {
        LayerError::entry(self.text, what)
    }
}

/// A file of any type, without its data.
#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    /// Type and permissions.
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    /// Bytes of data, of a regular file.
    pub size: u64,
    pub accessed: Time,
    pub changed: Time,
    pub modified: Time,
    pub born: Time,
    pub major: u32,
    pub minor: u32,
    /// Where a symbolic link leads.
    pub link: Vec<u8>,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}
