//! The ext4 image of a layer, laid out as hcsshim's compact writer does.
//!
//! In this order: superblock and group descriptors; the data of files as they come, each with its blocks of extended attributes
//! before and of extents after; directories; the inode table; bitmaps. Nothing of it depends on when or where it is made.

mod directory;
mod disk;
mod extents;
mod file;
mod groups;
mod inode;
mod system;
mod xattr;

pub(super) use file::{File, Path, type_bits};
pub(super) use system::FileSystem;
