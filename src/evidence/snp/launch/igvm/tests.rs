use super::headers::{PLATFORM_SNP, SUPPORTED_PLATFORM, crc32};
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
    let insert =
        header(PARAMETER_INSERT, &[&0x9000_u64.to_le_bytes()[..], &1_u32.to_le_bytes(), &7_u32.to_le_bytes()].concat());
    let make = |start: u32| {
        let context = [
            &crate::evidence::snp::launch::digest::VMSA_GPA.to_le_bytes()[..],
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
    let id_block = |length: usize| header(SNP_ID_BLOCK, &[&1_u32.to_le_bytes()[..], &vec![0; length]].concat());
    assert!(measure(&file(&[platform(), policy(), id_block(52)], &[0])).is_ok());
    for twice in [vec![policy()], vec![id_block(52), id_block(52)], vec![id_block(51)]] {
        let headers = [vec![platform(), policy()], twice].concat();
        assert!(matches!(measure(&file(&headers, &[0])), Err(IgvmError::Damaged(_))));
    }
    for length in [u64::MAX, (256 << 20) + 1] {
        let area = header(PARAMETER_AREA, &[&length.to_le_bytes()[..], &[0; 8]].concat());
        let insert = header(PARAMETER_INSERT, &[&[0; 8][..], &[1, 0, 0, 0], &[0; 4]].concat());
        let too_large = IgvmError::Damaged("its parameters are larger than 256 MiB");
        assert_eq!(measure(&file(&[platform(), policy(), area, insert], &[0])), Err(too_large));
    }
}
