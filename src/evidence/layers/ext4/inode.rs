//! Inodes, and their 256 bytes in the table.

use std::collections::BTreeMap;

use super::file::{BLOCK_DEVICE, CHARACTER, DIRECTORY, TYPE};
use super::xattr::Xattrs;
use crate::evidence::layers::tar::Time;

pub(super) const SIZE: usize = 256;
/// The bytes of an inode after its last field, where extended attributes may stand.
pub(super) const EXTRA: usize = SIZE - USED;
const USED: usize = 152;

const HUGE_FILE: u32 = 0x4_0000;
const EXTENTS: u32 = 0x8_0000;

/// An inode's number: the root has 2.
pub(super) type Number = u32;

/// The files in a directory, by name.
pub(super) type Children = BTreeMap<Box<[u8]>, Number>;

/// A file on the disk.
#[derive(Debug, Default)]
pub(super) struct Inode {
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    pub accessed: u64,
    pub changed: u64,
    pub modified: u64,
    pub born: u64,
    pub links: u32,
    /// Blocks of data, extents and attributes.
    pub blocks: u32,
    pub major: u32,
    pub minor: u32,
    pub xattrs: Option<Box<Xattrs>>,
    /// The block of attributes; 0 if there is none.
    pub xattr_block: u32,
    pub content: Content,
    /// Of a directory.
    pub children: Children,
}

/// Where a file's data are.
#[derive(Debug, Default)]
pub(super) enum Content {
    /// It has none.
    #[default]
    Nothing,
    /// A short symbolic link, kept in the inode.
    Link(Box<[u8]>),
    /// Extents, or an index of them.
    Extents(Box<[u8; 60]>),
}

impl Inode {
    pub(super) fn kind(&self) -> u16 {
        self.mode & TYPE
    }

    pub(super) fn is_directory(&self) -> bool {
        self.kind() == DIRECTORY
    }

    /// The inode as it stands in the table.
    pub(super) fn bytes(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        let half = |value: u32| (value as u16).to_le_bytes();
        let word = |value: u64| (value as u32).to_le_bytes();
        put(0x00, &self.mode.to_le_bytes());
        put(0x02, &half(self.uid));
        put(0x04, &word(self.size));
        put(0x08, &word(self.accessed));
        put(0x0c, &word(self.changed));
        put(0x10, &word(self.modified));
        put(0x18, &half(self.gid));
        put(0x1a, &half(self.links));
        put(0x1c, &self.blocks.to_le_bytes());
        put(0x20, &self.flags().to_le_bytes());
        match &self.content {
            Content::Link(target) => put(0x28, target),
            Content::Extents(extents) => put(0x28, &extents[..]),
            Content::Nothing if matches!(self.kind(), CHARACTER | BLOCK_DEVICE) => {
                put(0x2c, &self.device().to_le_bytes());
            }
            Content::Nothing => {}
        }
        put(0x68, &self.xattr_block.to_le_bytes());
        put(0x6c, &word(self.size >> 32));
        put(0x78, &half(self.uid >> 16));
        put(0x7a, &half(self.gid >> 16));
        put(0x80, &super::groups::EXTRA_FIELDS.to_le_bytes());
        put(0x84, &word(self.changed >> 32));
        put(0x88, &word(self.modified >> 32));
        put(0x8c, &word(self.accessed >> 32));
        put(0x90, &word(self.born));
        put(0x94, &word(self.born >> 32));
        if let Some(xattrs) = &self.xattrs {
            put(USED, &xattrs.inline_bytes());
        }
        bytes
    }

    fn flags(&self) -> u32 {
        HUGE_FILE | if matches!(self.content, Content::Extents(_)) { EXTENTS } else { 0 }
    }

    fn device(&self) -> u32 {
        self.minor & 0xff | self.major << 8 | (self.minor & 0xffff_ff00) << 12
    }
}

/// A time as inodes hold it: 34 bits of seconds, then nanoseconds. Seconds before 1970 fill the nanoseconds with ones too, and
/// such a time is read back as the latest that there is: so does the original.
pub(super) fn encode(time: Time) -> u64 {
    const FIRST: i64 = -0x8000_0000;
    const LAST: i64 = 0x3_7fff_ffff;
    match time.seconds {
        _ if time == Time::UNSET => 0,
        ..FIRST => 0x8000_0000,
        FIRST..=LAST => time.seconds.cast_unsigned() | u64::from(time.nanoseconds) << 34,
        _ => LAST.cast_unsigned(),
    }
}

/// The time that is read back.
pub(super) fn decode(time: u64) -> Time {
    if time == 0 {
        return Time::UNSET;
    }
    let seconds = (time & 0x3_ffff_ffff).cast_signed();
    let seconds = if (0x8000_0000..0x1_0000_0000).contains(&seconds) { seconds - 0x1_0000_0000 } else { seconds };
    let nanoseconds = (time >> 34) as u32;
    Time { seconds: seconds + i64::from(nanoseconds / 1_000_000_000), nanoseconds: nanoseconds % 1_000_000_000 }
}
