//! A linker for one tiny enclave, and a second, plain computation of what its MRENCLAVE must be.

use sha2::{Digest, Sha256};

use super::sigstruct_lab::{SIGSTRUCT, sigstruct};

pub const PAGE: usize = 4096;

/// The enclave: one page of code, one of data with `.oeinfo`, two relocations, thread-local data.
#[derive(Clone)]
pub struct Enclave {
    /// 1960, 1952 or 1920.
    pub layout: usize,
    pub heap: u64,
    pub stack: u64,
    pub threads: u64,
    pub attributes: u64,
    pub zero_base: Option<u64>,
    pub needed: bool,
    pub relocation: u32,
    /// 8, or nothing at all.
    pub tdata: u64,
    pub tbss: u64,
    /// How it is loaded, if not as by the newest release that has its layout.
    pub loader: Option<Loader>,
}

/// What a release does: how thread-local data are aligned, and more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Loader {
    AsSegment,
    AsSection,
    /// As the section, and parts of the ELF header are cleared.
    ClearsHeader,
    /// As that, and thread-local data always take a page.
    OnePage,
    /// As that, and the image is told where its pages end.
    OnePageExact,
}

impl Default for Enclave {
    fn default() -> Self {
        Self {
            layout: 1960,
            heap: 5,
            stack: 2,
            threads: 2,
            attributes: 4,
            zero_base: None,
            needed: false,
            relocation: 8,
            tdata: 8,
            tbss: 100,
            loader: None,
        }
    }
}

const ENTRY: u64 = 0x123;
const OEINFO: usize = 0x2100;
const ENCLAVE_RVA: usize = 0x2040;
const RELOC_RVA: usize = 0x2050;
const RELOC_SIZE: usize = 0x2058;
const TDATA_ALIGN: usize = 0x2080;
const TBSS_ALIGN: usize = 0x2088;
const FILE: usize = 0x4000;

impl Enclave {
    /// Where attributes, image_info and SIGSTRUCT lie.
    fn offsets(&self) -> (usize, usize, usize) {
        match self.layout {
            1960 => (72, 96, 144),
            1952 => (72, 88, 136),
            _ => (40, 56, 104),
        }
    }

    pub fn sigstruct_at(&self) -> usize {
        OEINFO + self.offsets().2
    }

    /// The ELF file, not signed.
    pub fn file(&self) -> Vec<u8> {
        let mut f = vec![0; FILE];
        let put = |f: &mut Vec<u8>, at: usize, bytes: &[u8]| f[at..at + bytes.len()].copy_from_slice(bytes);
        put(&mut f, 0, &[0x7f, b'E', b'L', b'F', 2, 1, 1]);
        for (at, value) in [(16, 3u16), (18, 62), (52, 64), (54, 56), (56, 4), (58, 64), (60, 9), (62, 7)] {
            put(&mut f, at, &value.to_le_bytes());
        }
        for (at, value) in [(24, ENTRY), (32, 64), (40, 0x3a00)] {
            put(&mut f, at, &value.to_le_bytes());
        }
        // Program headers: code, data (with some .bss behind it), thread-local, dynamic.
        let tls_size = self.tdata + self.tbss;
        for (n, (kind, flags, offset, address, file, memory, align)) in [
            (1u32, 5u32, 0u64, 0u64, 0x1000u64, 0x1000u64, 0x1000u64),
            (1, 6, 0x2000, 0x2000, 0x1000, 0x1234, 0x1000),
            (7, 4, 0x2020, 0x2020, self.tdata, tls_size, 32),
            (2, 6, 0x2060, 0x2060, 32, 32, 8),
        ]
        .into_iter()
        .enumerate()
        {
            let at = 64 + 56 * n;
            put(&mut f, at, &kind.to_le_bytes());
            put(&mut f, at + 4, &flags.to_le_bytes());
            for (i, value) in [offset, address, address, file, memory, align].into_iter().enumerate() {
                put(&mut f, at + 8 + 8 * i, &value.to_le_bytes());
            }
        }
        for (i, byte) in f[0x200..0xfff].iter_mut().enumerate() {
            *byte = (i * 7 % 251) as u8;
        }
        put(&mut f, 0x2020, b"tls data");
        if self.needed {
            put(&mut f, 0x2060, &[1u64.to_le_bytes(), 1u64.to_le_bytes()].concat());
        }
        let (attributes, _, _) = self.offsets();
        put(&mut f, OEINFO, &(self.layout as u32).to_le_bytes());
        put(&mut f, OEINFO + 4, &2u32.to_le_bytes());
        for (at, value) in [(8, self.heap), (16, self.stack), (24, self.threads), (attributes, self.attributes)] {
            put(&mut f, OEINFO + at, &value.to_le_bytes());
        }
        put(&mut f, OEINFO + 32, &7u16.to_le_bytes());
        put(&mut f, OEINFO + 34, &9u16.to_le_bytes());
        if let Some(start) = self.zero_base {
            put(&mut f, OEINFO + 36, &2u32.to_le_bytes());
            put(&mut f, OEINFO + 88, &start.to_le_bytes());
        }
        f[TDATA_ALIGN] = 1;
        f[TBSS_ALIGN] = 1;
        // Symbols: none, a thread-local one, and those that the loader writes to.
        let strings = b"\0libother.so\0t\0_enclave_rva\0_reloc_rva\0_reloc_size\0_tdata_align\0_tbss_align\0";
        put(&mut f, 0x3000, strings);
        put(&mut f, 0x3100 + 24, &symbol(13, 5, 0x18));
        for (n, (name, address)) in
            [(15, ENCLAVE_RVA), (28, RELOC_RVA), (39, RELOC_SIZE), (51, TDATA_ALIGN), (64, TBSS_ALIGN)]
                .into_iter()
                .enumerate()
        {
            put(&mut f, 0x3100 + 48 + 24 * n, &symbol(name, 2, address as u64));
        }
        put(&mut f, 0x3200, &relocation(0x2030, 8, 0, 0x2000));
        put(&mut f, 0x3218, &relocation(0x2038, u64::from(self.relocation), 1, 77));
        put(&mut f, 0x3230, &relocation(0x2048, 18, 1, 55));
        let names = b"\0.oeinfo\0.dynsym\0.dynstr\0.rela.dyn\0.tdata\0.tbss\0.shstrtab\0";
        put(&mut f, 0x3300, names);
        for (n, (name, kind, address, offset, size, link, align, entry)) in [
            (0u32, 0u32, 0u64, 0u64, 0u64, 0u32, 0u64, 0u64),
            (1, 1, OEINFO as u64, OEINFO as u64, self.layout as u64, 0, 32, 0),
            (9, 11, 0, 0x3100, 168, 3, 8, 24),
            (17, 3, 0, 0x3000, strings.len() as u64, 0, 1, 0),
            (25, 4, 0, 0x3200, 72, 2, 8, 24),
            (if self.tdata == 0 { 0 } else { 35 }, 1, 0x2020, 0x2020, self.tdata, 0, 16, 0),
            (42, 8, 0x2028, 0x2028, self.tbss, 0, 8, 0),
            (48, 3, 0, 0x3300, names.len() as u64, 0, 1, 0),
            // All symbols are the dynamic ones.
            (0, 2, 0, 0x3100, 168, 3, 8, 24),
        ]
        .into_iter()
        .enumerate()
        {
            let at = 0x3a00 + 64 * n;
            put(&mut f, at, &name.to_le_bytes());
            put(&mut f, at + 4, &kind.to_le_bytes());
            for (i, value) in [address, offset, size].into_iter().enumerate() {
                put(&mut f, at + 16 + 8 * i, &value.to_le_bytes());
            }
            put(&mut f, at + 40, &link.to_le_bytes());
            put(&mut f, at + 48, &align.to_le_bytes());
            put(&mut f, at + 56, &entry.to_le_bytes());
        }
        f
    }

    /// MRENCLAVE, the plain way: the whole address range laid out, then hashed page by page.
    pub fn mrenclave(&self, file: &[u8]) -> [u8; 32] {
        let mut image = vec![0; 0x4000];
        image[..0x1000].copy_from_slice(&file[..0x1000]);
        image[0x2000..0x3000].copy_from_slice(&file[0x2000..0x3000]);
        let mut relocations = file[0x3200..0x3248].to_vec();
        relocations[64..72].copy_from_slice(&0x18u64.to_le_bytes());
        relocations.resize(PAGE, 0);
        let loader = self.loader.unwrap_or(match self.layout {
            1960 => Loader::AsSegment,
            1952 => Loader::AsSection,
            _ => Loader::ClearsHeader,
        });
        let align: u64 = if loader == Loader::AsSegment { 32 } else { 16 };
        let tls = self.tdata.next_multiple_of(align) + self.tbss.next_multiple_of(8);
        let one_page = matches!(loader, Loader::OnePage | Loader::OnePageExact);
        let tls = if one_page { 1 } else { tls.div_ceil(PAGE as u64) };
        let heap = 0x5000;
        let total = heap + (self.heap + self.threads * (self.stack + tls + 7)) * PAGE as u64;
        let size = if loader == Loader::OnePageExact { total } else { total.next_power_of_two() };
        let start = self.zero_base.unwrap_or(0);
        let (_, info, sigstruct) = self.offsets();
        let words = [OEINFO as u64, self.layout as u64, 0x4000, PAGE as u64, heap, size];
        for (i, word) in words.into_iter().enumerate() {
            image[OEINFO + info + 8 * i..][..8].copy_from_slice(&word.to_le_bytes());
        }
        image[ENCLAVE_RVA..][..8].copy_from_slice(&(ENCLAVE_RVA as u64).to_le_bytes());
        image[RELOC_RVA..][..8].copy_from_slice(&0x4000u64.to_le_bytes());
        image[RELOC_SIZE..][..8].copy_from_slice(&(PAGE as u64).to_le_bytes());
        image[TDATA_ALIGN] = if self.tdata == 0 { 1 } else { align as u8 };
        image[TBSS_ALIGN] = if self.tbss == 0 { 1 } else { 8 };
        if one_page || loader == Loader::ClearsHeader {
            image[40..48].fill(0);
            image[60..64].fill(0);
        }
        image[OEINFO + sigstruct..][..SIGSTRUCT].fill(0);
        let mut hash = Sha256::new();
        hash.update(b"ECREATE\0\x01\0\0\0");
        hash.update((total + start).next_power_of_two().to_le_bytes());
        hash.update([0; 44]);
        let mut add = |at: u64, flags: u64, page: Option<&[u8]>| {
            hash.update(b"EADD\0\0\0\0");
            hash.update((start + at).to_le_bytes());
            hash.update(flags.to_le_bytes());
            hash.update([0; 40]);
            for (i, chunk) in page.into_iter().flat_map(|p| p.chunks(256)).enumerate() {
                hash.update(b"EEXTEND\0");
                hash.update((start + at + 256 * i as u64).to_le_bytes());
                hash.update([0; 48]);
                hash.update(chunk);
            }
        };
        add(0, 0x205, Some(&image[..PAGE]));
        add(0x2000, 0x203, Some(&image[0x2000..0x3000]));
        add(0x3000, 0x203, Some(&image[0x3000..]));
        add(0x4000, 0x201, Some(&relocations));
        let mut at = heap;
        let mut next = |n: u64| {
            let here = at;
            at += n * PAGE as u64;
            here
        };
        for _ in 0..self.heap {
            add(next(1), 0x203, None);
        }
        for _ in 0..self.threads {
            next(1);
            for _ in 0..self.stack {
                add(next(1), 0x203, Some(&[0xcc; PAGE]));
            }
            next(1);
            let tcs = next(1);
            let mut page = vec![0; PAGE];
            let segment = start + tcs + (tls + 4) * PAGE as u64;
            for (place, value) in
                [(16, start + tcs + PAGE as u64), (32, start + ENTRY), (48, segment), (56, segment), (64, u64::MAX)]
            {
                page[place..place + 8].copy_from_slice(&value.to_le_bytes());
            }
            page[28] = 2;
            add(tcs, 0x100, Some(&page));
            for skip in [0, 0, 1].into_iter().chain(vec![0; tls as usize]) {
                next(skip);
                add(next(1), 0x203, Some(&[0; PAGE]));
            }
        }
        hash.finalize().into()
    }

    /// The file with a signature on `mrenclave`.
    pub fn signed(&self, mrenclave: [u8; 32]) -> Vec<u8> {
        let mut file = self.file();
        let at = self.sigstruct_at();
        file[at..at + SIGSTRUCT].copy_from_slice(&sigstruct(mrenclave, self.attributes));
        file
    }
}

fn symbol(name: u32, section: u16, value: u64) -> Vec<u8> {
    [&name.to_le_bytes()[..], &[0x11, 0], &section.to_le_bytes(), &value.to_le_bytes(), &8u64.to_le_bytes()].concat()
}

fn relocation(offset: u64, kind: u64, symbol: u64, addend: u64) -> Vec<u8> {
    [offset, symbol << 32 | kind, addend].into_iter().flat_map(u64::to_le_bytes).collect()
}
