//! The page with the hashes of kernel, initrd and command line that QEMU hands to the firmware.

use crate::digest::sha256;

use super::digest::PAGE;

/// SHA-256 of what is loaded beside the firmware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelHashes {
    kernel: [u8; 32],
    initrd: [u8; 32],
    command_line: [u8; 32],
}

/// The GUIDs of the table and its entries, as they lie in memory.
const TABLE: [u8; 16] = *b"\x06\xd6\x38\x94\x22\x4f\xc9\x4c\xb4\x79\xa7\x93\xd4\x11\xfd\x21";
const KERNEL: [u8; 16] = *b"\x37\x94\xe7\x4d\xd2\xab\x7f\x42\xb8\x35\xd5\xb1\x72\xd2\x04\x5b";
const INITRD: [u8; 16] = *b"\x31\xf7\xba\x44\x2f\x3a\xd7\x4b\x9a\xf1\x41\xe2\x91\x69\x78\x1d";
const COMMAND_LINE: [u8; 16] = *b"\xd8\x2d\xd0\x97\x20\xbd\x94\x4c\xaa\x78\xe7\x71\x4d\x36\xab\x2a";

/// One entry: GUID, length, hash.
const ENTRY: usize = 16 + 2 + 32;

impl KernelHashes {
    /// Hashes a kernel, an initrd (none is an empty one) and a command line (none is an empty one).
    pub fn new(kernel: &[u8], initrd: Option<&[u8]>, append: Option<&str>) -> Self {
        Self::from_digests(sha256(kernel), initrd.map(sha256), append)
    }

    /// The same from the SHA-256 of kernel and initrd, for files too large to hold.
    pub fn from_digests(kernel: [u8; 32], initrd: Option<[u8; 32]>, append: Option<&str>) -> Self {
        // The command line is hashed with the zero byte that ends it.
        let command_line = [append.unwrap_or_default().as_bytes(), &[0]].concat();
        Self { kernel, initrd: initrd.unwrap_or_else(|| sha256(&[])), command_line: sha256(&command_line) }
    }

    /// The page with the table at `offset`; `None` if it does not fit.
    pub(super) fn page(&self, offset: usize) -> Option<[u8; PAGE]> {
        let entries = [(COMMAND_LINE, self.command_line), (INITRD, self.initrd), (KERNEL, self.kernel)];
        let length = 18 + entries.len() * ENTRY;
        let mut table = Vec::with_capacity(length);
        table.extend_from_slice(&TABLE);
        table.extend_from_slice(&(length as u16).to_le_bytes());
        for (guid, hash) in entries {
            table.extend_from_slice(&guid);
            table.extend_from_slice(&(ENTRY as u16).to_le_bytes());
            table.extend_from_slice(&hash);
        }
        // The table is padded to a multiple of 16, and that must fit in the page too.
        let padded = length.next_multiple_of(16);
        let mut page = [0; PAGE];
        page.get_mut(offset..offset.checked_add(padded)?)?[..length].copy_from_slice(&table);
        Some(page)
    }
}
