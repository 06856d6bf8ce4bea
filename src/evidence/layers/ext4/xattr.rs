//! Extended attributes: beside the inode while there is room, then in one block of their own.

use std::collections::BTreeMap;

use super::super::verity::{BLOCK, Block};
use super::inode::EXTRA;

const MAGIC: u32 = 0xea02_0000;

/// What follows the magic number beside an inode, and a block's header: entries from the front, values from the back, and between
/// them at least four zeros.
const INLINE: usize = EXTRA - 4;
const BLOCK_HEADER: usize = 32;
const END: usize = 4;

/// The prefixes that have numbers, in the order in which they are looked for.
const PREFIXES: [(u8, &[u8]); 7] = [
    (2, b"system.posix_acl_access"),
    (3, b"system.posix_acl_default"),
    (8, b"system.richacl"),
    (7, b"system."),
    (1, b"user."),
    (4, b"trusted."),
    (6, b"security."),
];

/// The attributes of an inode.
#[derive(Clone, Debug, Default)]
pub(super) struct Xattrs {
    inline: Vec<Xattr>,
    block: Vec<Xattr>,
}

#[derive(Clone, Debug)]
struct Xattr {
    prefix: u8,
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Xattrs {
    /// Places attributes, in the order of their names; or says why they have no place.
    pub(super) fn place(all: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<Self, &'static str> {
        let mut placed = Self::default();
        let (mut inline_left, mut block_left) = (INLINE - END, BLOCK - BLOCK_HEADER - END);
        for (name, value) in all {
            let xattr = Xattr::new(name, value);
            if xattr.name.len() > 255 {
                return Err("the name of an extended attribute is longer than 255 bytes");
            }
            let size = xattr.entry_size() + xattr.value_size();
            if size <= inline_left {
                inline_left -= size;
                placed.inline.push(xattr);
            } else if size <= block_left {
                block_left -= size;
                placed.block.push(xattr);
            } else {
                return Err("its extended attributes do not fit");
            }
        }
        placed.sort_block().ok_or("the order of its extended attributes is not certain")?;
        Ok(placed)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inline.is_empty() && self.block.is_empty()
    }

    /// Whether a block is needed.
    pub(super) fn needs_block(&self) -> bool {
        !self.block.is_empty()
    }

    /// What the writer reads back of the attributes beside the inode.
    pub(super) fn read_inline(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        read_back(&self.inline)
    }

    /// What the writer reads back of all attributes.
    pub(super) fn read_all(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut all = read_back(&self.block);
        all.extend(self.read_inline());
        all
    }

    /// What stands beside the inode.
    pub(super) fn inline_bytes(&self) -> [u8; EXTRA] {
        let mut bytes = [0; EXTRA];
        if !self.inline.is_empty() {
            bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
            put(&self.inline, &mut bytes[4..], 0);
        }
        bytes
    }

    /// The block of attributes.
    pub(super) fn block_bytes(&self) -> Block {
        let mut bytes = [0; BLOCK];
        bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[4..8].copy_from_slice(&1u32.to_le_bytes());
        bytes[8..12].copy_from_slice(&1u32.to_le_bytes());
        put(&self.block, &mut bytes[BLOCK_HEADER..], BLOCK_HEADER);
        bytes
    }

    /// Sorts the block's attributes as the original does: by a comparison that contradicts itself for some pairs, so that the
    /// outcome depends on the way of sorting. Up to twelve go by insertion. For more, only an order on which every way of sorting
    /// must agree is accepted.
    fn sort_block(&mut self) -> Option<()> {
        const BY_INSERTION: usize = 12;
        let list = &mut self.block;
        for end in 1..list.len() {
            let mut at = end;
            while at > 0 && list[at].before(&list[at - 1]) {
                list.swap(at, at - 1);
                at -= 1;
            }
        }
        let pairs = || (0..list.len()).flat_map(|i| (i + 1..list.len()).map(move |j| (i, j)));
        let certain =
            list.len() <= BY_INSERTION || pairs().all(|(i, j)| list[i].before(&list[j]) && !list[j].before(&list[i]));
        certain.then_some(())
    }
}

impl Xattr {
    fn new(name: &[u8], value: &[u8]) -> Self {
        let (prefix, name) =
            PREFIXES.iter().find_map(|(index, text)| Some((*index, name.strip_prefix(*text)?))).unwrap_or((0, name));
        Self { prefix, name: name.to_vec(), value: value.to_vec() }
    }

    fn full_name(&self) -> Vec<u8> {
        let prefix = PREFIXES.iter().find(|(index, _)| *index == self.prefix).map_or(&b""[..], |(_, text)| text);
        [prefix, &self.name].concat()
    }

    fn before(&self, other: &Self) -> bool {
        self.prefix < other.prefix || self.name.len() < other.name.len() || self.name < other.name
    }

    fn entry_size(&self) -> usize {
        16 + self.name.len().next_multiple_of(4)
    }

    fn value_size(&self) -> usize {
        self.value.len().next_multiple_of(4)
    }

    fn hash(&self) -> u32 {
        let of_name = self.name.iter().fold(0, |hash: u32, b| hash << 5 ^ hash >> 27 ^ u32::from(*b));
        self.value.chunks(4).fold(of_name, |hash, chunk| {
            let mut word = [0; 4];
            word[..chunk.len()].copy_from_slice(chunk);
            hash << 16 ^ hash >> 16 ^ u32::from_le_bytes(word)
        })
    }
}

/// Entries from the front, values from the back; values' places are counted from `shift` bytes before.
fn put(xattrs: &[Xattr], bytes: &mut [u8], shift: usize) {
    let (mut entry, mut value) = (0, bytes.len());
    for xattr in xattrs {
        value -= xattr.value_size();
        let head = &mut bytes[entry..];
        head[0] = xattr.name.len() as u8;
        head[1] = xattr.prefix;
        head[2..4].copy_from_slice(&((value + shift) as u16).to_le_bytes());
        head[8..12].copy_from_slice(&(xattr.value.len() as u32).to_le_bytes());
        head[12..16].copy_from_slice(&xattr.hash().to_le_bytes());
        head[16..][..xattr.name.len()].copy_from_slice(&xattr.name);
        bytes[value..][..xattr.value.len()].copy_from_slice(&xattr.value);
        entry += xattr.entry_size();
    }
}

/// An entry without a name ends the list for whoever reads it back; an access control list is such an entry.
fn read_back(xattrs: &[Xattr]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    xattrs.iter().take_while(|x| !x.name.is_empty()).map(|x| (x.full_name(), x.value.clone())).collect()
}
