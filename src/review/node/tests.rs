use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use time::OffsetDateTime;
use time::macros::datetime;

use super::*;
use crate::check::Verdict;
use crate::digest::SnpMeasurement;
use crate::evidence::policy::deployment;
use crate::evidence::snp::testing::lab;
use crate::evidence::snp::{Root, Roots};
use crate::processor::Product;

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
const POLICY: &str = "package policy\n\napi_version := \"0.10.0\"\n";
const CCF: Option<CcfVersion> = Some(CcfVersion::new(7, 0, 0));

/// The made-up AMD's root.
pub fn made_up() -> Trust {
    let root = Root { product: Product::Milan, spki_sha256: sha256(&lab().ark.spki()) };
    Trust { amd: Roots::new(vec![root]), ..pinned() }
}

/// AMD's own roots, at the same moment.
pub fn pinned() -> Trust {
    Trust::pinned(NOW)
}

/// A pending SNP node, and the service's JSON of it: a report signed by the made-up AMD's chip, with its certificates.
pub fn snp_node() -> (Node, Value) {
    let report = lab().report(|report| report[0xc0..0xe0].copy_from_slice(&sha256(POLICY.as_bytes())));
    let chain: String = lab().chain().into_iter().map(|der| pem::encode(&pem::Pem::new("CERTIFICATE", der))).collect();
    let raw = json!({
        "nodeId": "11".repeat(32),
        "status": "Pending",
        "quoteInfo": {
            "format": "AMD_SEV_SNP_v1",
            "raw": BASE64_STANDARD.encode(report),
            "endorsements": BASE64_STANDARD.encode(chain),
        },
    });
    (serde_json::from_value(raw.clone()).unwrap(), raw)
}

/// What a service that admits the node has registered, and nothing else.
pub fn policy() -> Value {
    json!({"snp": {
        "hostData": {hex::encode(sha256(POLICY.as_bytes())): POLICY},
        "measurements": ["22".repeat(48)],
        "tcbVersions": {"00a00f11": {"boot_loader": 4, "tee": 0, "snp": 24, "microcode": 219}},
    }})
}

/// What the node runs.
pub fn artefacts() -> Vec<Evidence> {
    let policies = EvidenceKind::policies(deployment::find(POLICY.as_bytes()).unwrap());
    let launch = EvidenceKind::Launch(SnpMeasurement([0x22; 48]));
    let item = |name: &str, kind| Evidence { name: name.to_owned(), kind, digest: None };
    vec![item("policy.rego", policies), item("the launch", launch)]
}

fn review(policy: Value, evidence: &[Evidence], trust: &Trust) -> Checks {
    let (node, raw) = snp_node();
    let (attestation, mut checks) = gather(Attestation::of(Some(node.node_id)), node.node_id, &raw, &[]);
    let policy = serde_json::from_value(policy).unwrap();
    let outcome = check(node.node_id, &node, &attestation, &policy, CCF, trust).unwrap();
    checks.append(outcome.checks.clone());
    checks.append(against_artefacts(&outcome, evidence));
    checks
}

fn open(checks: &Checks) -> Vec<&'static str> {
    let open = |verdict| matches!(verdict, Verdict::Fail | Verdict::Incomplete);
    checks.iter().filter(|c| open(c.verdict)).map(|c| c.name).collect()
}

#[test]
fn a_node_passes_under_the_roots_that_signed_its_report_and_under_no_others() {
    let checks = review(policy(), &artefacts(), &made_up());
    assert_eq!(checks.verdict().as_str(), "pass", "{checks:#?}");
    assert_eq!(open(&review(policy(), &artefacts(), &pinned())), ["ark-pinned"]);
    let at = datetime!(2099-01-01 0:00 UTC);
    let late = Trust { amd: made_up().amd, ..Trust::pinned(at) };
    assert_eq!(
        review(policy(), &artefacts(), &late).verdict().as_str(),
        "fail",
        "its certificates have expired by then"
    );
}

#[test]
fn a_node_that_the_join_policy_does_not_admit_fails_by_the_rule() {
    for (path, value, name) in [
        ("/snp/hostData", json!({"33".repeat(32): ""}), "policy-host-data"),
        ("/snp/measurements", json!(["44".repeat(48)]), "policy-measurement"),
        // What cannot be read admits nobody.
        ("/snp/measurements", json!(["22".repeat(48) + "0"]), "policy-measurement"),
        ("/snp/tcbVersions/00a00f11/snp", json!(25), "policy-minimum-tcb"),
        ("/snp/tcbVersions/00a00f11", json!("24"), "policy-minimum-tcb"),
        ("/snp/tcbVersions", json!({}), "policy-minimum-tcb"),
    ] {
        let mut policy = policy();
        *policy.pointer_mut(path).unwrap() = value;
        assert_eq!(open(&review(policy.clone(), &artefacts(), &made_up())), [name], "{policy}");
    }
}

#[test]
fn a_node_that_runs_something_else_than_the_artefacts_fails_and_without_any_the_answer_is_open() {
    let artefacts = artefacts();
    assert_eq!(open(&review(policy(), &artefacts[..1], &made_up())), ["artefact-measurement"]);
    assert_eq!(open(&review(policy(), &artefacts[1..], &made_up())), ["artefact-host-data"]);
    assert_eq!(review(policy(), &[], &made_up()).verdict().as_str(), "incomplete");
}

#[test]
fn what_the_service_gives_of_a_node_and_cannot_be_read_is_reported() {
    let (node, mut raw) = snp_node();
    raw["quoteInfo"]["raw"] = json!(BASE64_STANDARD.encode("nothing"));
    let (attestation, problems) = gather(Attestation::of(Some(node.node_id)), node.node_id, &raw, &[]);
    assert_eq!(open(&problems), ["service-attestation"]);
    let policy = serde_json::from_value(policy()).unwrap();
    assert!(check(node.node_id, &node, &attestation, &policy, CCF, &made_up()).is_none());
    assert_eq!(without_attestation(node.node_id, &node).verdict().as_str(), "incomplete");
}

#[test]
fn a_node_that_is_answered_in_place_of_the_one_asked_for_does_not_pass() {
    let asked = NodeId::from_bytes([0x22; 32]);
    let certificate = pem::encode(&pem::Pem::new("CERTIFICATE", lab().chain().remove(0)));
    let key = sha256(crate::certificate::parse(&lab().chain()[0]).unwrap().public_key().raw);
    let claim = json!({
        "host_data": "11".repeat(32),
        "measurement": crate::evidence::virt::MEASUREMENT,
        "report_data": BASE64_STANDARD.encode(key),
    });
    let raw = json!({
        "nodeId": hex::encode(key),
        "status": "Pending",
        "certificate": certificate,
        "quoteInfo": {"format": "Insecure_Virtual", "raw": BASE64_STANDARD.encode(claim.to_string())},
    });
    let answered: Node = serde_json::from_value(raw.clone()).unwrap();
    let (attestation, _) = gather(Attestation::of(Some(asked)), asked, &raw, &[]);
    let policy = serde_json::from_value(json!({})).unwrap();
    let of = |id| check(id, &answered, &attestation, &policy, CCF, &made_up()).unwrap().checks;
    let verdicts = |id| {
        let checks = of(id);
        ["node-id", "node-certificate"].map(|name| checks.get(name).map(|check| check.verdict))
    };
    assert_eq!(verdicts(answered.node_id), [Some(Verdict::Pass); 2]);
    assert_eq!(verdicts(asked), [Some(Verdict::Fail); 2]);
}
