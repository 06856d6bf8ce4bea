//! Directories as lists of names, in blocks that no entry crosses.

use super::super::LayerError;
use super::super::verity::{BLOCK, Blocks};
use super::disk::Disk;
use super::file::{BLOCK_DEVICE, CHARACTER, DIRECTORY, FIFO, REGULAR, SYMLINK};
use super::inode::Number;

/// The bytes of an entry before its name. Room for one without a name is left at the end of each block.
const HEAD: usize = 8;
const LAST: usize = 12;

/// Writes a directory's entries.
pub(super) struct Entries<'a, B> {
    disk: &'a mut Disk<B>,
    left: usize,
}

impl<'a, B: Blocks> Entries<'a, B> {
    pub(super) fn new(disk: &'a mut Disk<B>) -> Self {
        Self { disk, left: BLOCK }
    }

    /// Writes one entry; `kind` is the type bits of the inode's mode. Names have at most 255 bytes.
    pub(super) fn write(&mut self, number: Number, kind: u16, name: &[u8]) -> Result<(), LayerError> {
        let size = (HEAD + name.len()).next_multiple_of(4);
        if self.left < size + LAST {
            self.close_block()?;
        }
        self.head(number, size, name.len(), kind)?;
        self.disk.write(name)?;
        self.disk.zeros((size - HEAD - name.len()) as u64)?;
        self.left -= size;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(), LayerError> {
        self.close_block()
    }

    fn close_block(&mut self) -> Result<(), LayerError> {
        self.head(0, self.left, 0, 0)?;
        self.disk.zeros((self.left - HEAD) as u64)?;
        self.left = BLOCK;
        Ok(())
    }

    fn head(&mut self, number: Number, size: usize, name: usize, kind: u16) -> Result<(), LayerError> {
        let mut head = [0; HEAD];
        head[..4].copy_from_slice(&number.to_le_bytes());
        head[4..6].copy_from_slice(&(size as u16).to_le_bytes());
        head[6] = name as u8;
        head[7] = match kind {
            REGULAR => 1,
            DIRECTORY => 2,
            CHARACTER => 3,
            BLOCK_DEVICE => 4,
            FIFO => 5,
            SYMLINK => 7,
            _ => 0,
        };
        self.disk.write(&head)
    }
}
