//! A disk written from front to back.

use super::super::LayerError;
use super::super::verity::{BLOCK, Block, Blocks};

/// The largest disk, in blocks: 128 GiB.
pub(super) const MAX_BLOCKS: u32 = 32 << 20;

/// The next byte's place, and the block that is being filled.
pub(super) struct Disk<B> {
    blocks: B,
    /// Whole blocks written or reserved.
    count: u32,
    open: Box<Block>,
    filled: usize,
}

impl<B: Blocks> Disk<B> {
    pub(super) fn new(blocks: B) -> Self {
        Self { blocks, count: 0, open: Box::new([0; BLOCK]), filled: 0 }
    }

    /// The number of the block where the next byte goes.
    pub(super) fn block(&self) -> u32 {
        self.count
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<(), LayerError> {
        while !bytes.is_empty() {
            if self.count == MAX_BLOCKS {
                return Err(LayerError::TooLarge);
            }
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - self.filled));
            self.open[self.filled..][..now.len()].copy_from_slice(now);
            self.filled += now.len();
            if self.filled == BLOCK {
                self.blocks.append(&self.open);
                self.count += 1;
                self.filled = 0;
            }
            bytes = later;
        }
        Ok(())
    }

    pub(super) fn zeros(&mut self, mut count: u64) -> Result<(), LayerError> {
        while count > 0 {
            let now = count.min(BLOCK as u64);
            self.write(&[0; BLOCK][..now as usize])?;
            count -= now;
        }
        Ok(())
    }

    /// Goes on to the next whole block.
    pub(super) fn pad(&mut self) -> Result<(), LayerError> {
        if self.filled == 0 { Ok(()) } else { self.zeros((BLOCK - self.filled) as u64) }
    }

    /// Leaves a block out, to be filled later; gives its number.
    pub(super) fn reserve(&mut self) -> Result<u32, LayerError> {
        self.pad()?;
        if self.count == MAX_BLOCKS {
            return Err(LayerError::TooLarge);
        }
        self.blocks.reserve();
        self.count += 1;
        Ok(self.count - 1)
    }

    /// The content of a block that was left out.
    pub(super) fn fill(&mut self, number: u32, block: &Block) {
        self.blocks.fill(number, block);
    }

    pub(super) fn into_inner(self) -> B {
        self.blocks
    }
}
