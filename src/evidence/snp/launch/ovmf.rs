//! OVMF firmware: the table of GUIDs at its end, and the memory that it wants laid out for SEV.

use super::digest::PAGE;

/// The largest firmware that is read: 64 MiB.
pub(super) const MAX_OVMF: usize = 64 << 20;

/// The most sections, and the most pages of all sections together (256 MiB; real ones have about 1 MiB).
const MAX_SECTIONS: usize = 256;
const MAX_PAGES: u64 = 1 << 16;

const TABLE_FOOTER: [u8; 16] = *b"\xde\x82\xb5\x96\xb2\x1f\xf7\x45\xba\xea\xa3\x66\xc5\x5a\x08\x2d";
const HASHES_TABLE: [u8; 16] = *b"\x1f\x37\x55\x72\x3b\x3a\x04\x4b\x92\x7b\x1d\xa6\xef\xa8\xd4\x54";
const RESET_BLOCK: [u8; 16] = *b"\xde\x71\xf7\x00\x7e\x1a\xcb\x4f\x89\x0e\x68\xc7\x7e\x2f\xb4\x4e";
const METADATA: [u8; 16] = *b"\x66\x65\x88\xdc\x4a\x98\x98\x47\xa7\x5e\x55\x85\xa7\xbf\x67\xcc";

/// An entry of the table, or its footer: a length, then a GUID.
const ENTRY: usize = 2 + 16;

/// Why firmware cannot be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OvmfError {
    /// Not as large as a firmware volume is.
    #[error("it is {0} bytes long; firmware is whole pages of 4096 bytes, at most {MAX_OVMF} bytes")]
    Size(usize),
    /// No table of GUIDs at its end.
    #[error("it has no table of GUIDs at its end: this is not an OVMF build with SEV")]
    NoTable,
    /// A table or entry that does not fit.
    #[error("its table of GUIDs is damaged")]
    Table,
    /// No SEV metadata.
    #[error("its table has no SEV metadata: it was not built for SEV-SNP")]
    NoMetadata,
    /// SEV metadata that cannot be read.
    #[error("its SEV metadata are damaged: {0}")]
    Metadata(&'static str),
    /// Nothing says where further processors start.
    #[error("its table does not say where processors after the first one start")]
    NoResetBlock,
    /// Nothing says where the kernel's hashes go, or they do not fit there.
    #[error("its table does not say where the kernel's hashes go, or they do not fit there")]
    HashesTable,
}

/// What a stretch of memory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SectionType {
    /// Memory that the firmware uses at once.
    SecMemory,
    /// The secrets page.
    Secrets,
    /// The CPUID page.
    Cpuid,
    /// The calling area of an SVSM.
    SvsmCaa,
    /// The hashes of kernel, initrd and command line.
    KernelHashes,
}

/// A stretch of memory that is laid out before the guest starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Section {
    /// Guest-physical address.
    pub(super) gpa: u64,
    /// Length in pages.
    pub(super) pages: u32,
    /// What for.
    pub(super) kind: SectionType,
}

/// The tables of a firmware.
#[derive(Clone, Debug)]
pub(super) struct Ovmf {
    gpa: u64,
    reset_eip: Option<u32>,
    hashes_table: Option<u32>,
    sections: Vec<Section>,
}

impl Ovmf {
    /// Reads the tables of `firmware`, the whole file.
    ///
    /// # Errors
    /// Firmware without tables, or with damaged ones.
    pub(super) fn parse(firmware: &[u8]) -> Result<Self, OvmfError> {
        if firmware.is_empty() || firmware.len() > MAX_OVMF || !firmware.len().is_multiple_of(PAGE) {
            return Err(OvmfError::Size(firmware.len()));
        }
        let mut ovmf =
            Self { gpa: (1 << 32) - firmware.len() as u64, reset_eip: None, hashes_table: None, sections: Vec::new() };
        let mut metadata = None;
        for entry in entries(firmware)? {
            let (guid, data) = entry?;
            let number = data.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
            // An entry that stands twice counts as the one nearer to the file's beginning, which is read last.
            match *guid {
                RESET_BLOCK => ovmf.reset_eip = Some(number.ok_or(OvmfError::Table)?),
                HASHES_TABLE => ovmf.hashes_table = Some(number.ok_or(OvmfError::Table)?),
                METADATA => metadata = Some(number.ok_or(OvmfError::Table)?),
                _ => {}
            }
        }
        ovmf.sections = sections(firmware, metadata.ok_or(OvmfError::NoMetadata)?)?;
        Ok(ovmf)
    }

    /// Where the firmware lies: it ends at 4 GiB.
    pub(super) fn gpa(&self) -> u64 {
        self.gpa
    }

    /// The memory to lay out, in order.
    pub(super) fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Where processors after the first one start.
    ///
    /// # Errors
    /// [`OvmfError::NoResetBlock`] if the firmware does not say.
    pub(super) fn reset_eip(&self) -> Result<u32, OvmfError> {
        self.reset_eip.ok_or(OvmfError::NoResetBlock)
    }

    /// Where in its page the table of the kernel's hashes lies.
    pub(super) fn hashes_table_offset(&self) -> Result<usize, OvmfError> {
        match self.hashes_table {
            None | Some(0) => Err(OvmfError::HashesTable),
            Some(gpa) => Ok(gpa as usize % PAGE),
        }
    }
}

/// The table's entries from the last to the first: GUID and data.
type Entry<'a> = Result<(&'a [u8; 16], &'a [u8]), OvmfError>;

fn entries(firmware: &[u8]) -> Result<impl Iterator<Item = Entry<'_>>, OvmfError> {
    // The table ends 32 bytes before the firmware does; its last entry, the footer, has the length of all.
    let end = firmware.len().checked_sub(32).ok_or(OvmfError::NoTable)?;
    let (before, length, guid) = last_entry(&firmware[..end]).ok_or(OvmfError::NoTable)?;
    if *guid != TABLE_FOOTER {
        return Err(OvmfError::NoTable);
    }
    let length = length.checked_sub(ENTRY).ok_or(OvmfError::Table)?;
    let start = before.len().checked_sub(length).ok_or(OvmfError::Table)?;
    let mut table = &before[start..];
    Ok(std::iter::from_fn(move || {
        let (before, length, guid) = last_entry(table)?;
        let start = length.checked_sub(ENTRY).and_then(|data| before.len().checked_sub(data));
        let Some(start) = start else {
            table = &[];
            return Some(Err(OvmfError::Table));
        };
        let (rest, data) = before.split_at(start);
        table = rest;
        Some(Ok((guid, data)))
    }))
}

/// Splits off the length and GUID at the end of `table`; what is before them, and they.
fn last_entry(table: &[u8]) -> Option<(&[u8], usize, &[u8; 16])> {
    let (rest, guid) = table.split_last_chunk::<16>()?;
    let (before, length) = rest.split_last_chunk::<2>()?;
    Some((before, usize::from(u16::from_le_bytes(*length)), guid))
}

fn sections(firmware: &[u8], offset_from_end: u32) -> Result<Vec<Section>, OvmfError> {
    let damaged = OvmfError::Metadata;
    let start = firmware.len().checked_sub(offset_from_end as usize).ok_or(damaged("they lie outside"))?;
    let header = firmware[start..].first_chunk::<16>().ok_or(damaged("they are cut off"))?;
    let (signature, numbers) = header.split_at(4);
    let number = |n: usize| numbers[4 * n..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
    let (length, version, count) = (number(0) as usize, number(1), number(2) as usize);
    if signature != b"ASEV" || version != 1 {
        return Err(damaged("they are not of version 1"));
    }
    let items = firmware[start..].get(16..length).ok_or(damaged("they are cut off"))?;
    if count > MAX_SECTIONS || items.len() < count * 12 {
        return Err(damaged("they have another number of sections than they say"));
    }
    let mut sections = Vec::with_capacity(count);
    let mut pages = 0;
    for item in items.chunks_exact(12).take(count) {
        let number = |n: usize| item[4 * n..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let (gpa, size, kind) = (number(0), number(1), number(2));
        let kind = match kind {
            1 => SectionType::SecMemory,
            2 => SectionType::Secrets,
            3 => SectionType::Cpuid,
            4 => SectionType::SvsmCaa,
            0x10 => SectionType::KernelHashes,
            _ => return Err(damaged("they have a section of an unknown kind")),
        };
        if !(size as usize).is_multiple_of(PAGE) {
            return Err(damaged("a section is not whole pages long"));
        }
        if kind == SectionType::KernelHashes && size as usize != PAGE {
            return Err(damaged("the section of the kernel's hashes is not one page long"));
        }
        let count = size / PAGE as u32;
        pages += u64::from(count);
        if pages > MAX_PAGES {
            return Err(damaged("their sections are larger than 256 MiB"));
        }
        sections.push(Section { gpa: u64::from(gpa), pages: count, kind });
    }
    Ok(sections)
}
