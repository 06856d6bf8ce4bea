use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use time::macros::datetime;

use super::*;
use crate::check::Verdict;
use crate::digest::sha256;
use crate::evidence::snp::testing::{EXPIRED, IN_DATE, certificate, extension, head, lab, oid, sequence, text};
use crate::skip::fixtures;

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
const FEED: &str = "ContainerPlat-AMD-UVM";

fn payload(svn: &str) -> String {
    format!(r#"{{"x-ms-sevsnpvm-launchmeasurement":"{}","x-ms-sevsnpvm-guestsvn":{svn}}}"#, "22".repeat(48))
}

/// A chain, and the DID of its root.
fn issuer(dates: (&str, &str)) -> (Vec<Vec<u8>>, String) {
    let chain = lab().uvm_chain(dates);
    let did = lab().uvm_did(&BASE64_URL_SAFE_NO_PAD.encode(sha256(&chain[1])));
    (chain, did)
}

fn checks(uvm: &UvmEndorsement) -> Checks {
    let mut checks = Checks::new();
    uvm.check_signature(NOW, &mut checks);
    uvm.check_contents(&mut checks);
    checks
}

#[test]
fn svn_are_text_or_numbers_and_compared_as_the_service_does() {
    let (chain, did) = issuer(IN_DATE);
    let read = |svn: &str| UvmEndorsement::parse(&lab().uvm_legacy(&did, FEED, &chain, &payload(svn)));
    let text = read("\"99\"").unwrap();
    assert_eq!((text.svn.as_str(), text.svn_type, text.signed_at), ("99", SvnType::Text, Some(1_700_000_000)));
    assert_eq!(read("102").unwrap().svn_type, SvnType::Integer);
    for bad in ["\"\"", "\"1a\"", "-1", "1.5", "null", "\"18446744073709551616\""] {
        assert!(read(bad).is_err(), "{bad}");
    }
    let trusted = |svn: &str, feed: &str| TrustedUvm { did: did.clone(), feed: feed.into(), svn: svn.into() };
    let verdict = |trusted: &[TrustedUvm], order| {
        let mut checks = Checks::new();
        text.check_trusted(trusted, order, &mut checks);
        checks.verdict().as_str()
    };
    assert_eq!(verdict(&[trusted("99", FEED)], SvnOrder::Integer), "pass");
    assert_eq!(verdict(&[trusted("100", FEED)], SvnOrder::Integer), "fail");
    assert_eq!(verdict(&[trusted("100", FEED)], SvnOrder::Text), "pass");
    assert_eq!(verdict(&[trusted("1", "ConfAKS-AMD-UVM")], SvnOrder::Integer), "fail");
    assert_eq!(verdict(&[], SvnOrder::Integer), "fail");
    for none in ["", "-1", "any"] {
        assert_eq!(verdict(&[trusted(none, FEED)], SvnOrder::Integer), "fail", "{none:?} admits nobody");
        assert_eq!(verdict(&[trusted(none, FEED)], SvnOrder::Text), "fail", "{none:?} admits nobody");
    }
}

#[test]
fn every_bad_endorsement_fails_for_its_own_reason() {
    let (chain, did) = issuer(IN_DATE);
    let good = UvmEndorsement::parse(&lab().uvm_legacy(&did, FEED, &chain, &payload("101"))).unwrap();
    assert_eq!(checks(&good).verdict().as_str(), "pass");

    let failed = |bytes: &[u8]| {
        checks(&UvmEndorsement::parse(bytes).unwrap()).iter().find(|c| c.verdict == Verdict::Fail).map(|c| c.name)
    };
    let other = did.replace("59.1.2", "59.1.5");
    assert_eq!(failed(&lab().uvm_legacy(&other, FEED, &chain, &payload("101"))), Some("uvm-issuer"));
    let (chain2, _) = issuer(IN_DATE);
    assert_eq!(failed(&lab().uvm_legacy(&did, FEED, &chain2, &payload("101"))), Some("uvm-issuer"));
    let mut broken = lab().uvm_legacy(&did, FEED, &chain, &payload("101"));
    *broken.last_mut().unwrap() ^= 1;
    assert_eq!(failed(&broken), Some("uvm-signature"));
    let two = payload("101").replace('}', ",\"x-ms-sevsnpvm-guestsvn-int\":102}");
    assert_eq!(failed(&lab().uvm_legacy(&did, FEED, &chain, &two)), Some("uvm-svn"));
    // Keys for issuing certificates, and for agreeing on keys.
    for (bits, check) in [([3, 2, 2, 4], "uvm-issuer"), ([3, 2, 3, 8], "uvm-signature")] {
        let usage = extension("2.5.29.15", true, &bits);
        let eku = extension("2.5.29.37", false, &sequence(&[oid("1.3.6.1.4.1.311.76.59.1.2")]));
        let root = ("Endorser CA", &lab().uvm_root);
        let leaf = certificate(root, ("Endorser", &lab().uvm_leaf), IN_DATE, &[eku, usage]);
        let chain = [leaf, chain[1].clone()];
        assert_eq!(failed(&lab().uvm_legacy(&did, FEED, &chain, &payload("101"))), Some(check));
    }

    let (old, old_did) = issuer(EXPIRED);
    let expired = checks(&UvmEndorsement::parse(&lab().uvm_legacy(&old_did, FEED, &old, &payload("101"))).unwrap());
    assert_eq!(expired.verdict().as_str(), "pass");
    assert_eq!(expired.get("uvm-certificate-dates").unwrap().verdict, Verdict::Warn);

    let mut wrong = Checks::new();
    good.check_measurement(&SnpMeasurement([0; 48]), &mut wrong);
    assert_eq!(wrong.verdict().as_str(), "fail");
    let aks = UvmEndorsement { did: KNOWN_ISSUERS[1].did.into(), ..good.clone() };
    let test_release = UvmEndorsement { did: KNOWN_ISSUERS[0].did.into(), svn: "22".into(), ..good.clone() };
    let mut svn = Checks::new();
    test_release.check_contents(&mut svn);
    assert_eq!(svn.get("uvm-svn").unwrap().verdict, Verdict::Warn);
    let mut pairing = Checks::new();
    aks.check_contents(&mut pairing);
    assert_eq!(pairing.get("uvm-known-issuer").unwrap().verdict, Verdict::Fail);
}

#[test]
fn what_is_no_endorsement_is_refused() {
    let (chain, did) = issuer(IN_DATE);
    let good = lab().uvm_cwt(&did, FEED, 101, &chain, &[0x22; 48]);
    assert_eq!(UvmEndorsement::parse(&good).unwrap().form, Form::Cwt);
    assert!(UvmEndorsement::parse(&good[1..]).is_err(), "no tag");
    assert!(UvmEndorsement::parse(&[&good[..], &[0]].concat()).is_err(), "something after it");
    assert!(UvmEndorsement::parse(&good[..good.len() - 1]).is_err(), "cut off");
    assert!(UvmEndorsement::parse(&lab().uvm_cwt(&did, FEED, 101, &chain, &[0x22; 47])).is_err(), "length");
    assert!(UvmEndorsement::parse(&lab().uvm_cwt(&did, FEED, 101, &[], &[0x22; 48])).is_err(), "no certificates");
    assert!(UvmEndorsement::parse(&lab().uvm_legacy(&did, FEED, &chain, "{}")).is_err(), "empty payload");
    let upper = payload("101").replace("22", "AB");
    assert!(UvmEndorsement::parse(&lab().uvm_legacy(&did, FEED, &chain, &upper)).is_err(), "uppercase never matches");
    let twice = payload("101").replace('}', ",\"x-ms-sevsnpvm-guestsvn\":\"102\"}");
    assert!(UvmEndorsement::parse(&lab().uvm_legacy(&did, FEED, &chain, &twice)).is_err(), "two svn");
    let text_int = payload("101").replace('}', ",\"x-ms-sevsnpvm-guestsvn-int\":\"102\"}");
    assert!(UvmEndorsement::parse(&lab().uvm_legacy(&did, FEED, &chain, &text_int)).is_err(), "svn of another type");
    let critical = [head(0, 2), [head(4, 1), head(0, 99)].concat()];
    assert!(matches!(UvmEndorsement::parse(&lab().cose(&critical, b"{}")), Err(UvmError::Critical)));
    let headers = [head(0, 1), head(1, 34), head(0, 3), text("text/plain")];
    assert!(UvmEndorsement::parse(&lab().cose(&headers, b"{}")).is_err(), "other content type");
    assert!(UvmEndorsement::parse(b"").is_err() && UvmEndorsement::parse(b"AAAA").is_err());
}

#[test]
fn a_hash_envelope_says_of_what_and_when() {
    let (chain, did) = issuer(IN_DATE);
    let made = |kind: &str, at: u64| lab().uvm_hash_envelope(&did, FEED, 101, &chain, &[0x22; 48], kind, at);
    let read = |kind: &str, at: u64| UvmEndorsement::parse(&made(kind, at));
    let octets = read("application/octet-stream", 1_790_000_000).unwrap();
    assert_eq!(
        (octets.content_type, octets.svn.as_str(), octets.signed_at),
        (ContentType::OctetStream, "101", Some(1_790_000_000))
    );
    assert_eq!(checks(&octets).verdict().as_str(), "pass");
    assert_eq!(read("application/json", 1_790_000_000).unwrap().content_type, ContentType::Json);
    assert!(matches!(read("text/plain", 0), Err(UvmError::Header(_))));
    let early = checks(&read("application/octet-stream", 0).unwrap());
    assert_eq!(early.get("uvm-certificate-dates").unwrap().verdict, Verdict::Fail);
}

#[test]
fn real_endorsements_give_their_values() {
    let Some(folder) = fixtures() else { return };
    let folder = folder.join("snp");
    let cases = [
        ("ccf/rsa_test1.cose", FEED, "100", SvnType::Text, "02c3b0d5"),
        ("ccf/int_svn.cose", FEED, "102", SvnType::Integer, "d0c9e2be"),
        ("ccf/ecdsa_test1.cose", "ConfAKS-AMD-UVM", "1", SvnType::Text, "1b66347c"),
        ("sidecar-attest/body.uvm_reference_info.bin", FEED, "22", SvnType::Text, "51068107"),
        ("sidecar-security-context/reference-info-base64", FEED, "100", SvnType::Text, "03fea028"),
    ];
    for (name, feed, svn, svn_type, measurement) in cases {
        let uvm = UvmEndorsement::parse(&std::fs::read(folder.join(name)).unwrap()).unwrap();
        assert_eq!((uvm.feed.as_str(), uvm.svn.as_str(), uvm.svn_type), (feed, svn, svn_type), "{name}");
        assert_eq!((uvm.algorithm, uvm.form), (-38, Form::Legacy), "{name}");
        assert!(uvm.measurement.to_string().starts_with(measurement), "{name}");
        let checks = checks(&uvm);
        assert_eq!(checks.verdict().as_str(), "pass", "{name}: {checks:#?}");
        assert_eq!(checks.get("uvm-known-issuer").unwrap().verdict, Verdict::Pass);
    }
}
