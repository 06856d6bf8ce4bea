//! An Open Enclave ELF as its loader sees it: segments, patches, relocations, thread-local storage.
//!
//! The image is never put together in memory: each page is made when it is asked for, so a small hostile file
//! cannot ask for much.

use super::bytes::Bytes;
use super::elf::{Elf, ElfError, Segment, Symbols, TlsSegment};
use super::measure::PAGE;

/// Why a file is not an enclave whose load can be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Not an ELF file that can be loaded.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// A section without which there is no enclave.
    #[error("the ELF file has no section {0}, so it is not an Open Enclave enclave")]
    NoSection(&'static str),
    /// A relocation that the loader refuses.
    #[error("the enclave has a relocation of type {0}, which Open Enclave does not load")]
    Relocation(u32),
}

/// Where thread-local data lie and how much they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tls {
    /// `.tdata`: address, size, alignment.
    pub data: (u64, u64, u64),
    /// `.tbss`: size, alignment.
    pub bss: (u64, u64),
}

impl Tls {
    /// How many pages each thread needs for them, if they are of a sane size.
    pub(super) fn pages(&self) -> Option<u64> {
        let up = |size: u64, align: u64| size.checked_next_multiple_of(align.max(1));
        let size = up(self.data.1, self.data.2)?.checked_add(up(self.bss.0, self.bss.1)?)?;
        Some(size.div_ceil(PAGE))
    }
}

/// The image of an enclave.
pub(super) struct Image<'a> {
    /// The segments by address; no page belongs to two.
    pub segments: Vec<Segment<'a>>,
    /// The entry point.
    pub entry: u64,
    /// The address of `.oeinfo`.
    pub oeinfo_address: u64,
    /// The contents of `.oeinfo`.
    pub oeinfo: &'a [u8],
    /// The relocations, padded to whole pages.
    pub relocations: Vec<u8>,
    tls: Tls,
    tls_segment: Option<TlsSegment>,
    /// The size of all segments, in whole pages.
    pub size: u64,
    symbols: Symbols<'a>,
    all_symbols: Symbols<'a>,
    patches: Vec<(u64, Vec<u8>)>,
}

/// The section in which Open Enclave's enclaves have their settings.
const OEINFO: &str = ".oeinfo";

impl<'a> Image<'a> {
    /// Whether a file has that section.
    pub(super) fn is_enclave(file: &[u8]) -> bool {
        Elf::parse(file).is_ok_and(|elf| elf.section(OEINFO).is_ok_and(|section| section.is_some()))
    }

    /// Reads the ELF file.
    ///
    /// # Errors
    /// [`ImageError`]
    pub(super) fn parse(file: &'a [u8]) -> Result<Self, ImageError> {
        let elf = Elf::parse(file)?;
        let oeinfo = elf.section(OEINFO)?.ok_or(ImageError::NoSection(OEINFO))?;
        let (segments, tls_segment) = elf.segments()?;
        let settings = elf.contents(&oeinfo)?;
        if !segments.iter().any(|segment| holds(segment, oeinfo.address, settings)) {
            return Err(ElfError::Damaged("its section .oeinfo is not what is loaded at its address").into());
        }
        let size = segments.iter().map(|s| s.address + s.size).max().unwrap_or(0).next_multiple_of(PAGE);
        let (symbols, all_symbols) = (Symbols::dynamic(&elf)?, Symbols::all(&elf)?);
        let mut tls = Tls::default();
        if let Some(data) = elf.section(".tdata")? {
            tls.data = (data.address, data.size, data.align);
        }
        if let Some(bss) = elf.section(".tbss")? {
            tls.bss = (bss.size, bss.align);
        }
        if let Some(segment) = tls_segment
            && (segment.size != tls.data.1 || tls.data.0 != 0 && segment.address != tls.data.0)
        {
            return Err(ElfError::Damaged("its thread-local data are not those of its thread-local segment").into());
        }
        Ok(Self {
            entry: elf.entry,
            oeinfo_address: oeinfo.address,
            oeinfo: settings,
            relocations: relocations(&elf, &symbols)?,
            tls,
            tls_segment,
            size,
            segments,
            symbols,
            all_symbols,
            patches: Vec::new(),
        })
    }

    /// Thread-local storage; where both say something, aligned as its segment wants it or as its section does.
    pub(super) fn tls(&self, aligned_as_segment: bool) -> Tls {
        let mut tls = self.tls;
        match self.tls_segment {
            Some(segment) if aligned_as_segment && segment.address == tls.data.0 => tls.data.2 = segment.align,
            _ => {}
        }
        tls
    }

    /// Takes back every patch.
    pub(super) fn restore(&mut self) {
        self.patches.clear();
    }

    /// Lets the ELF header in the loaded image, if it is there, not say where the section headers are.
    pub(super) fn clear_header(&mut self) {
        let begins = |segment: &&Segment| segment.contents.len() >= 64 && segment.contents.starts_with(b"\x7fELF");
        if let Some(address) = self.segments.iter().find(begins).map(|segment| segment.address) {
            self.patch(address + 40, vec![0; 8]);
            self.patch(address + 60, vec![0; 4]);
        }
    }

    /// Lets the loaded image have `bytes` at `address`, as the loader writes them.
    pub(super) fn patch(&mut self, address: u64, bytes: Vec<u8>) {
        self.patches.push((address, bytes));
    }

    /// The address of the symbol `name`, if it is defined here: among the dynamic ones, or among all.
    pub(super) fn symbol(&self, name: &str, dynamic: bool) -> Option<u64> {
        if dynamic { &self.symbols } else { &self.all_symbols }.address(name)
    }

    /// The page at `address`, as it is when the enclave has been loaded.
    pub(super) fn page(&self, address: u64, page: &mut [u8; PAGE as usize]) {
        page.fill(0);
        for segment in &self.segments {
            overlay(page, address, segment.address, segment.contents);
        }
        for (place, bytes) in &self.patches {
            overlay(page, address, *place, bytes);
        }
    }
}

/// Whether `bytes` stand in what the file holds of `segment`, at `address`.
fn holds(segment: &Segment, address: u64, bytes: &[u8]) -> bool {
    let start = address.checked_sub(segment.address).and_then(|start| usize::try_from(start).ok());
    start.and_then(|start| segment.contents.get(start..)?.get(..bytes.len())).is_some_and(|found| found == bytes)
}

/// Copies onto `page` at `address` what of `bytes` at `place` falls into it.
fn overlay(page: &mut [u8; PAGE as usize], address: u64, place: u64, bytes: &[u8]) {
    let start = place.max(address);
    let end = place.saturating_add(bytes.len() as u64).min(address.saturating_add(PAGE));
    if start < end {
        let from = &bytes[(start - place) as usize..(end - place) as usize];
        page[(start - address) as usize..(end - address) as usize].copy_from_slice(from);
    }
}

/// `.rela.dyn` and then `.rela.plt`, with the thread-local ones resolved, padded to whole pages.
fn relocations(elf: &Elf, symbols: &Symbols) -> Result<Vec<u8>, ImageError> {
    let mut all = Vec::new();
    for name in [".rela.dyn", ".rela.plt"] {
        if let Some(section) = elf.section(name)? {
            if section.entry_size != 24 {
                return Err(ElfError::Damaged("its relocations are not 24 bytes each").into());
            }
            all.extend_from_slice(elf.contents(&section)?);
        } else if name == ".rela.dyn" {
            // The loader takes no relocations at all where there is no .rela.dyn.
            return Ok(all);
        }
    }
    for entry in all.chunks_exact_mut(24) {
        let info = Bytes::new("relocation", entry).u64(8).map_err(ElfError::from)?;
        match info as u32 {
            1 | 6 | 7 | 8 => {}
            18 => {
                let value = symbols.value(info >> 32)?;
                entry[16..].copy_from_slice(&value.to_le_bytes());
            }
            other => return Err(ImageError::Relocation(other)),
        }
    }
    all.resize(all.len().next_multiple_of(PAGE as usize), 0);
    Ok(all)
}
