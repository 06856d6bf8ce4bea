//! Real SGX evidence and enclaves, each with what it must yield; skipped where the recorded data are missing.

pub mod enclave_lab;
mod enclaves;
mod quote_lab;
mod quotes;
mod sigstruct_lab;

use ccf_gov::check::{Checks, Verdict};
use ccf_gov::digest::MrEnclave;
use ccf_gov::evidence::sgx::{Artefact, Evidence, Expected, Trust, verify};
use ccf_gov::evidence::virt;
use time::macros::datetime;

use crate::support::skip::fixtures;

fn failures(checks: &Checks) -> Vec<&'static str> {
    checks.iter().filter(|c| c.verdict == Verdict::Fail).map(|c| c.name).collect()
}

#[test]
fn enclaves_yield_their_measurements() {
    let Some(folder) = fixtures() else { return };
    let read = |name: &str| Artefact::read(&std::fs::read(folder.join("sgx").join(name)).unwrap()).unwrap();
    let release = read("oe-synthetic/release.enclave.so.signed");
    assert_eq!(release.mrenclave.to_string(), "389f9a7e949226d15da27084135b4c8703da002627812cc9187240a396a956ad");
    let signed = release.sigstruct.unwrap();
    assert_eq!(signed.mrsigner.to_string(), "00f163755f8dffc47e86f378f3296c26be42dbd73b2f09faaf2feded753212d8");
    assert_eq!((signed.isvprodid, signed.isvsvn, release.debug), (1, 3, Some(false)));
    assert_eq!(release.checks.verdict().as_str(), "pass");

    let debug = read("oe-synthetic/debug.enclave.so.signed");
    assert_eq!(debug.mrenclave.to_string(), "359d6aa3cd01393c30584368f2d7c0ef33f79ca0cb570585a11ddcb78fb178d4");
    assert_eq!(debug.debug, Some(true));

    let tampered = read("oe-synthetic/tampered.enclave.so.signed");
    assert_eq!(tampered.mrenclave.to_string(), "d791d16224e2dbe8665b7c3fff30f915b7b17acfa1016a2768ba92fff31c798b");
    assert_eq!(failures(&tampered.checks), ["mrenclave"]);

    let stream = read("sgxs-tools/test_enclave.sgxs");
    let signature = read("sgxs-tools/test_enclave.sig");
    assert_eq!(stream.mrenclave.to_string(), "784acfd7d5096a8f0fbd3265760bff21b120f62407a9a9e5ba31aa3c8ed198fc");
    assert_eq!(stream.mrenclave, signature.mrenclave);
    assert!(signature.sigstruct.unwrap().mrsigner.to_string().starts_with("fb4bab3d"));
    read("sgxs-tools/sig1.sigstruct.bin");
}

#[test]
fn nodes_of_a_real_service_are_verified_and_the_debug_ones_fail() {
    let Some(folder) = fixtures() else { return };
    let folder = folder.join("sgx/ccf");
    let index: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("index.json")).unwrap()).unwrap();
    let trust = Trust::intel(datetime!(2026-01-01 0:00 UTC));
    let nodes = index.as_array().unwrap();
    assert_eq!(nodes.len(), 7);
    for node in nodes {
        let name = node["name"].as_str().unwrap();
        let quote = std::fs::read(folder.join(format!("{name}.quote.bin"))).unwrap();
        let endorsements = std::fs::read(folder.join(format!("{name}.endorsements.bin"))).unwrap();
        let evidence = Evidence::parse(&quote).unwrap();
        let expected = Expected {
            node_id: Some(node["node_id"].as_str().unwrap().parse().unwrap()),
            mrenclave: vec![node["code_digest"].as_str().unwrap().parse().unwrap()],
            mrsigner: Some(node["mrsigner"].as_str().unwrap().parse().unwrap()),
            isvprodid: Some(1),
            minimum_isvsvn: Some(1),
        };
        let checks = verify(&evidence, Some(&endorsements), &expected, &trust);
        let debug = node["debug"].as_bool().unwrap();
        assert_eq!(failures(&checks), if debug { vec!["debug"] } else { vec![] }, "{name}: {checks:#?}");
        assert_eq!(checks.verdict().as_str(), if debug { "fail" } else { "pass" });
        assert_eq!(checks.get("tcb-info-dates").unwrap().verdict, Verdict::Warn, "stale collateral warns");

        let wrong = Expected { mrenclave: vec![MrEnclave([0; 32])], minimum_isvsvn: Some(2), ..expected };
        let checks = verify(&evidence, Some(&endorsements), &wrong, &trust);
        assert!(failures(&checks).ends_with(&["measurement", "isvsvn"]), "{checks:#?}");
        assert_eq!(
            verify(&evidence, None, &Expected::default(), &trust).get("endorsements").unwrap().verdict,
            Verdict::Incomplete
        );
    }
}

#[test]
fn open_enclaves_own_sample_leads_to_intels_root() {
    let Some(folder) = fixtures() else { return };
    let read = |name| std::fs::read(folder.join("sgx/openenclave").join(name)).unwrap().split_off(81);
    let (quote, endorsements) = (read("evidence"), read("endorsements"));
    let checks = verify(
        &Evidence::parse(&quote).unwrap(),
        Some(&endorsements),
        &Expected::default(),
        &Trust::intel(datetime!(2026-01-01 0:00 UTC)),
    );
    assert_eq!(failures(&checks), ["claims-digest", "debug"], "{checks:#?}");
}

#[test]
fn virtual_nodes_name_themselves() {
    let Some(folder) = fixtures() else { return };
    for node in ["node0", "node1"] {
        let claim = std::fs::read(folder.join(format!("virtual/{node}.attestation.json"))).unwrap();
        let claim = virt::Attestation::parse(&claim).unwrap();
        let key = pem::parse(std::fs::read(folder.join(format!("virtual/{node}.pubkey.pem"))).unwrap()).unwrap();
        assert_eq!(claim.node_id.as_bytes(), &ccf_gov::digest::sha256(key.contents()), "{node}");
        assert!(claim.host_data.to_string().starts_with("cb25aae5"));
        assert_eq!(virt::verify(&claim, &virt::Expected::default()).verdict().as_str(), "pass");
    }
}
