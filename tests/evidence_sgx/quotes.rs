//! Quotes and endorsements of a made-up Intel, whose root is injected.

use std::sync::OnceLock;

use ccf_gov::check::{Checks, Verdict};
use ccf_gov::digest::{HostData, MrEnclave, MrSigner};
use ccf_gov::evidence::node;
use ccf_gov::evidence::sgx::{Evidence, Expected, Trust, verify};
use ccf_gov::id::NodeId;
use ccf_gov::tcb::TcbVersion;
use proptest::prelude::*;
use time::macros::datetime;

use super::failures;
use super::quote_lab::{Lab, MRENCLAVE, Made, NODE, Settings};

fn lab() -> &'static Lab {
    static LAB: OnceLock<Lab> = OnceLock::new();
    LAB.get_or_init(Lab::new)
}

fn good() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| lab().make(&Settings::default()))
}

fn expected() -> Expected {
    Expected {
        node_id: Some(NodeId::from_bytes(NODE)),
        mrenclave: vec![MrEnclave([0; 32]), MrEnclave(MRENCLAVE)],
        mrsigner: Some(MrSigner([0x51; 32])),
        isvprodid: Some(1),
        minimum_isvsvn: Some(5),
    }
}

fn check(quote: &[u8], endorsements: &[u8], root: [u8; 32]) -> Option<Checks> {
    let evidence = Evidence::parse(quote).ok()?;
    let trust = Trust { root, at: datetime!(2026-06-01 0:00 UTC) };
    Some(verify(&evidence, Some(endorsements), &expected(), &trust))
}

#[test]
fn a_whole_quote_passes() {
    let checks = check(&good().quote, &good().endorsements, good().root).unwrap();
    assert_eq!(checks.verdict().as_str(), "pass", "{checks:#?}");
    assert!(checks.iter().all(|c| c.verdict == Verdict::Pass), "{checks:#?}");
    let made = lab().make(&Settings { tcb_version: 3, ..Settings::default() });
    assert_eq!(
        check(&made.quote, &made.endorsements, made.root).unwrap().verdict().as_str(),
        "pass",
        "TCB information 3"
    );
}

/// Short collateral looks like a report of SNP where that has its signature algorithm.
#[test]
fn files_of_every_length_are_known_for_what_they_are() {
    let at = datetime!(2026-06-01 0:00 UTC);
    let trust = node::Trust { intel: Trust { root: good().root, at }, ..node::Trust::pinned(at) };
    assert!(good().endorsements.len() < 8 * 1184, "short enough for the mistake");
    let mut attestation = node::Attestation::default();
    attestation.add(&good().endorsements).unwrap();
    attestation.add(&good().quote).unwrap();
    let expected = node::Expected { mrsigner: Some(MrSigner([0x51; 32])), ..node::Expected::default() };
    assert_eq!(attestation.verify(&expected, &trust).unwrap().checks.verdict().as_str(), "pass");
    // Services have had no SGX nodes since CCF 6.
    for (version, failed) in [("5.0.13", &[][..]), ("6.0.0", &["platform"])] {
        let expected = node::Expected { ccf: Some(version.parse().unwrap()), ..expected.clone() };
        assert_eq!(failures(&attestation.verify(&expected, &trust).unwrap().checks), failed, "{version}");
    }
    // What a quote can't have is not passed over when somebody asks for it.
    let expected = node::Expected { host_data: Some(HostData([0; 32])), minimum_tcb: Some(TcbVersion(0)), ..expected };
    let outcome = attestation.verify(&expected, &trust).unwrap();
    assert_eq!(failures(&outcome.checks), ["host-data", "minimum-tcb"]);
}

#[test]
fn another_root_is_not_trusted() {
    let evidence = Evidence::parse(&good().quote).unwrap();
    let trust = Trust::intel(datetime!(2026-06-01 0:00 UTC));
    let checks = verify(&evidence, Some(&good().endorsements), &expected(), &trust);
    assert!(failures(&checks).contains(&"pck-chain"), "{checks:#?}");
}

#[test]
fn each_way_to_be_wrong_fails_for_its_own_reason() {
    let settings = Settings::default;
    for (name, settings) in [
        ("debug", Settings { debug: true, ..settings() }),
        ("qe-is-intels", Settings { qe_attributes: 0x13, ..settings() }),
        ("tcb-status", Settings { component: 3, ..settings() }),
        ("tcb-status", Settings { tcb_status: "Revoked", ..settings() }),
        ("tcb-status", Settings { tcb_status: "Whatever", ..settings() }),
        ("tcb-info-platform", Settings { fmspc: "00906ED50001", ..settings() }),
        ("pck-crl", Settings { revoked_pck: Some(4), ..settings() }),
        // A revoked platform doesn't hide behind another authority's list.
        ("pck-crl", Settings { revoked_pck: Some(4), crl_of_root: true, ..settings() }),
        ("root-crl", Settings { revoked_root: Some(2), ..settings() }),
        ("root-crl", Settings { revoked_root: Some(3), ..settings() }),
        ("node-id", Settings { claim: "another", ..settings() }),
        ("claims-digest", Settings { claims_digest: false, ..settings() }),
        ("qe-report-data", Settings { qe_binds_key: false, ..settings() }),
    ] {
        let made = lab().make(&settings);
        let checks = check(&made.quote, &made.endorsements, made.root).unwrap();
        assert_eq!(failures(&checks), [name], "{checks:#?}");
    }
    let made = lab().make(&Settings { crl_issued: "270101000000Z", ..settings() });
    let checks = check(&made.quote, &made.endorsements, made.root).unwrap();
    assert_eq!(failures(&checks), ["pck-crl", "root-crl"], "{checks:#?}");
    let made = lab().make(&Settings { ca_may_issue: false, ..settings() });
    let checks = check(&made.quote, &made.endorsements, made.root).unwrap();
    assert!(failures(&checks).contains(&"pck-chain"), "{checks:#?}");
}

#[test]
fn what_is_stale_warns() {
    let settings = Settings::default;
    for (names, settings) in [
        (vec!["tcb-info-dates", "qe-identity-dates"], Settings { next: "2025-01-01T00:00:00Z", ..settings() }),
        (vec!["pck-crl", "root-crl"], Settings { crl_next: "250101000000Z", ..settings() }),
        (
            vec!["pck-chain", "crl-chain", "tcb-chain", "qe-chain"],
            Settings { certificate_end: "250101000000Z", ..settings() },
        ),
        (vec!["tcb-status"], Settings { tcb_status: "OutOfDate", ..settings() }),
    ] {
        let made = lab().make(&settings);
        let checks = check(&made.quote, &made.endorsements, made.root).unwrap();
        let warned: Vec<_> = checks.iter().filter(|c| c.verdict == Verdict::Warn).map(|c| c.name).collect();
        assert_eq!((checks.verdict().as_str(), warned), ("pass", names), "{checks:#?}");
    }
}

#[test]
fn without_endorsements_it_is_no_pass() {
    let evidence = Evidence::parse(&good().quote).unwrap();
    let trust = Trust { root: good().root, at: datetime!(2026-06-01 0:00 UTC) };
    assert_eq!(verify(&evidence, None, &expected(), &trust).verdict().as_str(), "incomplete");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_changed_byte_of_a_quote_fails(at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut quote = good().quote.clone();
        let at = at.index(quote.len());
        quote[at] ^= 1 << bit;
        // The text around the certificates' base64 (line ends, the NUL) is signed by nobody and says nothing.
        let plain = changes_nothing(&good().quote, &quote);
        if let Some(checks) = check(&quote, &good().endorsements, good().root) {
            prop_assert!(plain || checks.verdict().as_str() == "fail", "byte {} {:#?}", at, checks);
        }
    }

    #[test]
    fn any_changed_byte_of_the_endorsements_fails(at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut endorsements = good().endorsements.clone();
        // The creation time at the end is Open Enclave's own remark, signed by nobody.
        let at = at.index(endorsements.len() - 21);
        endorsements[at] ^= 1 << bit;
        let plain = changes_nothing(&good().endorsements, &endorsements);
        let checks = check(&good().quote, &endorsements, good().root).unwrap();
        let around = String::from_utf8_lossy(&endorsements[at.saturating_sub(40)..(at + 40).min(endorsements.len())]);
        prop_assert!(plain || checks.verdict().as_str() == "fail", "byte {} in {:?} {:#?}", at, around, checks);
    }
}

/// Whether both hold the same PEM objects, in the same order, and are the same outside of them.
fn changes_nothing(before: &[u8], after: &[u8]) -> bool {
    let objects = |bytes: &[u8]| {
        let text: String = bytes.iter().map(|b| if b.is_ascii() { char::from(*b) } else { '\u{fffd}' }).collect();
        let all = pem::parse_many(text).unwrap_or_default();
        all.iter().map(|p| (p.tag().to_owned(), p.contents().to_vec())).collect::<Vec<_>>()
    };
    let at = before.iter().zip(after).position(|(a, b)| a != b).unwrap_or(0);
    let is_text = before[at].is_ascii_whitespace() || before[at] == 0 || before[at] == b'-' || before[at] == b'=';
    let after_objects = objects(after);
    is_text && after_objects.len() == objects(before).len() && after_objects == objects(before)
}
