//! An Open Enclave ELF as its loader sees it: segments, patches, relocations, thread-local storage.
//!
//! The image is never put together in memory: each page is made when it is asked for, so a small hostile file
//! cannot ask for much.

use super::bytes::{Bytes, Short};
use super::measure::PAGE;

/// More sections or segments than this are refused.
const MAX_SECTIONS: u16 = 4096;
const MAX_SEGMENTS: u16 = 256;

/// Why a file is not an enclave whose load can be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Something lies beyond the end.
    #[error("the ELF file is damaged")]
    Short(#[from] Short),
    /// Not a 64-bit little-endian x86-64 shared object.
    #[error("this is not a 64-bit x86-64 ELF file that can be loaded")]
    NotElf,
    /// A section without which there is no enclave.
    #[error("the ELF file has no section {0}, so it is no Open Enclave enclave")]
    NoSection(&'static str),
    /// Something that no linker writes.
    #[error("the ELF file is damaged: {0}")]
    Damaged(&'static str),
    /// A relocation that the loader refuses.
    #[error("the enclave has a relocation of type {0}, which Open Enclave does not load")]
    Relocation(u32),
    /// An image with modules beside it.
    #[error("the enclave needs the module {0:?}, and enclaves of several modules cannot be measured here")]
    Module(String),
}

/// A PT_LOAD segment.
#[derive(Clone, Debug)]
pub struct Segment<'a> {
    /// The address of its first byte.
    pub address: u64,
    /// How long it is in memory.
    pub size: u64,
    /// PF_X 1, PF_W 2, PF_R 4.
    pub flags: u32,
    contents: &'a [u8],
}

/// Where thread-local data lie and how much they take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tls {
    /// `.tdata`: address, size, alignment.
    pub data: (u64, u64, u64),
    /// `.tbss`: size, alignment.
    pub bss: (u64, u64),
}

impl Tls {
    /// How many pages each thread needs for them, if they are of a sane size.
    pub fn pages(&self) -> Option<u64> {
        let up = |size: u64, align: u64| size.checked_next_multiple_of(align.max(1));
        let size = up(self.data.1, self.data.2)?.checked_add(up(self.bss.0, self.bss.1)?)?;
        Some(size.div_ceil(PAGE))
    }
}

/// The image of an enclave.
pub struct Image<'a> {
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
    /// Thread-local storage.
    pub tls: Tls,
    /// The size of all segments, in whole pages.
    pub size: u64,
    symbols: Symbols<'a>,
    patches: Vec<(u64, Vec<u8>)>,
}

/// The section in which Open Enclave's enclaves have their settings.
const OEINFO: &str = ".oeinfo";

impl<'a> Image<'a> {
    /// Whether a file has that section.
    pub fn is_enclave(file: &[u8]) -> bool {
        Elf::parse(file).is_ok_and(|elf| elf.section(OEINFO).is_ok_and(|section| section.is_some()))
    }

    /// Reads the ELF file.
    ///
    /// # Errors
    /// [`ImageError`]
    pub fn parse(file: &'a [u8]) -> Result<Self, ImageError> {
        let elf = Elf::parse(file)?;
        let oeinfo = elf.section(OEINFO)?.ok_or(ImageError::NoSection(OEINFO))?;
        let (segments, tls_segment) = elf.segments()?;
        let size = segments.iter().map(|s| s.address + s.size).max().unwrap_or(0).next_multiple_of(PAGE);
        let symbols = Symbols::read(&elf)?;
        let mut tls = Tls::default();
        if let Some(data) = elf.section(".tdata")? {
            tls.data = (data.address, data.size, data.align);
        }
        if let Some(bss) = elf.section(".tbss")? {
            tls.bss = (bss.size, bss.align);
        }
        if let Some(align) = tls_segment {
            tls.data.2 = align;
        }
        Ok(Self {
            entry: elf.entry,
            oeinfo_address: oeinfo.address,
            oeinfo: elf.contents(&oeinfo)?,
            relocations: relocations(&elf, &symbols)?,
            tls,
            size,
            segments,
            symbols,
            patches: Vec::new(),
        })
    }

    /// Lets the loaded image have `bytes` at `address`, as the loader writes them.
    pub fn patch(&mut self, address: u64, bytes: Vec<u8>) {
        self.patches.push((address, bytes));
    }

    /// Writes `value` where the 8-byte dynamic symbol `name` lies, if there is one.
    pub fn patch_symbol(&mut self, name: &str, value: u64) {
        if let Some(address) = self.symbols.address(name) {
            self.patch(address, value.to_le_bytes().to_vec());
        }
    }

    /// The address of the dynamic symbol `name`, if it is defined here.
    pub fn symbol(&self, name: &str) -> Option<u64> {
        self.symbols.address(name)
    }

    /// The page at `address`, as it is when the enclave has been loaded.
    pub fn page(&self, address: u64, page: &mut [u8; PAGE as usize]) {
        page.fill(0);
        for segment in &self.segments {
            overlay(page, address, segment.address, segment.contents);
        }
        for (place, bytes) in &self.patches {
            overlay(page, address, *place, bytes);
        }
    }
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
                return Err(ImageError::Damaged("its relocations are not 24 bytes each"));
            }
            all.extend_from_slice(elf.contents(&section)?);
        } else if name == ".rela.dyn" {
            // The loader takes no relocations at all where there is no .rela.dyn.
            return Ok(all);
        }
    }
    for entry in all.chunks_exact_mut(24) {
        let info = Bytes::new("relocation", entry).u64(8)?;
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

struct Section {
    name: u32,
    address: u64,
    offset: u64,
    size: u64,
    align: u64,
    entry_size: u64,
    kind: u32,
    link: u32,
}

struct Elf<'a> {
    file: Bytes<'a>,
    entry: u64,
    sections: Vec<Section>,
    names: &'a [u8],
    program_headers: (u64, u16),
}

const SHT_NOBITS: u32 = 8;
const SHT_DYNSYM: u32 = 11;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_TLS: u32 = 7;
const DT_NEEDED: u64 = 1;

impl<'a> Elf<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let file = Bytes::new("ELF file", bytes);
        let ident = [0x7f, b'E', b'L', b'F', 2, 1];
        // 2 executable, 3 shared object; 62 x86-64.
        if !bytes.starts_with(&ident) || !matches!(file.u16(16)?, 2 | 3) || file.u16(18)? != 62 {
            return Err(ImageError::NotElf);
        }
        let count = file.u16(60)?;
        if file.u16(58)? != 64 || file.u16(54)? != 56 || count > MAX_SECTIONS || file.u16(56)? > MAX_SEGMENTS {
            return Err(ImageError::Damaged("its headers have another size, or there are too many"));
        }
        let table = file.u64(40)?;
        let mut sections = Vec::new();
        for i in 0..u64::from(count) {
            let at = Bytes::new("ELF section header", file.slice(table.saturating_add(i * 64), 64)?);
            sections.push(Section {
                name: at.u32(0)?,
                kind: at.u32(4)?,
                address: at.u64(16)?,
                offset: at.u64(24)?,
                size: at.u64(32)?,
                link: at.u32(40)?,
                align: at.u64(48)?,
                entry_size: at.u64(56)?,
            });
        }
        let names =
            sections.get(usize::from(file.u16(62)?)).ok_or(ImageError::Damaged("its sections have no names"))?;
        let names = file.slice(names.offset, names.size)?;
        let program_headers = (file.u64(32)?, file.u16(56)?);
        Ok(Self { entry: file.u64(24)?, file, sections, names, program_headers })
    }

    fn section(&self, name: &str) -> Result<Option<Section>, ImageError> {
        let mut found = self.sections.iter().filter(|s| string(self.names, s.name) == name.as_bytes());
        let first = found.next();
        if found.next().is_some() {
            return Err(ImageError::Damaged("two of its sections have one name"));
        }
        Ok(first.map(|s| Section { ..*s }))
    }

    fn contents(&self, section: &Section) -> Result<&'a [u8], ImageError> {
        if section.kind == SHT_NOBITS {
            return Err(ImageError::Damaged("a section that must have contents has none"));
        }
        Ok(self.file.slice(section.offset, section.size)?)
    }

    /// The segments by address, and the alignment of the thread-local one.
    fn segments(&self) -> Result<(Vec<Segment<'a>>, Option<u64>), ImageError> {
        let (mut segments, mut tls) = (Vec::new(), None);
        for i in 0..u64::from(self.program_headers.1) {
            let at = self.program_headers.0.saturating_add(i * 56);
            let header = Bytes::new("ELF program header", self.file.slice(at, 56)?);
            let (offset, address) = (header.u64(8)?, header.u64(16)?);
            let (file_size, size) = (header.u64(32)?, header.u64(40)?);
            match header.u32(0)? {
                PT_LOAD => {
                    // A terabyte is beyond any enclave, and far from overflowing.
                    if file_size > size || address.max(size) > 1 << 40 {
                        return Err(ImageError::Damaged("a segment has an impossible size"));
                    }
                    let contents = self.file.slice(offset, file_size)?;
                    segments.push(Segment { address, size, flags: header.u32(4)?, contents });
                }
                PT_TLS => tls = Some(header.u64(48)?),
                PT_DYNAMIC => self.refuse_modules(self.file.slice(offset, file_size)?)?,
                _ => {}
            }
        }
        segments.sort_by_key(|s| s.address);
        if segments.first().is_none_or(|s| s.address != 0) {
            return Err(ImageError::Damaged("its first segment does not begin at address zero"));
        }
        let apart = |pair: &[Segment]| pair[0].address + pair[0].size <= pair[1].address / PAGE * PAGE;
        if !segments.windows(2).all(apart) {
            return Err(ImageError::Damaged("two segments share a page"));
        }
        Ok((segments, tls))
    }

    fn refuse_modules(&self, dynamic: &[u8]) -> Result<(), ImageError> {
        for entry in dynamic.chunks_exact(16) {
            let entry = Bytes::new("dynamic entry", entry);
            match entry.u64(0)? {
                0 => break,
                DT_NEEDED => {
                    let strings = self.section(".dynstr")?.map(|s| self.contents(&s)).transpose()?.unwrap_or_default();
                    let name = u32::try_from(entry.u64(8)?).map(|n| string(strings, n)).unwrap_or_default();
                    return Err(ImageError::Module(String::from_utf8_lossy(name).chars().take(80).collect()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The NUL-terminated text at `offset` of a string table; empty where there is none.
fn string(table: &[u8], offset: u32) -> &[u8] {
    let rest = table.get(offset as usize..).unwrap_or_default();
    rest.split(|b| *b == 0).next().unwrap_or_default()
}

/// The dynamic symbols.
struct Symbols<'a> {
    table: Bytes<'a>,
    strings: &'a [u8],
}

impl<'a> Symbols<'a> {
    fn read(elf: &Elf<'a>) -> Result<Self, ImageError> {
        let Some(table) = elf.sections.iter().find(|s| s.kind == SHT_DYNSYM) else {
            return Ok(Self { table: Bytes::new("symbol table", &[]), strings: &[] });
        };
        let strings = elf.sections.get(table.link as usize).ok_or(ImageError::Damaged("its symbols have no names"))?;
        Ok(Self { table: Bytes::new("symbol table", elf.contents(table)?), strings: elf.contents(strings)? })
    }

    fn value(&self, index: u64) -> Result<u64, ImageError> {
        Ok(self.table.u64(index.saturating_mul(24).saturating_add(8))?)
    }

    /// The address of the defined symbol `name`.
    fn address(&self, name: &str) -> Option<u64> {
        let entries = self.table.all().chunks_exact(24).map(|e| Bytes::new("symbol", e));
        let mut named = entries.filter(|e| e.u32(0).is_ok_and(|n| string(self.strings, n) == name.as_bytes()));
        named.find(|e| e.u16(6).is_ok_and(|section| section != 0)).and_then(|e| e.u64(8).ok())
    }
}
