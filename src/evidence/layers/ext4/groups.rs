//! What describes the whole disk: inode table, bitmaps, group descriptors, superblock.

use super::super::LayerError;
use super::super::verity::{BLOCK, Block, Blocks};
use super::disk::{Disk, MAX_BLOCKS};
use super::inode::{self, Inode};

/// Bytes of inode fields beyond the first 128.
pub(super) const EXTRA_FIELDS: u16 = 24;
/// The first inode that is not reserved: lost+found.
pub(super) const FIRST_INODE: u32 = 11;
/// Blocks of group descriptors, for the largest disk.
pub(super) const DESCRIPTOR_BLOCKS: u32 = MAX_BLOCKS / PER_GROUP / DESCRIPTORS_PER_BLOCK;

/// Blocks in a group: one bit each in a block.
const PER_GROUP: u32 = 8 * BLOCK as u32;
const DESCRIPTOR: usize = 32;
const DESCRIPTORS_PER_BLOCK: u32 = (BLOCK / DESCRIPTOR) as u32;
const INODES_PER_BLOCK: u32 = (BLOCK / inode::SIZE) as u32;

/// How inodes and blocks are shared out among groups.
struct Groups {
    count: u32,
    inodes: u32,
    inode_table: u32,
    bitmaps: u32,
    /// Blocks that hold something: the last is the last bitmap.
    used: u32,
    /// Blocks of the disk.
    size: u32,
}

struct Totals {
    used_blocks: u32,
    used_inodes: u32,
}

/// Writes everything that comes after the last directory, and fills the first blocks.
pub(super) fn write<B: Blocks>(disk: &mut Disk<B>, inodes: &[Option<Inode>]) -> Result<(), LayerError> {
    let groups = Groups::new(disk.block(), inodes.len() as u32)?;
    for inode in inodes {
        match inode {
            Some(inode) => disk.write(&inode.bytes())?,
            None => disk.zeros(inode::SIZE as u64)?,
        }
    }
    let in_table = u64::from(groups.count) * u64::from(groups.inodes);
    disk.zeros((in_table - inodes.len() as u64) * inode::SIZE as u64)?;
    let mut descriptors = vec![0; DESCRIPTOR_BLOCKS as usize * BLOCK];
    let totals = write_bitmaps(disk, &groups, inodes, &mut descriptors)?;
    disk.zeros(u64::from(groups.size - groups.used) * BLOCK as u64)?;
    for (at, block) in descriptors.as_chunks::<BLOCK>().0.iter().enumerate() {
        disk.fill(1 + at as u32, block);
    }
    disk.fill(0, &superblock(&groups, &totals));
    Ok(())
}

impl Groups {
    /// The least number of groups, and for it the least inodes in each.
    fn new(inode_table: u32, inodes: u32) -> Result<Self, LayerError> {
        let (count, each) = (INODES_PER_BLOCK..=PER_GROUP)
            .step_by(INODES_PER_BLOCK as usize)
            .map(|each| (count(inode_table, inodes, each), each))
            .min()
            .ok_or(LayerError::TooLarge)?;
        if count > DESCRIPTOR_BLOCKS * DESCRIPTORS_PER_BLOCK {
            return Err(LayerError::TooLarge);
        }
        let bitmaps = inode_table + count * each / INODES_PER_BLOCK;
        let used = bitmaps + 2 * count;
        Ok(Self { count, inodes: each, inode_table, bitmaps, used, size: used.max((count - 1) * PER_GROUP + 1) })
    }
}

/// How many groups hold so many blocks and inodes, if each has `each` inodes.
fn count(blocks: u32, inodes: u32, each: u32) -> u32 {
    // Two blocks of each group are bitmaps.
    let data = PER_GROUP - each / INODES_PER_BLOCK - 2;
    let least = (inodes - 1) / each * data + 1;
    blocks.max(least).div_ceil(data)
}

fn write_bitmaps<B: Blocks>(
    disk: &mut Disk<B>,
    groups: &Groups,
    inodes: &[Option<Inode>],
    descriptors: &mut [u8],
) -> Result<Totals, LayerError> {
    let mut totals = Totals { used_blocks: 0, used_inodes: 0 };
    let used_descriptors = groups.count.div_ceil(DESCRIPTORS_PER_BLOCK);
    for (group, descriptor) in (0..groups.count).zip(descriptors.as_chunks_mut::<DESCRIPTOR>().0) {
        let first = group * PER_GROUP;
        // Blocks past the disk's end count as used, descriptor blocks without descriptors as free.
        let is_used = |block: u32| {
            (block < groups.used || block >= groups.size)
                && !(1 + used_descriptors..=DESCRIPTOR_BLOCKS).contains(&block)
        };
        let (bitmap, used_blocks) = bitmap(PER_GROUP, |at| is_used(first + at));
        disk.write(&bitmap)?;

        let first = group * groups.inodes;
        let inode = |at: u32| inodes.get((first + at) as usize).and_then(Option::as_ref);
        let (bitmap, used_inodes) =
            self::bitmap(groups.inodes, |at| first + at + 1 < FIRST_INODE || inode(at).is_some());
        disk.write(&bitmap)?;
        let directories = (0..groups.inodes).filter(|at| inode(*at).is_some_and(Inode::is_directory)).count();

        let table = groups.inode_table + group * (groups.inodes / INODES_PER_BLOCK);
        descriptor[0..4].copy_from_slice(&(groups.bitmaps + 2 * group).to_le_bytes());
        descriptor[4..8].copy_from_slice(&(groups.bitmaps + 2 * group + 1).to_le_bytes());
        descriptor[8..12].copy_from_slice(&table.to_le_bytes());
        descriptor[12..14].copy_from_slice(&((PER_GROUP - used_blocks) as u16).to_le_bytes());
        descriptor[14..16].copy_from_slice(&((groups.inodes - used_inodes) as u16).to_le_bytes());
        descriptor[16..18].copy_from_slice(&(directories as u16).to_le_bytes());
        totals.used_blocks += used_blocks;
        totals.used_inodes += used_inodes;
    }
    Ok(totals)
}

/// A bit for each of `count` things, and how many are set.
fn bitmap(count: u32, is_set: impl Fn(u32) -> bool) -> (Block, u32) {
    let mut bits = [0; BLOCK];
    let mut set = 0;
    for at in (0..count).filter(|at| is_set(*at)) {
        bits[at as usize / 8] |= 1 << (at % 8);
        set += 1;
    }
    (bits, set)
}

fn superblock(groups: &Groups, totals: &Totals) -> Block {
    const AT: usize = 1024;
    let mut bytes = [0; BLOCK];
    let mut put = |at: usize, value: &[u8]| bytes[AT + at..AT + at + value.len()].copy_from_slice(value);
    let mut words = |at: usize, value: u32| put(at, &value.to_le_bytes());
    words(0x00, groups.inodes * groups.count);
    words(0x04, groups.size);
    words(0x0c, PER_GROUP * groups.count - totals.used_blocks);
    words(0x10, groups.inodes * groups.count - totals.used_inodes);
    words(0x18, 2); // blocks are 1024 << 2 bytes
    words(0x1c, 2);
    words(0x20, PER_GROUP);
    words(0x24, PER_GROUP);
    words(0x28, groups.inodes);
    words(0x4c, 1); // inodes have sizes of their own
    words(0x54, FIRST_INODE);
    words(0x5c, 0x208); // extended attributes, sparse superblocks of the second kind
    words(0x60, 0x242); // types in directories, extents, flexible groups
    words(0x64, 0x104a); // large and huge files, inode sizes, read only
    words(0x268, FIRST_INODE); // lost+found
    put(0x38, &0xef53u16.to_le_bytes());
    put(0x3a, &1u16.to_le_bytes()); // cleanly unmounted
    put(0x3c, &1u16.to_le_bytes()); // go on after errors
    put(0x58, &(inode::SIZE as u16).to_le_bytes());
    put(0x15c, &EXTRA_FIELDS.to_le_bytes());
    put(0x15e, &EXTRA_FIELDS.to_le_bytes());
    put(0x174, &[31]); // all groups are one flexible group
    bytes
}
