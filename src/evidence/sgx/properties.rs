//! `.oeinfo`: what an Open Enclave image says of itself, in the three layouts that its releases have written.

use super::bytes::{Bytes, Short};
use super::sigstruct::SIGSTRUCT_SIZE;

/// The DEBUG bit of an enclave's attributes.
pub(super) const ATTRIBUTE_DEBUG: u64 = 2;

/// Where the fields that moved between releases lie.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// The properties' size, which tells the layouts apart.
    size: u32,
    attributes: u64,
    start: Option<u64>,
    image_info: u64,
    sigstruct: u64,
}

/// Open Enclave 0.17.1 to 0.19; 0.13 to 0.17.0; 0.9 to 0.12.
const LAYOUTS: [Layout; 3] = [
    Layout { size: 1960, attributes: 72, start: Some(88), image_info: 96, sigstruct: 144 },
    Layout { size: 1952, attributes: 72, start: None, image_info: 88, sigstruct: 136 },
    Layout { size: 1920, attributes: 40, start: None, image_info: 56, sigstruct: 104 },
];

/// The enclave's own settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Properties {
    /// The size of the structure in bytes: 1960, 1952 or 1920.
    pub size: u32,
    /// Heap pages, not measured.
    pub heap_pages: u64,
    /// Stack pages of each thread.
    pub stack_pages: u64,
    /// Threads: thread control structures.
    pub threads: u64,
    /// The product id that signing writes into the SIGSTRUCT.
    pub product_id: u16,
    /// The security version that signing writes into the SIGSTRUCT.
    pub security_version: u16,
    /// The attributes' flags; [`ATTRIBUTE_DEBUG`] among them.
    pub attributes: u64,
    /// Where the enclave lies if its address range begins at zero; else its range begins where it is loaded.
    pub zero_base: Option<u64>,
    /// Where in the structure the loader writes the six numbers of the image.
    pub image_info: u64,
    /// Where in the structure the SIGSTRUCT lies.
    pub sigstruct: u64,
}

/// Why bytes are not an Open Enclave image's properties.
#[derive(Debug, thiserror::Error)]
pub enum PropertiesError {
    /// The section is too short.
    #[error("the section .oeinfo is cut short")]
    Short(#[from] Short),
    /// No known release writes this size.
    #[error("the section .oeinfo has a layout of {0} bytes; the known ones have 1960, 1952 and 1920")]
    Layout(u32),
    /// Another kind of enclave.
    #[error("the section .oeinfo is of enclave type {0}; an SGX enclave's type is 2")]
    Type(u32),
}

/// What stands where a setting is to be given when the enclave is signed.
const UNSET: u64 = 65535;

impl Properties {
    /// Whether the sizes are still to be given, as in an enclave that was built without settings of its own.
    pub fn are_unset(&self) -> bool {
        [self.heap_pages, self.stack_pages, self.threads].iter().filter(|size| **size == UNSET).count() > 1
    }

    /// Reads the section `.oeinfo`; gives the SIGSTRUCT's bytes too, all zero if the enclave is not signed.
    ///
    /// # Errors
    /// [`PropertiesError`]
    pub fn parse(section: &[u8]) -> Result<(Self, [u8; SIGSTRUCT_SIZE]), PropertiesError> {
        let bytes = Bytes::new("section .oeinfo", section);
        let size = bytes.u32(0)?;
        let layout = LAYOUTS.iter().find(|l| l.size == size).ok_or(PropertiesError::Layout(size))?;
        let kind = bytes.u32(4)?;
        if kind != 2 {
            return Err(PropertiesError::Type(kind));
        }
        let zero_base = match layout.start {
            Some(start) if bytes.u32(36)? & 2 != 0 => Some(bytes.u64(start)?),
            _ => None,
        };
        let properties = Self {
            size,
            heap_pages: bytes.u64(8)?,
            stack_pages: bytes.u64(16)?,
            threads: bytes.u64(24)?,
            product_id: bytes.u16(32)?,
            security_version: bytes.u16(34)?,
            attributes: bytes.u64(layout.attributes)?,
            zero_base,
            image_info: layout.image_info,
            sigstruct: layout.sigstruct,
        };
        Ok((properties, bytes.array(layout.sigstruct)?))
    }
}
