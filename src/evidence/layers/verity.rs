//! dm-verity's hash tree over a disk whose blocks come one after the other.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};

/// The size of a block, of data and of hashes.
pub(super) const BLOCK: usize = 4096;

/// A block's content.
pub(super) type Block = [u8; BLOCK];

/// Hashes in one block of hashes.
const FAN: usize = BLOCK / HASH;
const HASH: usize = 32;
const SALT: [u8; 32] = [0; 32];
const ZEROS: Block = [0; BLOCK];

/// Where a disk's blocks go.
pub(super) trait Blocks {
    /// The next block.
    fn append(&mut self, block: &Block);
    /// The next block, whose content comes later, by [`Self::fill`].
    fn reserve(&mut self);
    /// The content of the reserved block `number`.
    fn fill(&mut self, number: u32, block: &Block);
}

/// The hash tree: of each whole group of 128 blocks one hash is kept, and of groups with reserved blocks all hashes.
pub(super) struct Tree {
    /// Hashes of the blocks since the last whole group.
    open: Vec<[u8; HASH]>,
    /// Whether one of these is reserved.
    open_is_reserved: bool,
    /// Hashes of whole groups; of those with reserved blocks it is not known yet.
    groups: Vec<[u8; HASH]>,
    reserved: BTreeMap<usize, Vec<[u8; HASH]>>,
    zeros: [u8; HASH],
}

impl Tree {
    /// A tree of no blocks.
    pub(super) fn new() -> Self {
        Self {
            open: Vec::with_capacity(FAN),
            open_is_reserved: false,
            groups: Vec::new(),
            reserved: BTreeMap::new(),
            zeros: hash(&ZEROS),
        }
    }

    /// The root hash; every reserved block must have been filled.
    pub(super) fn root(mut self) -> [u8; HASH] {
        if !self.open.is_empty() {
            self.close_group();
        }
        let mut level = self.groups;
        for (number, hashes) in self.reserved {
            level[number] = hash_of_hashes(&hashes);
        }
        while level.len() > 1 {
            level = level.chunks(FAN).map(hash_of_hashes).collect();
        }
        level.first().copied().unwrap_or_default()
    }

    fn push(&mut self, hash: [u8; HASH]) {
        self.open.push(hash);
        if self.open.len() == FAN {
            self.close_group();
        }
    }

    fn close_group(&mut self) {
        if self.open_is_reserved {
            self.reserved.insert(self.groups.len(), std::mem::take(&mut self.open));
            self.groups.push([0; HASH]);
        } else {
            self.groups.push(hash_of_hashes(&self.open));
            self.open.clear();
        }
        self.open_is_reserved = false;
    }
}

impl Blocks for Tree {
    fn append(&mut self, block: &Block) {
        let hash = if block == &ZEROS { self.zeros } else { hash(block) };
        self.push(hash);
    }

    fn reserve(&mut self) {
        self.open_is_reserved = true;
        self.push([0; HASH]);
    }

    fn fill(&mut self, number: u32, block: &Block) {
        let (group, at) = (number as usize / FAN, number as usize % FAN);
        let hashes = if group == self.groups.len() { Some(&mut self.open) } else { self.reserved.get_mut(&group) };
        if let Some(place) = hashes.and_then(|hashes| hashes.get_mut(at)) {
            *place = hash(block);
        }
    }
}

fn hash_of_hashes(hashes: &[[u8; HASH]]) -> [u8; HASH] {
    let mut block = [0; BLOCK];
    block[..hashes.len() * HASH].copy_from_slice(hashes.as_flattened());
    hash(&block)
}

fn hash(block: &Block) -> [u8; HASH] {
    let mut context = Context::new(&SHA256);
    context.update(&SALT);
    context.update(block);
    let mut hash = [0; HASH];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    /// The tree as its definition says: whole levels, padded, until one block is left.
    fn by_definition(blocks: &[Block]) -> [u8; 32] {
        let salted =
            |block: &[u8]| -> [u8; 32] { Sha256::new().chain_update([0; 32]).chain_update(block).finalize().into() };
        let mut level: Vec<u8> = blocks.concat();
        loop {
            let mut next: Vec<u8> = level.chunks(BLOCK).flat_map(salted).collect();
            next.resize(next.len().next_multiple_of(BLOCK), 0);
            level = next;
            if level.len() == BLOCK {
                return salted(&level);
            }
        }
    }

    #[test]
    fn streaming_gives_the_tree_of_the_definition() {
        for count in [1, 2, 127, 128, 129, 256, 300, 128 * 128, 128 * 128 + 1] {
            let mut blocks: Vec<Block> = (0..count).map(|i| [(i % 253) as u8; BLOCK]).collect();
            let reserved: Vec<usize> = [0, 1, 126, 127, 128, count - 1].into_iter().filter(|n| *n < count).collect();
            let mut tree = Tree::new();
            for (number, block) in blocks.iter().enumerate() {
                if reserved.contains(&number) { tree.reserve() } else { tree.append(block) }
            }
            for number in reserved {
                blocks[number] = [0xee; BLOCK];
                tree.fill(number as u32, &[1; BLOCK]);
                tree.fill(number as u32, &blocks[number]);
            }
            assert_eq!(tree.root(), by_definition(&blocks), "{count} blocks");
        }
    }
}
