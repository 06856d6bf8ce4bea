//! IGVM files: a guest's memory and first state in one file, and the launch digest that it gives.
//!
//! The format is that of Microsoft's `igvm_defs`; read here, because that crate's own reader stops the program on
//! some files that are not well-formed.

use std::collections::BTreeMap;

use super::digest::{LaunchDigest, PAGE, PageType, padded_sha384};
use crate::digest::SnpMeasurement;
use crate::evidence::snp::report::Policy;

/// The most pages that a file may load (4 GiB).
const MAX_PAGES: u64 = 1 << 20;

/// The most pages of parameters (256 MiB): a few bytes of the file can ask for any number of them.
const MAX_PARAMETER_PAGES: u64 = 1 << 16;

/// Why an IGVM file gives no launch digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IgvmError {
    /// Not an IGVM file.
    #[error("this is no IGVM file of version 1 or 2 for x86-64 with pages of 4096 bytes")]
    NotIgvm,
    /// The header does not fit the file.
    #[error("the IGVM file is damaged: {0}")]
    Damaged(&'static str),
    /// The checksum over the headers.
    #[error("the IGVM file is damaged: its headers have the checksum {found:08x} and state {stated:08x}")]
    Checksum {
        /// What they have.
        found: u32,
        /// What they state.
        stated: u32,
    },
    /// Not made for SNP.
    #[error("the IGVM file does not support SEV-SNP")]
    NotSnp,
    /// Supports SNP in several ways.
    #[error("the IGVM file supports SEV-SNP in several ways, which have several launch digests")]
    Ambiguous,
    /// A part of the format that is not supported.
    #[error("the IGVM file uses {0}, which is not supported here")]
    Unsupported(&'static str),
}

/// What an IGVM file says of its SNP guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgvmMeasurement {
    /// The launch digest.
    pub measurement: SnpMeasurement,
    /// The guest policy that the file asks for.
    pub policy: Policy,
    /// How many virtual processors have a first state in it.
    pub vcpus: u32,
    /// The launch digest that the file's own ID block states, if it has one.
    pub stated: Option<SnpMeasurement>,
}

impl IgvmMeasurement {
    /// Whether its guest can't be debugged by its host, and its ID block, if it has one, states what was computed.
    pub fn is_sound(&self) -> bool {
        !self.policy.debug() && self.stated.is_none_or(|stated| stated == self.measurement)
    }
}

/// Computes the launch digest of an IGVM file.
///
/// # Errors
/// Files that are damaged, not made for SNP, or use what is not supported.
pub fn measure(file: &[u8]) -> Result<IgvmMeasurement, IgvmError> {
    let headers = variable_headers(file)?;
    let mask = snp_mask(headers)?;
    let mut guest =
        Guest { file, digest: LaunchDigest::new(), pages: 0, parameter_pages: 0, vcpus: 0, areas: BTreeMap::new() };
    let (mut policy, mut stated) = (None, None);
    for header in Headers(headers) {
        let header = header?;
        match header.kind {
            GUEST_POLICY if header.is_for(mask, 8)? => policy = policy.or(Some(Policy(header.u64(0)?))),
            SNP_ID_BLOCK if header.is_for(mask, 0)? => stated = header.array(8).ok().map(SnpMeasurement),
            PARAMETER_AREA => {
                guest.areas.insert(header.u32(8)?, header.u64(0)?);
            }
            PAGE_DATA if header.is_for(mask, 8)? => guest.page_data(&header)?,
            PARAMETER_INSERT if header.is_for(mask, 8)? => guest.parameter_insert(&header)?,
            VP_CONTEXT if header.is_for(mask, 8)? => guest.vp_context(&header)?,
            _ => {}
        }
    }
    Ok(IgvmMeasurement {
        policy: policy.ok_or(IgvmError::Damaged("it has no guest policy for SEV-SNP"))?,
        vcpus: guest.vcpus,
        stated,
        measurement: guest.digest.finish(),
    })
}

const SUPPORTED_PLATFORM: u32 = 0x1;
const GUEST_POLICY: u32 = 0x101;
const PARAMETER_AREA: u32 = 0x301;
const PAGE_DATA: u32 = 0x302;
const PARAMETER_INSERT: u32 = 0x303;
const VP_CONTEXT: u32 = 0x304;
const SNP_ID_BLOCK: u32 = 0x30b;

/// The platform type of SEV-SNP in a supported-platform header.
const PLATFORM_SNP: u8 = 2;

/// Checks the fixed header; the variable headers, whose checksum holds.
fn variable_headers(file: &[u8]) -> Result<&[u8], IgvmError> {
    let number = |at: usize| {
        let bytes = file.get(at..at + 4).and_then(|b| b.first_chunk());
        bytes.map(|b| u32::from_le_bytes(*b)).ok_or(IgvmError::NotIgvm)
    };
    if !file.starts_with(b"IGVM") {
        return Err(IgvmError::NotIgvm);
    }
    let fixed_length = match number(4)? {
        1 => 24,
        // Version 2 adds architecture (0 is x86-64) and page size.
        2 if number(24)? == 0 && number(28)? == PAGE as u32 => 32,
        _ => return Err(IgvmError::NotIgvm),
    };
    if number(16)? as usize != file.len() {
        return Err(IgvmError::Damaged("it has another length than its header says"));
    }
    let (start, length) = (number(8)? as usize, number(12)? as usize);
    let headers = start.checked_add(length).and_then(|end| file.get(start..end));
    let headers =
        headers.filter(|_| start >= fixed_length).ok_or(IgvmError::Damaged("its headers lie outside of it"))?;
    let mut fixed = file[..fixed_length].to_vec();
    fixed[20..24].fill(0);
    let (found, stated) = (crc32(&[&fixed, headers]), number(20)?);
    if found == stated { Ok(headers) } else { Err(IgvmError::Checksum { found, stated }) }
}

/// The compatibility mask of the one SNP platform that the file supports.
fn snp_mask(headers: &[u8]) -> Result<u32, IgvmError> {
    let mut mask = None;
    for header in Headers(headers) {
        let header = header?;
        let is_snp = header.kind == SUPPORTED_PLATFORM && header.array::<1>(5)? == [PLATFORM_SNP];
        if is_snp && mask.replace(header.u32(0)?).is_some() {
            return Err(IgvmError::Ambiguous);
        }
    }
    mask.filter(|m| *m != 0).ok_or(IgvmError::NotSnp)
}

struct Header<'a> {
    kind: u32,
    body: &'a [u8],
}

impl Header<'_> {
    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], IgvmError> {
        let bytes = self.body.get(at..).and_then(|b| b.first_chunk());
        bytes.copied().ok_or(IgvmError::Damaged("a header is shorter than its kind wants"))
    }

    fn u16(&self, at: usize) -> Result<u16, IgvmError> {
        self.array(at).map(u16::from_le_bytes)
    }

    fn u32(&self, at: usize) -> Result<u32, IgvmError> {
        self.array(at).map(u32::from_le_bytes)
    }

    fn u64(&self, at: usize) -> Result<u64, IgvmError> {
        self.array(at).map(u64::from_le_bytes)
    }

    /// Whether the header, with its compatibility mask at `at`, is for the platform of `mask`.
    fn is_for(&self, mask: u32, at: usize) -> Result<bool, IgvmError> {
        Ok(self.u32(at)? & mask == mask)
    }
}

/// The variable headers: kind, length, contents padded to eight bytes.
struct Headers<'a>(&'a [u8]);

impl<'a> Iterator for Headers<'a> {
    type Item = Result<Header<'a>, IgvmError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let header = self.split();
        if header.is_none() {
            self.0 = &[];
        }
        Some(header.ok_or(IgvmError::Damaged("a header is cut off")))
    }
}

impl<'a> Headers<'a> {
    fn split(&mut self) -> Option<Header<'a>> {
        let (kind, rest) = self.0.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let length = u32::from_le_bytes(*length) as usize;
        let body = rest.get(..length)?;
        self.0 = rest.get(length.checked_next_multiple_of(8)?..)?;
        Some(Header { kind: u32::from_le_bytes(*kind), body })
    }
}

/// A guest being loaded.
struct Guest<'a> {
    file: &'a [u8],
    digest: LaunchDigest,
    pages: u64,
    parameter_pages: u64,
    vcpus: u32,
    /// Parameter areas that may still be inserted: index and length in bytes.
    areas: BTreeMap<u32, u64>,
}

impl Guest<'_> {
    /// u64 gpa, u32 mask, u32 file offset, u32 flags, u16 data type, u16 reserved.
    fn page_data(&mut self, header: &Header<'_>) -> Result<(), IgvmError> {
        let (gpa, offset, flags, kind) = (header.u64(0)?, header.u32(12)?, header.u32(16)?, header.u16(20)?);
        let (is_2mb, unmeasured, shared) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
        if is_2mb {
            return Err(IgvmError::Unsupported("pages of 2 MB"));
        }
        if flags & !7 != 0 {
            return Err(IgvmError::Unsupported("flags of a page that are not known"));
        }
        if shared {
            return Ok(());
        }
        let (page_type, contents) = match kind {
            0 if unmeasured => (PageType::Unmeasured, [0; 48]),
            0 => (PageType::Normal, padded_sha384(self.data(offset)?)),
            1 => (PageType::Secrets, [0; 48]),
            2 | 3 => (PageType::Cpuid, [0; 48]),
            _ => return Err(IgvmError::Unsupported("a kind of page that is not known")),
        };
        self.page(page_type, gpa, &contents)
    }

    /// u64 gpa, u32 mask, u32 index of the parameter area, which is then used up.
    fn parameter_insert(&mut self, header: &Header<'_>) -> Result<(), IgvmError> {
        let (gpa, index) = (header.u64(0)?, header.u32(12)?);
        let length =
            self.areas.remove(&index).ok_or(IgvmError::Damaged("a parameter area is inserted that is not there"))?;
        let pages = length.div_ceil(PAGE as u64);
        self.parameter_pages = self.parameter_pages.saturating_add(pages);
        if self.parameter_pages > MAX_PARAMETER_PAGES {
            return Err(IgvmError::Damaged("its parameters are larger than 256 MiB"));
        }
        for n in 0..pages {
            let gpa = gpa.checked_add(n * PAGE as u64).ok_or(IgvmError::Damaged("a page lies beyond all memory"))?;
            self.page(PageType::Unmeasured, gpa, &[0; 48])?;
        }
        Ok(())
    }

    /// u64 gpa, u32 mask, u32 file offset, u16 index, u16 reserved; the data are a VMSA page.
    fn vp_context(&mut self, header: &Header<'_>) -> Result<(), IgvmError> {
        let (gpa, offset) = (header.u64(0)?, header.u32(12)?);
        if offset == 0 {
            return Err(IgvmError::Damaged("a virtual processor has no first state"));
        }
        let contents = padded_sha384(self.data(offset)?);
        self.vcpus += 1;
        self.page(PageType::Vmsa, gpa, &contents)
    }

    /// A page of the file; none at offset 0, which means zeros.
    fn data(&self, offset: u32) -> Result<&[u8], IgvmError> {
        if offset == 0 {
            return Ok(&[]);
        }
        let start = offset as usize;
        let page = start.checked_add(PAGE).and_then(|end| self.file.get(start..end));
        page.ok_or(IgvmError::Damaged("a page's data lie outside of it"))
    }

    fn page(&mut self, page_type: PageType, gpa: u64, contents: &[u8; 48]) -> Result<(), IgvmError> {
        if !gpa.is_multiple_of(PAGE as u64) {
            return Err(IgvmError::Damaged("a page does not lie on a page boundary"));
        }
        self.pages += 1;
        if self.pages > MAX_PAGES {
            return Err(IgvmError::Damaged("it loads more than 4 GiB"));
        }
        self.digest.page(page_type, gpa, contents);
        Ok(())
    }
}

/// CRC-32 (IEEE 802.3) of the parts, one after the other.
fn crc32(parts: &[&[u8]]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in parts.iter().copied().flatten() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xedb8_8320 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests;
