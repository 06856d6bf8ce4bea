//! The layers of a container image, as Azure's confidential containers measure them.
//!
//! The utility virtual machine mounts each layer of an image as a read-only disk, protected by dm-verity, and the security policy
//! lists the disks' root hashes. The disk is an ext4 image that hcsshim's `tar2ext4` makes from the layer's tar archive. Whoever
//! has the image that was built can make the same disk, and see whether the policy names it.
//!
//! A layer goes one way: `tar` reads its entries as Go's `archive/tar` does, `convert` turns them into files as `tar2ext4`
//! does, `ext4` lays the files out on a disk, and `verity` hashes the disk's blocks as they come. The disk is never held:
//! of its data only the hashes of 512 KiB each are kept.

mod convert;
mod ext4;
pub mod image;
mod source;
mod tar;
mod verity;

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use crate::digest::{HexError, hex_bytes};

pub use convert::measure;

hex_bytes! {
    /// The dm-verity root hash of a layer's disk: 32 bytes (SHA-256), what a security policy lists under `layers`.
    LayerHash, 32, "layer hash"
}

hex_bytes! {
    /// SHA-256 of a layer's uncompressed tar archive, of a compressed layer, or of an image's configuration.
    Sha256, 32, "SHA-256 digest"
}

/// What a layer's archive is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Layer {
    /// What a security policy lists.
    pub hash: LayerHash,
    /// SHA-256 of the uncompressed archive: the `diff_id` by which an image's configuration names the layer.
    pub diff_id: Sha256,
    /// SHA-256 of the bytes that were read, compressed or not: the digest by which an image's manifest names the layer.
    pub digest: Sha256,
    /// Whether this looks like an archive of whole images, so that nobody will run it as a layer.
    #[serde(skip)]
    pub holds_images: bool,
}

/// Why there is no layer hash.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// It could not be read.
    #[error("cannot read the layer")]
    Read(#[from] io::Error),
    /// The archive ends in the middle of something.
    #[error("the tar archive is cut off")]
    CutOff,
    /// It is no tar archive, or a damaged one.
    #[error("this is not a tar archive, or it is damaged: no entry begins at byte {at} ({what})")]
    Header {
        /// Where the entry begins in the uncompressed archive.
        at: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// It is compressed in a way that is not read.
    #[error("the layer is compressed with {0}: unpack it first")]
    Compression(&'static str),
    /// An entry that the platform's conversion refuses, or that has no certain outcome there.
    #[error("{path}: {what}")]
    Entry {
        /// The entry's name; bytes that are not UTF-8 are replaced.
        path: String,
        /// Why it has no place on the disk.
        what: &'static str,
    },
    /// More than a disk can hold.
    #[error("the layer does not fit on a disk of 128 GiB")]
    TooLarge,
    /// More files than any image has.
    #[error("the layer has more than {0} files")]
    TooManyFiles(usize),
}

impl LayerError {
    fn entry(path: &[u8], what: &'static str) -> Self {
        const SHOWN: usize = 300;
        let mut text = String::from_utf8_lossy(&path[..path.len().min(SHOWN)]).into_owned();
        if path.len() > SHOWN {
            text.push('…');
        }
        Self::Entry { path: text, what }
    }
}

#[cfg(test)]
pub(crate) mod tests;
