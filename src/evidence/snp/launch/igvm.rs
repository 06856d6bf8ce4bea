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
mod tests {
    use super::*;
    use igvm::{IgvmDirectiveHeader, IgvmFile, IgvmInitializationHeader, IgvmPlatformHeader, IgvmRevision};
    use igvm_defs::{
        IGVM_VHS_PARAMETER_INSERT, IGVM_VHS_SUPPORTED_PLATFORM, IgvmPageDataFlags, IgvmPageDataType, IgvmPlatformType,
    };
    use sha2::{Digest, Sha384};

    fn header(kind: u32, body: &[u8]) -> Vec<u8> {
        let mut out = [&kind.to_le_bytes()[..], &(body.len() as u32).to_le_bytes(), body].concat();
        out.resize(out.len().next_multiple_of(8), 0);
        out
    }

    fn page_data(gpa: u64, offset: u32, flags: u32, kind: u16) -> Vec<u8> {
        header(
            PAGE_DATA,
            &[
                &gpa.to_le_bytes()[..],
                &1_u32.to_le_bytes(),
                &offset.to_le_bytes(),
                &flags.to_le_bytes(),
                &kind.to_le_bytes(),
                &[0; 2],
            ]
            .concat(),
        )
    }

    fn file(headers: &[Vec<u8>], data: &[u8]) -> Vec<u8> {
        let headers = headers.concat();
        let mut fixed = b"IGVM".to_vec();
        for number in [1, 24, headers.len() as u32, (24 + headers.len() + data.len()) as u32, 0] {
            fixed.extend_from_slice(&number.to_le_bytes());
        }
        let checksum = crc32(&[&fixed, &headers]);
        fixed[20..].copy_from_slice(&checksum.to_le_bytes());
        [&fixed[..], &headers, data].concat()
    }

    fn platform() -> Vec<u8> {
        header(SUPPORTED_PLATFORM, &[&1_u32.to_le_bytes()[..], &[2, PLATFORM_SNP], &[1, 0], &[0; 8]].concat())
    }

    fn policy() -> Vec<u8> {
        header(GUEST_POLICY, &[&0x3001f_u64.to_le_bytes()[..], &1_u32.to_le_bytes(), &[0; 4]].concat())
    }

    /// A file with two pages of data (0xaa…, a VMSA of 0xbb…) and one of each kind of header.
    fn example() -> Vec<u8> {
        let area = header(PARAMETER_AREA, &[&8192_u64.to_le_bytes()[..], &7_u32.to_le_bytes(), &[0; 4]].concat());
        let insert = header(
            PARAMETER_INSERT,
            &[&0x9000_u64.to_le_bytes()[..], &1_u32.to_le_bytes(), &7_u32.to_le_bytes()].concat(),
        );
        let make = |start: u32| {
            let context = [
                &super::super::digest::VMSA_GPA.to_le_bytes()[..],
                &1_u32.to_le_bytes(),
                &(start + 4096).to_le_bytes(),
                &[0; 4],
            ];
            vec![
                platform(),
                policy(),
                area.clone(),
                page_data(0x1000, start, 0, 0),
                page_data(0x2000, 0, 0, 0),
                page_data(0x3000, start, 2, 0),
                page_data(0x4000, start, 4, 0),
                page_data(0x5000, 0, 0, 1),
                page_data(0x6000, start, 0, 2),
                insert.clone(),
                header(VP_CONTEXT, &context.concat()),
            ]
        };
        let start = 24 + make(0).concat().len() as u32;
        file(&make(start), &[[0xaa; 4096], [0xbb; 4096]].concat())
    }

    #[test]
    fn the_digest_is_that_of_the_pages_one_after_the_other() {
        let sha384 = |bytes: &[u8]| <[u8; 48]>::from(Sha384::digest(bytes));
        let zeros = [0; 48];
        let pages: [(u8, u64, [u8; 48]); 8] = [
            (1, 0x1000, sha384(&[0xaa; 4096])),
            (1, 0x2000, sha384(&[0; 4096])),
            (4, 0x3000, zeros),
            (5, 0x5000, zeros),
            (6, 0x6000, zeros),
            (4, 0x9000, zeros),
            (4, 0xa000, zeros),
            (2, 0xffff_ffff_f000, sha384(&[0xbb; 4096])),
        ];
        let mut digest = zeros;
        for (kind, gpa, contents) in pages {
            let info = [&digest[..], &contents, &[0x70, 0, kind, 0, 0, 0, 0, 0], &gpa.to_le_bytes()].concat();
            digest = sha384(&info);
        }
        let measured = measure(&example()).unwrap();
        assert_eq!(measured.measurement, SnpMeasurement(digest));
        assert_eq!((measured.vcpus, measured.policy.debug(), measured.stated), (1, false, None));
    }

    /// The digest of what the other implementation reads.
    fn digest_of(directives: &[IgvmDirectiveHeader]) -> SnpMeasurement {
        let sha384 = |bytes: &[u8]| <[u8; 48]>::from(Sha384::digest(bytes));
        let padded = |data: &[u8]| sha384(&[data, &vec![0; 4096 - data.len()]].concat());
        let (mut digest, mut area) = ([0; 48], 0);
        for directive in directives {
            let mut page = |kind: u8, gpa: u64, contents: [u8; 48]| {
                let info = [&digest[..], &contents, &[0x70, 0, kind, 0, 0, 0, 0, 0], &gpa.to_le_bytes()].concat();
                digest = sha384(&info);
            };
            match directive {
                IgvmDirectiveHeader::ParameterArea { number_of_bytes, .. } => area = *number_of_bytes,
                IgvmDirectiveHeader::PageData { flags, .. } if flags.shared() => {}
                IgvmDirectiveHeader::PageData { gpa, flags, data_type, data, .. } => match *data_type {
                    IgvmPageDataType::SECRETS => page(5, *gpa, [0; 48]),
                    IgvmPageDataType::CPUID_DATA | IgvmPageDataType::CPUID_XF => page(6, *gpa, [0; 48]),
                    _ if flags.unmeasured() => page(4, *gpa, [0; 48]),
                    _ => page(1, *gpa, padded(data)),
                },
                IgvmDirectiveHeader::ParameterInsert(insert) => {
                    (0..area / 4096).for_each(|n| page(4, insert.gpa + n * 4096, [0; 48]));
                }
                // The test's VMSA page; the crate's type does not give its bytes away without another crate.
                IgvmDirectiveHeader::SnpVpContext { gpa, .. } => page(2, *gpa, sha384(&[0xbb; 4096])),
                other => panic!("{other:?}"),
            }
        }
        SnpMeasurement(digest)
    }

    #[test]
    fn another_implementation_reads_the_same_pages_from_the_same_file() {
        let read = IgvmFile::new_from_binary(&example(), None).unwrap();
        assert_eq!(measure(&example()).unwrap().measurement, digest_of(read.directives()));
    }

    #[test]
    fn a_file_that_another_implementation_wrote_is_read() {
        let platform = IgvmPlatformHeader::SupportedPlatform(IGVM_VHS_SUPPORTED_PLATFORM {
            compatibility_mask: 1,
            highest_vtl: 2,
            platform_type: IgvmPlatformType::SEV_SNP,
            platform_version: 1,
            shared_gpa_boundary: 0,
        });
        let policy = IgvmInitializationHeader::GuestPolicy { policy: 0x3001f, compatibility_mask: 1 };
        let mut directives = vec![IgvmDirectiveHeader::ParameterArea {
            number_of_bytes: 4096,
            parameter_area_index: 0,
            initial_data: vec![],
        }];
        for n in 0..5_u64 {
            directives.push(IgvmDirectiveHeader::PageData {
                gpa: n * 4096,
                compatibility_mask: 1,
                flags: IgvmPageDataFlags::new().with_unmeasured(n == 3),
                data_type: if n == 4 { IgvmPageDataType::SECRETS } else { IgvmPageDataType::NORMAL },
                data: if n == 4 { vec![] } else { vec![n as u8; 4096] },
            });
        }
        directives.push(IgvmDirectiveHeader::ParameterInsert(IGVM_VHS_PARAMETER_INSERT {
            gpa: 0x10000,
            compatibility_mask: 1,
            parameter_area_index: 0,
        }));
        let made = IgvmFile::new(IgvmRevision::V1, vec![platform], vec![policy], directives).unwrap();
        let mut bytes = Vec::new();
        made.serialize(&mut bytes).unwrap();
        assert_eq!(measure(&bytes).unwrap().measurement, digest_of(made.directives()));
    }

    #[test]
    fn damaged_and_hostile_files_are_refused() {
        let good = example();
        assert_eq!(measure(b""), Err(IgvmError::NotIgvm));
        assert!(matches!(measure(&good[..good.len() - 1]), Err(IgvmError::Damaged(_))));
        let mut flipped = good.clone();
        flipped[60] ^= 1;
        assert!(matches!(measure(&flipped), Err(IgvmError::Checksum { .. })));
        assert_eq!(measure(&file(&[policy()], &[0])), Err(IgvmError::NotSnp));
        assert_eq!(measure(&file(&[platform(), platform(), policy()], &[0])), Err(IgvmError::Ambiguous));
        assert!(matches!(measure(&file(&[platform()], &[0])), Err(IgvmError::Damaged(_))));
        for bad in [
            page_data(0x1000, u32::MAX, 0, 0),
            page_data(0x1001, 0, 0, 0),
            page_data(0x1000, 0, 1, 0),
            page_data(0x1000, 0, 8, 0),
            page_data(0x1000, 0, 0, 9),
            header(PAGE_DATA, &[0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]),
            header(PARAMETER_INSERT, &[&[0; 8][..], &[1, 0, 0, 0], &[9, 0, 0, 0]].concat()),
            header(VP_CONTEXT, &[&[0; 8][..], &[1, 0, 0, 0], &[0; 8]].concat()),
            [0xff; 8].to_vec(),
            vec![1, 2, 3],
        ] {
            assert!(measure(&file(&[platform(), policy(), bad], &[0])).is_err());
        }
        for length in [u64::MAX, (256 << 20) + 1] {
            let area = header(PARAMETER_AREA, &[&length.to_le_bytes()[..], &[0; 8]].concat());
            let insert = header(PARAMETER_INSERT, &[&[0; 8][..], &[1, 0, 0, 0], &[0; 4]].concat());
            let too_large = IgvmError::Damaged("its parameters are larger than 256 MiB");
            assert_eq!(measure(&file(&[platform(), policy(), area, insert], &[0])), Err(too_large));
        }
    }
}
