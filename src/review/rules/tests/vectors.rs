//! Whole proposals on which it must not be wrong.

use super::*;

macro_rules! vector {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/vectors/proposals/", $name, ".json"))
    };
}

fn says_of(proposal: &[u8], version: Option<&str>, rule: &str) -> (Verdict, String) {
    says(&lint(proposal, version.map(|v| v.parse().unwrap()), NOW), rule)
}

/// It warns where the version is not known or older than 7.0.5, and names that; from there on it fails.
#[track_caller]
fn strict_since_7_0_5(proposal: &[u8], rule: &str, because: &str) {
    for (version, verdict) in [
        (None, Verdict::Warn),
        (Some("6.0.18"), Verdict::Warn),
        (Some("7.0.4"), Verdict::Warn),
        (Some("7.0.5"), Verdict::Fail),
        (Some("7.0.25"), Verdict::Fail),
    ] {
        let (found, detail) = says_of(proposal, version, rule);
        assert!(found == verdict && detail.contains(because), "{version:?}: {found:?} {detail}");
        assert_eq!(detail.contains("CCF 7.0.5 and later refuse it"), verdict == Verdict::Warn, "{detail}");
    }
}

#[test]
fn private_keys() {
    let (verdict, detail) = says_of(vector!("jwks-private-member"), None, "no-private-key");
    assert!(verdict == Verdict::Fail && detail.starts_with("actions[0].args.jwks.keys[0] holds"), "{detail}");
}

#[test]
fn keys_of_issuers() {
    for version in [None, Some("5.0.1"), Some("7.0.5")] {
        assert_eq!(says_of(vector!("jwks-without-kid"), version, "token-keys").0, Verdict::Fail);
        assert_eq!(says_of(vector!("jwks-kty-oct"), version, "token-keys").0, Verdict::Fail);
    }
    strict_since_7_0_5(vector!("jwks-alg-none"), "token-keys", "keys[0].alg is \"none\"");
    strict_since_7_0_5(vector!("issuer-http"), "token-issuer", "https://");
    assert_eq!(says_of(vector!("issuer-http"), None, "token-keys").0, Verdict::Pass);
    for issuer in ["https://", "https:///x", "https://x?y", "https://x#y", "x"] {
        let proposal = Proposal::of(vec![Action::new("set_jwt_issuer", Some(json!({"issuer": issuer})))]);
        strict_since_7_0_5(proposal.bytes(), "token-issuer", "https://");
    }
}

#[test]
fn bundles_of_authorities() {
    strict_since_7_0_5(vector!("ca-expired"), "ca-bundle", "expired on 2012-01-01");
    let bundle = |text: &str| {
        let args = json!({"name": "x", "cert_bundle": text});
        Proposal::of(vec![Action::new("set_ca_cert_bundle", Some(args))]).bytes().to_vec()
    };
    let leaf = include_str!("../../../../keys-example/member0_cert.pem");
    strict_since_7_0_5(&bundle(leaf), "ca-bundle", "is not an authority's");
    let expired: Value = serde_json::from_slice(vector!("ca-expired")).unwrap();
    let expired = expired["actions"][0]["args"]["cert_bundle"].as_str().unwrap();
    let outside = lint(&bundle(&format!("# the root\n{expired}")), None, NOW);
    assert!(outside.iter().any(|check| check.detail.contains("text outside of the certificates")), "{outside:?}");
}

#[test]
fn keys_too_weak_for_a_share() {
    let (verdict, detail) = says_of(vector!("member-encryption-key-of-512-bits"), None, "certificates");
    assert!(verdict == Verdict::Fail && detail.contains("512 bits"), "{detail}");
}

#[test]
fn minimums_that_no_processor_meets() {
    let (verdict, detail) = says_of(vector!("minimum-tcb-of-255"), None, "tcb");
    assert!(verdict == Verdict::Warn && detail.contains("no Milan node could join"), "{detail}");
    let hex = json!({"cpuid": "00a00f11", "tcb_version": "ff18000000000004"});
    let (verdict, detail) = says(&check("set_snp_minimum_tcb_version_hex", hex, None), "tcb");
    assert!(verdict == Verdict::Warn && detail.contains("microcode at 255"), "{detail}");
}

#[test]
fn wrong_entries_can_be_removed() {
    let checks = lint(vector!("remove-uppercase-host-data"), None, NOW);
    let (verdict, detail) = says(&checks, "hex");
    assert!(verdict == Verdict::Warn && detail.contains("written exactly so"), "{detail}");
    assert_eq!(checks.verdict().as_str(), "pass");
    let uvm = check("remove_snp_uvm_endorsement", json!({"did": "did:x509:wrong", "feed": "wrong"}), None);
    assert_eq!((says(&uvm, "uvm-did").0, uvm.verdict().as_str()), (Verdict::Warn, "pass"));
    let feed = check("remove_snp_uvm_endorsement", json!({"did": DID, "feed": "ConfAKS-AMD-UVM"}), None);
    assert_eq!((says(&feed, "uvm-feed").0, feed.verdict().as_str()), (Verdict::Warn, "pass"));
}

#[test]
fn applications() {
    let all = |proposal: &[u8]| {
        let checks = lint(proposal, None, NOW);
        checks.iter().filter(|c| c.name == "application").map(|c| (c.verdict, c.detail.clone())).collect::<Vec<_>>()
    };
    let has = |found: &[(Verdict, String)], verdict, says: &str| {
        assert!(found.iter().any(|(v, detail)| *v == verdict && detail.contains(says)), "{says}: {found:?}");
    };
    let syntax = all(vector!("application-syntax-error"));
    has(&syntax, Verdict::Fail, "module \"endpoints/contracts.js\", line 1: SyntaxError");
    has(&syntax, Verdict::Fail, "module \"endpoints/contracts.js.map\", line 1: SyntaxError");
    has(&all(vector!("application-unknown-policy")), Verdict::Fail, "no authentication policy \"member_certificate\"");
    has(&all(vector!("application-method-twice")), Verdict::Fail, "/contracts has both \"get\" and \"GET\"");
    let open = all(vector!("application-open-endpoint"));
    has(&open, Verdict::Warn, "GET /contracts is open to everybody");
    assert!(open.iter().all(|(_, detail)| !detail.contains("/enc")), "{open:?}");
}

#[test]
fn constitutions() {
    let words = "// export function validate, export function resolve, export function apply\n";
    fails("set_constitution", json!({ "constitution": words }), "constitution", "does not export");
    let broken = format!("{}\nlet x = ;", crate::constitution::DEFAULT);
    let lines = broken.lines().count();
    fails("set_constitution", json!({ "constitution": broken }), "constitution", &format!("line {lines}: SyntaxError"));
    let ours = json!({"constitution": crate::constitution::DEFAULT});
    assert_eq!(says(&check("set_constitution", ours, None), "constitution").0, Verdict::Pass);
    fails("set_node_join_policy", json!({"policy": "function apply() {}"}), "join-policy-script", "apply");
}

#[test]
fn very_many_scripts_are_not_all_compiled() {
    let set = |n: usize| Action::new("set_constitution", Some(json!({ "constitution": format!("// {n}") })));
    let many = lint(Proposal::of((0..100).map(set).collect()).bytes(), None, NOW);
    assert_eq!(many.iter().filter(|c| c.name == "constitution" && c.verdict == Verdict::Incomplete).count(), 92);
}
