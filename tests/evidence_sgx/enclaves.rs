//! Enclaves that the tests link and sign themselves.

use ccf_gov::evidence::recognise::{Evidence, EvidenceKind};
use ccf_gov::proposal::{Action, Proposal};
use ccf_gov::review::rules::{self, Terms};
use serde_json::json;
use std::sync::OnceLock;

use ccf_gov::check::Verdict;
use ccf_gov::digest::MrEnclave;
use ccf_gov::evidence::sgx::Artefact;
use ccf_gov::evidence::sgx::{Enclave as Measured, EnclaveError};
use ccf_gov::evidence::sgx::{SigStruct, SigStructError};
use proptest::prelude::*;

use super::enclave_lab::{Enclave, Loader};
use super::sigstruct_lab::{SIGSTRUCT, sigstruct};

#[test]
fn every_layout_and_size_measures_as_a_plain_second_computation_does() {
    let enclave = Enclave::default;
    for (what, enclave) in [
        ("0.17.7 and later", enclave()),
        ("0.16 and 0.17.0", Enclave { layout: 1952, ..enclave() }),
        ("0.12", Enclave { layout: 1920, ..enclave() }),
        ("zero base", Enclave { zero_base: Some(0x10_0000), ..enclave() }),
        ("zero base without the field", Enclave { layout: 1952, zero_base: None, ..enclave() }),
        ("one thread, no heap", Enclave { heap: 0, threads: 1, ..enclave() }),
        ("two pages of thread-local data", Enclave { tbss: 5000, ..enclave() }),
        ("nothing thread-local", Enclave { tdata: 0, tbss: 0, ..enclave() }),
        ("nothing in .tbss", Enclave { tbss: 0, ..enclave() }),
        ("no .tdata", Enclave { tdata: 0, ..enclave() }),
        ("debug", Enclave { attributes: 6, ..enclave() }),
        ("other relocations", Enclave { relocation: 6, ..enclave() }),
    ] {
        let file = enclave.file();
        let measured = Measured::measure(&file).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(measured.mrenclave, MrEnclave(enclave.mrenclave(&file)), "{what}");
        assert_eq!(measured.sigstruct, Err(SigStructError::Unsigned), "{what}");
        assert_eq!((measured.properties.product_id, measured.properties.security_version), (7, 9), "{what}");
    }
}

#[test]
fn a_signed_enclave_passes_and_each_way_to_be_wrong_fails_for_its_own_reason() {
    let enclave = Enclave::default();
    let good = enclave.mrenclave(&enclave.file());
    let read = |file: &[u8]| Artefact::read(file).unwrap();
    let failed = |file: &[u8]| {
        let found = read(file);
        let failed: Vec<_> = found.checks.iter().filter(|c| c.verdict == Verdict::Fail).map(|c| c.name).collect();
        failed
    };
    let signed = enclave.signed(good);
    let found = read(&signed);
    assert_eq!((found.checks.verdict().as_str(), found.debug), ("pass", Some(false)));
    assert_eq!(found.sigstruct.unwrap().date, "2026-11-22");
    assert_eq!(found.mrenclave, MrEnclave(good), "the signature is not measured");

    assert_eq!(failed(&enclave.file()), ["sigstruct-signature"], "unsigned");
    assert_eq!(failed(&enclave.signed([1; 32])), ["mrenclave"], "signed as another");
    let mut code = signed.clone();
    code[0x500] ^= 1;
    assert_eq!(failed(&code), ["mrenclave"], "the code was changed");
    let mut signature = signed.clone();
    signature[enclave.sigstruct_at() + 600] ^= 1;
    assert_eq!(failed(&signature), ["sigstruct-signature"]);

    let debug = Enclave { attributes: 6, ..enclave };
    let found = read(&debug.signed(debug.mrenclave(&debug.file())));
    assert_eq!((found.debug, found.checks.get("debug").unwrap().verdict), (Some(true), Verdict::Fail));
    // It is one to deregister.
    let code = json!({"code_id": found.mrenclave});
    let evidence = [Evidence { name: "debug".into(), kind: EvidenceKind::Enclave(Box::new(found)), digest: None }];
    for (name, verdict) in [("add_node_code", "fail"), ("remove_node_code", "pass")] {
        let proposal = Proposal::of(vec![Action::new(name, Some(code.clone()))]);
        assert_eq!(
            rules::verify(&proposal, &evidence, &Terms::default(), None).checks.verdict().as_str(),
            verdict,
            "{name}"
        );
    }
}

#[test]
fn what_an_earlier_release_makes_of_a_file_is_right_where_that_was_signed() {
    let none = || Enclave { tdata: 0, tbss: 0, ..Enclave::default() };
    for (layout, tls, loaders) in [
        (1960, Enclave::default(), &[Loader::AsSegment, Loader::AsSection][..]),
        (1952, Enclave::default(), &[Loader::AsSection, Loader::ClearsHeader]),
        (1920, none(), &[Loader::ClearsHeader, Loader::OnePage, Loader::OnePageExact, Loader::AsSection]),
    ] {
        let newest = Enclave { layout, ..tls };
        let file = newest.file();
        let values = loaders.iter().map(|loader| Enclave { loader: Some(*loader), ..newest.clone() }.mrenclave(&file));
        let values: Vec<_> = values.collect();
        assert!(values.is_sorted_by(|a, b| a != b), "{layout}");
        for value in &values {
            let found = Artefact::read(&newest.signed(*value)).unwrap();
            assert_eq!((found.checks.verdict().as_str(), found.mrenclave), ("pass", MrEnclave(*value)), "{layout}");
        }
        assert_eq!(Artefact::read(&file).unwrap().mrenclave, MrEnclave(values[0]), "unsigned: {layout}");
    }
}

#[test]
fn symbols_that_are_missing_are_not_written_to() {
    let with = |kind| {
        let mut file = Enclave::default().file();
        // The one relocation that needs a dynamic symbol is made another.
        file[0x3230 + 8] = 8;
        file[0x3a00 + 2 * 64 + 4] = kind;
        Measured::measure(&file).unwrap().mrenclave
    };
    let (dynamic, none) = (with(11), with(1));
    assert_ne!(dynamic, none);
}

#[test]
fn a_file_that_says_two_things_is_refused() {
    let good = Enclave::default().file();
    let refused = |changes: &[(usize, &[u8])]| {
        let mut file = good.clone();
        changes.iter().for_each(|(at, bytes)| file[*at..at + bytes.len()].copy_from_slice(bytes));
        Measured::measure(&file).unwrap_err().to_string()
    };
    // The section's place in the file; the thread-local segment's size and address; both segments' headers; a flag.
    let section = 0x3a00 + 64;
    assert!(refused(&[(section + 24, &[0, 0x31])]).contains(".oeinfo is not what is loaded"));
    assert!(refused(&[(64 + 112 + 32, &[7])]).contains("thread-local"));
    assert!(refused(&[(64 + 112 + 16, &[0x28])]).contains("thread-local"));
    let headers = [good[64 + 56..64 + 112].to_vec(), good[64..64 + 56].to_vec()];
    assert!(refused(&[(64, &headers[0]), (64 + 56, &headers[1])]).contains("order of their addresses"));
    assert!(refused(&[(64 + 4, &[0])]).contains("is not readable, writable or executable"));
    assert!(refused(&[(16, &[2])]).contains("can be loaded"));
}

#[test]
fn what_cannot_be_loaded_is_refused_with_its_reason() {
    let refused = |enclave: Enclave| Measured::measure(&enclave.file()).unwrap_err().to_string();
    let enclave = Enclave::default;
    assert!(refused(Enclave { needed: true, ..enclave() }).contains("libother.so"));
    assert!(refused(Enclave { relocation: 37, ..enclave() }).contains("relocation of type 37"));
    assert!(refused(Enclave { tbss: 1 << 50, ..enclave() }).contains("thread-local"));
    for hostile in [
        Enclave { heap: u64::MAX, ..enclave() },
        Enclave { stack: 1 << 40, ..enclave() },
        Enclave { threads: 1 << 23, stack: 1 << 23, ..enclave() },
        Enclave { zero_base: Some(u64::MAX), ..enclave() },
    ] {
        let error = Measured::measure(&hostile.file()).unwrap_err();
        assert!(matches!(error, EnclaveError::TooLarge(_) | EnclaveError::TooLong(_)), "{error}");
    }
    let unset = Enclave { heap: 65535, stack: 65535, threads: 65535, ..enclave() };
    assert!(refused(unset.clone()).contains("not signed"));
    // Once it is signed, what stands there is meant.
    assert!(matches!(Measured::measure(&unset.signed([1; 32])), Err(EnclaveError::TooLong(_))));
    let file = enclave().file();
    // The section headers are the last thing in the file, 512 bytes from 0x3a00 on.
    for length in (0..0x3c00).step_by(61) {
        assert!(Measured::measure(&file[..length]).is_err(), "{length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_changed_byte_of_what_was_signed_fails(at in 0..SIGSTRUCT, bit in 0..8u8) {
        // Between the signature and what it covers lies only this that nothing protects.
        prop_assume!(!(1028..1040).contains(&at));
        static SIGNED: OnceLock<Vec<u8>> = OnceLock::new();
        let mut raw = SIGNED.get_or_init(|| sigstruct([5; 32], 4)).clone();
        prop_assert!(SigStruct::verify(&raw).is_ok());
        raw[at] ^= 1 << bit;
        prop_assert!(SigStruct::verify(&raw).is_err(), "byte {}", at);
    }

    #[test]
    fn any_changed_byte_of_the_code_changes_the_measurement(at in 0x200..0x1000usize, bit in 0..8u8) {
        let mut file = Enclave::default().file();
        let before = Measured::measure(&file).unwrap().mrenclave;
        file[at] ^= 1 << bit;
        prop_assert_ne!(Measured::measure(&file).unwrap().mrenclave, before);
    }
}
