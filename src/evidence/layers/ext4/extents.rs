//! Where a file's data are: extents in the inode, or one level of blocks with extents.

use super::super::LayerError;
use super::super::verity::{BLOCK, Block, Blocks};
use super::disk::Disk;

/// The most blocks that one extent covers.
const MAX_EXTENT: u32 = 0x8000;
/// Extents in the inode, and in a block.
const IN_INODE: u32 = 4;
const IN_BLOCK: u32 = (BLOCK / NODE) as u32 - 1;

const NODE: usize = 12;
const MAGIC: u16 = 0xf30a;

/// The extents of `count` blocks from `first` on. If they need blocks of their own, these are written now; the number of those is
/// returned too.
pub(super) fn write<B: Blocks>(disk: &mut Disk<B>, first: u32, count: u32) -> Result<([u8; 60], u32), LayerError> {
    let mut root = [0; 60];
    let extents = count.div_ceil(MAX_EXTENT);
    if extents <= IN_INODE {
        put_extents(&mut root, extents, IN_INODE, 0, first, count);
        return Ok((root, 0));
    }
    // One more than needed if the last is full. Together with the next remark's this is how the original counts.
    let index_blocks = extents / IN_BLOCK + 1;
    if index_blocks > IN_INODE {
        return Err(LayerError::TooLarge);
    }
    put_header(&mut root, index_blocks, IN_INODE, 1);
    for at in 0..index_blocks {
        let offset = at * IN_BLOCK * MAX_EXTENT;
        let node = &mut root[NODE * (at as usize + 1)..][..NODE];
        node[..4].copy_from_slice(&offset.to_le_bytes());
        node[4..8].copy_from_slice(&disk.block().to_le_bytes());
        let mut block: Block = [0; BLOCK];
        // The original subtracts the number of index blocks where the extents in the blocks before are meant, and adds the offset
        // to the start twice. This concerns files of 42.5 GiB and more.
        let here = extents.saturating_sub(at * index_blocks).min(IN_BLOCK);
        put_extents(&mut block, here, IN_BLOCK, offset, first.wrapping_add(offset), count);
        disk.write(&block)?;
    }
    Ok((root, index_blocks))
}

fn put_header(bytes: &mut [u8], entries: u32, room: u32, depth: u16) {
    bytes[..2].copy_from_slice(&MAGIC.to_le_bytes());
    bytes[2..4].copy_from_slice(&(entries as u16).to_le_bytes());
    bytes[4..6].copy_from_slice(&(room as u16).to_le_bytes());
    bytes[6..8].copy_from_slice(&depth.to_le_bytes());
}

fn put_extents(bytes: &mut [u8], entries: u32, room: u32, offset: u32, start: u32, count: u32) {
    put_header(bytes, entries, room, 0);
    for at in 0..entries {
        let block = offset + at * MAX_EXTENT;
        let length = count.wrapping_sub(block).min(MAX_EXTENT);
        let node = &mut bytes[NODE * (at as usize + 1)..][..NODE];
        node[..4].copy_from_slice(&block.to_le_bytes());
        node[4..6].copy_from_slice(&(length as u16).to_le_bytes());
        node[8..12].copy_from_slice(&start.wrapping_add(block).to_le_bytes());
    }
}
