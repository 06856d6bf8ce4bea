//! The headers of an IGVM file: a fixed one, and then any number of variable ones with a checksum over all.

use super::IgvmError;
use crate::evidence::snp::launch::digest::PAGE;

/// The kind of the headers that name the platforms which a file supports.
pub(super) const SUPPORTED_PLATFORM: u32 = 0x1;

/// The platform type of SEV-SNP in a supported-platform header.
pub(super) const PLATFORM_SNP: u8 = 2;

/// Checks the fixed header; the variable headers, whose checksum holds.
pub(super) fn variable_headers(file: &[u8]) -> Result<&[u8], IgvmError> {
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
pub(super) fn snp_mask(headers: &[u8]) -> Result<u32, IgvmError> {
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

/// One variable header.
pub(super) struct Header<'a> {
    /// What it is of.
    pub kind: u32,
    body: &'a [u8],
}

impl Header<'_> {
    /// `N` bytes at `at`.
    pub(super) fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], IgvmError> {
        let bytes = self.body.get(at..).and_then(|b| b.first_chunk());
        bytes.copied().ok_or(IgvmError::Damaged("a header is shorter than its kind wants"))
    }

    /// A little-endian number at `at`.
    pub(super) fn u16(&self, at: usize) -> Result<u16, IgvmError> {
        self.array(at).map(u16::from_le_bytes)
    }

    /// A little-endian number at `at`.
    pub(super) fn u32(&self, at: usize) -> Result<u32, IgvmError> {
        self.array(at).map(u32::from_le_bytes)
    }

    /// A little-endian number at `at`.
    pub(super) fn u64(&self, at: usize) -> Result<u64, IgvmError> {
        self.array(at).map(u64::from_le_bytes)
    }

    /// Whether the header, with its compatibility mask at `at`, is for the platform of `mask`.
    pub(super) fn is_for(&self, mask: u32, at: usize) -> Result<bool, IgvmError> {
        Ok(self.u32(at)? & mask == mask)
    }
}

/// The variable headers: kind, length, contents padded to eight bytes.
pub(super) struct Headers<'a>(pub &'a [u8]);

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

/// CRC-32 (IEEE 802.3) of the parts, one after the other.
pub(super) fn crc32(parts: &[&[u8]]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in parts.iter().copied().flatten() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xedb8_8320 };
        }
    }
    !crc
}
