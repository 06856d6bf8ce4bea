//! A 64-bit ELF file: its sections, the segments that are loaded, its dynamic symbols.

use super::bytes::{Bytes, Short};
use super::measure::PAGE;
use crate::text::clip;

/// More sections or segments than this are refused.
const MAX_SECTIONS: u16 = 4096;
const MAX_SEGMENTS: u16 = 256;

/// Why a file is not an ELF file that can be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ElfError {
    /// Something lies beyond the end.
    #[error("the ELF file is damaged")]
    Short(#[from] Short),
    /// Not a 64-bit little-endian x86-64 shared object.
    #[error("this is not a 64-bit x86-64 ELF file that can be loaded")]
    NotElf,
    /// Something that no linker writes.
    #[error("the ELF file is damaged: {0}")]
    Damaged(&'static str),
    /// An image with modules beside it.
    #[error("the enclave needs the module {0:?}, and enclaves of several modules cannot be measured here")]
    Module(String),
}

/// A PT_LOAD segment.
#[derive(Clone, Debug)]
pub(super) struct Segment<'a> {
    /// The address of its first byte.
    pub address: u64,
    /// How long it is in memory.
    pub size: u64,
    /// PF_X 1, PF_W 2, PF_R 4.
    pub flags: u32,
    /// What the file holds of it; the rest is zero.
    pub contents: &'a [u8],
}

/// The PT_TLS segment: what every thread's data begin with.
#[derive(Clone, Copy, Debug)]
pub(super) struct TlsSegment {
    /// The address of its first byte.
    pub address: u64,
    /// How long what the file holds of it is.
    pub size: u64,
    /// Its alignment.
    pub align: u64,
}

/// The file's headers.
pub(super) struct Elf<'a> {
    file: Bytes<'a>,
    /// The entry point.
    pub entry: u64,
    sections: Vec<Section>,
    names: &'a [u8],
    program_headers: (u64, u16),
}

/// A section's header.
pub(super) struct Section {
    name: u32,
    /// Its address in memory.
    pub address: u64,
    offset: u64,
    /// How long it is, in bytes.
    pub size: u64,
    /// Its alignment in memory.
    pub align: u64,
    /// The size of one of its entries.
    pub entry_size: u64,
    kind: u32,
    link: u32,
}

const SHT_NOBITS: u32 = 8;
const SHT_SYMTAB: u32 = 2;
const SHT_DYNSYM: u32 = 11;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_TLS: u32 = 7;
const DT_NEEDED: u64 = 1;

impl<'a> Elf<'a> {
    /// Reads the headers.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, ElfError> {
        let file = Bytes::new("ELF file", bytes);
        let ident = [0x7f, b'E', b'L', b'F', 2, 1];
        // 3 shared object, which executables that lie anywhere are too; 62 x86-64.
        if !bytes.starts_with(&ident) || file.u16(16)? != 3 || file.u16(18)? != 62 {
            return Err(ElfError::NotElf);
        }
        let count = file.u16(60)?;
        if file.u16(58)? != 64 || file.u16(54)? != 56 || count > MAX_SECTIONS || file.u16(56)? > MAX_SEGMENTS {
            return Err(ElfError::Damaged("its headers have another size, or there are too many"));
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
        let names = sections.get(usize::from(file.u16(62)?)).ok_or(ElfError::Damaged("its sections have no names"))?;
        let names = file.slice(names.offset, names.size)?;
        let program_headers = (file.u64(32)?, file.u16(56)?);
        Ok(Self { entry: file.u64(24)?, file, sections, names, program_headers })
    }

    /// The one section of this name, if there is one.
    pub(super) fn section(&self, name: &str) -> Result<Option<Section>, ElfError> {
        let mut found = self.sections.iter().filter(|s| string(self.names, s.name) == name.as_bytes());
        let first = found.next();
        if found.next().is_some() {
            return Err(ElfError::Damaged("two of its sections have one name"));
        }
        Ok(first.map(|s| Section { ..*s }))
    }

    /// What the file holds of a section.
    pub(super) fn contents(&self, section: &Section) -> Result<&'a [u8], ElfError> {
        if section.kind == SHT_NOBITS {
            return Err(ElfError::Damaged("a section that must have contents has none"));
        }
        Ok(self.file.slice(section.offset, section.size)?)
    }

    /// The segments by address, and the thread-local one.
    pub(super) fn segments(&self) -> Result<(Vec<Segment<'a>>, Option<TlsSegment>), ElfError> {
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
                        return Err(ElfError::Damaged("a segment has an impossible size"));
                    }
                    let contents = self.file.slice(offset, file_size)?;
                    if header.u32(4)? & 7 == 0 {
                        return Err(ElfError::Damaged("one of its segments is not readable, writable or executable"));
                    }
                    segments.push(Segment { address, size, flags: header.u32(4)?, contents });
                }
                PT_TLS => tls = Some(TlsSegment { address, size: file_size, align: header.u64(48)? }),
                PT_DYNAMIC => self.refuse_modules(self.file.slice(offset, file_size)?)?,
                _ => {}
            }
        }
        if !segments.is_sorted_by(|a, b| a.address < b.address) {
            return Err(ElfError::Damaged("its segments are not in the order of their addresses"));
        }
        if segments.first().is_none_or(|s| s.address != 0) {
            return Err(ElfError::Damaged("its first segment does not begin at address zero"));
        }
        let apart = |pair: &[Segment]| pair[0].address + pair[0].size <= pair[1].address / PAGE * PAGE;
        if !segments.windows(2).all(apart) {
            return Err(ElfError::Damaged("two segments share a page"));
        }
        Ok((segments, tls))
    }

    fn refuse_modules(&self, dynamic: &[u8]) -> Result<(), ElfError> {
        for entry in dynamic.chunks_exact(16) {
            let entry = Bytes::new("dynamic entry", entry);
            match entry.u64(0)? {
                0 => break,
                DT_NEEDED => {
                    let strings = self.section(".dynstr")?.map(|s| self.contents(&s)).transpose()?.unwrap_or_default();
                    let name = u32::try_from(entry.u64(8)?).map(|n| string(strings, n)).unwrap_or_default();
                    return Err(ElfError::Module(clip(&String::from_utf8_lossy(name), 80)));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// A table of symbols.
pub(super) struct Symbols<'a> {
    table: Bytes<'a>,
    strings: &'a [u8],
}

impl<'a> Symbols<'a> {
    /// The dynamic ones of a file; none where it has no table of them.
    pub(super) fn dynamic(elf: &Elf<'a>) -> Result<Self, ElfError> {
        Self::of_kind(elf, SHT_DYNSYM)
    }

    /// All those of a file; none where it has no table of them, having been stripped.
    pub(super) fn all(elf: &Elf<'a>) -> Result<Self, ElfError> {
        Self::of_kind(elf, SHT_SYMTAB)
    }

    fn of_kind(elf: &Elf<'a>, kind: u32) -> Result<Self, ElfError> {
        let Some(table) = elf.sections.iter().find(|s| s.kind == kind) else {
            return Ok(Self { table: Bytes::new("symbol table", &[]), strings: &[] });
        };
        let strings = elf.sections.get(table.link as usize).ok_or(ElfError::Damaged("its symbols have no names"))?;
        Ok(Self { table: Bytes::new("symbol table", elf.contents(table)?), strings: elf.contents(strings)? })
    }

    /// The value of the symbol at `index`.
    pub(super) fn value(&self, index: u64) -> Result<u64, ElfError> {
        Ok(self.table.u64(index.saturating_mul(24).saturating_add(8))?)
    }

    /// The address of the defined symbol `name`.
    pub(super) fn address(&self, name: &str) -> Option<u64> {
        let entries = self.table.all().chunks_exact(24).map(|e| Bytes::new("symbol", e));
        let mut named = entries.filter(|e| e.u32(0).is_ok_and(|n| string(self.strings, n) == name.as_bytes()));
        named.find(|e| e.u16(6).is_ok_and(|section| section != 0)).and_then(|e| e.u64(8).ok())
    }
}

/// The NUL-terminated text at `offset` of a string table; empty where there is none.
fn string(table: &[u8], offset: u32) -> &[u8] {
    let rest = table.get(offset as usize..).unwrap_or_default();
    rest.split(|b| *b == 0).next().unwrap_or_default()
}
