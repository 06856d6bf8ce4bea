//! IGVM files: a guest's memory and first state in one file, and the launch digest that it gives.
//!
//! The format is that of Microsoft's `igvm_defs`; read here, because that crate's own reader stops the program on
//! some files that are not well-formed.

mod headers;

use std::collections::BTreeMap;

use self::headers::{Header, Headers, snp_mask, variable_headers};
use super::digest::{LaunchDigest, PAGE, PageType, padded_sha384};
use crate::check::{Checks, Verdict};
use crate::digest::SnpMeasurement;
use crate::evidence::snp::GuestPolicy;

/// The most pages that a file may load (4 GiB).
const MAX_PAGES: u64 = 1 << 20;

/// The most pages of parameters (256 MiB): a few bytes of the file can ask for any number of them.
const MAX_PARAMETER_PAGES: u64 = 1 << 16;

/// Why an IGVM file gives no launch digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IgvmError {
    /// Not an IGVM file.
    #[error("this is not an IGVM file of version 1 or 2 for x86-64 with pages of 4096 bytes")]
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
    pub policy: GuestPolicy,
    /// How many virtual processors have a first state in it.
    pub vcpus: u32,
    /// The launch digest that the file's own ID block states, if it has one.
    pub stated: Option<SnpMeasurement>,
}

impl IgvmMeasurement {
    /// Whether its guest cannot be debugged by its host, and its ID block, if it has one, states what was computed.
    pub fn is_sound(&self) -> bool {
        self.checks().iter().all(|check| check.verdict == Verdict::Pass)
    }

    /// What its own statements come to: no checks if it makes none and may not be debugged.
    pub fn checks(&self) -> Checks {
        let mut checks = Checks::new();
        if let Some(stated) = self.stated {
            let detail = format!("computed {}, the file's ID block states {stated}", self.measurement);
            checks.require("id-block", stated == self.measurement, detail);
        }
        if self.policy.debug() {
            checks.fail("debug", "the file asks for a guest that its host may debug: never register it");
        }
        checks
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
            GUEST_POLICY if header.is_for(mask, 8)? => {
                once(&mut policy, GuestPolicy(header.u64(0)?), "it has two guest policies for SEV-SNP")?;
            }
            SNP_ID_BLOCK if header.is_for(mask, 0)? => {
                once(&mut stated, SnpMeasurement(header.array(8)?), "it has two ID blocks for SEV-SNP")?;
            }
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

/// Puts `value` into its empty place.
fn once<T>(place: &mut Option<T>, value: T, twice: &'static str) -> Result<(), IgvmError> {
    if place.replace(value).is_some() { Err(IgvmError::Damaged(twice)) } else { Ok(()) }
}

const GUEST_POLICY: u32 = 0x101;
const PARAMETER_AREA: u32 = 0x301;
const PAGE_DATA: u32 = 0x302;
const PARAMETER_INSERT: u32 = 0x303;
const VP_CONTEXT: u32 = 0x304;
const SNP_ID_BLOCK: u32 = 0x30b;

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

#[cfg(test)]
mod tests;
