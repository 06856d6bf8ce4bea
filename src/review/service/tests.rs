use super::super::node::tests::{artefacts, made_up, pinned, policy, snp_node};
use super::*;
use crate::digest::sha256;
use crate::evidence::policy::deployment;
use crate::evidence::recognise::{Evidence, EvidenceKind};

/// What is found in a policy by somebody who has `text` as the security policy.
fn found(policy: Value, text: &str) -> (Vec<ValueState>, Checks) {
    let kind = EvidenceKind::policies(deployment::find(text.as_bytes()).unwrap());
    let evidence = [Evidence { name: "policy.rego".into(), kind, digest: None }];
    let policy = serde_json::from_value(policy).unwrap();
    let mut checks = Checks::new();
    let rows = registered(&policy, &evidence, Some(CcfVersion::new(7, 0, 0)), &[], &mut checks);
    (rows.iter().map(|row| row.state).collect(), checks)
}

#[test]
fn what_is_registered_is_looked_at_as_if_it_were_proposed() {
    let open = "package policy\ncreate_container := {\"allowed\": true}\n";
    let value = hex::encode(sha256(open.as_bytes()));
    for (stored, check) in [(open, "policy-allow-all"), ("something else", "host-data")] {
        let (states, checks) = found(json!({"snp": {"hostData": {&value: stored}}}), open);
        assert_eq!(states, [ValueState::Stale]);
        assert_eq!(checks.get(check).map(|c| c.verdict), Some(Verdict::Fail), "{checks:?}");
    }
}

#[test]
fn an_entry_of_another_form_does_not_vanish() {
    let did = "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2";
    for feeds in [json!([]), json!({"ContainerPlat-AMD-UVM": {}}), json!({"ContainerPlat-AMD-UVM": {"svn": "x"}})] {
        let (states, checks) = found(json!({"snp": {"uvmEndorsements": {did: feeds}}}), "package policy\n");
        assert_eq!((states, checks.verdict().as_str()), (vec![ValueState::Unbacked], "fail"), "{checks:?}");
    }
}

fn snp_service(policy: Value) -> ShownService {
    let (node, raw) = snp_node();
    let nodes = vec![ShownNode { node, raw, itself: Checks::new() }];
    ShownService { policy: serde_json::from_value(policy).unwrap(), nodes, attested: Vec::new(), committed: true }
}

#[test]
fn a_service_passes_under_the_roots_that_signed_its_nodes_reports_and_under_no_others() {
    let ccf = Some(CcfVersion::new(7, 0, 0));
    let reviewed = review_service(&snp_service(policy()), &artefacts(), ccf, &made_up());
    assert_eq!(reviewed.checks.verdict().as_str(), "pass", "{:#?}", reviewed.checks);
    let kinds: Vec<_> = reviewed.values.iter().map(|v| (v.kind, v.state, v.nodes.len())).collect();
    let backed = |kind| (kind, ValueState::Backed, 1);
    assert_eq!(kinds, ["snp host data", "snp measurement", "snp minimum tcb"].map(backed));

    // A report that is not proved up to AMD's root is no reason for a minimum either.
    let reviewed = review_service(&snp_service(policy()), &artefacts(), ccf, &pinned());
    let failed: Vec<_> = reviewed.checks.iter().filter(|c| c.verdict == Verdict::Fail).map(|c| c.name).collect();
    assert_eq!((failed, reviewed.values[2].state), (vec!["unbacked", "node"], ValueState::Unbacked));
}

#[test]
fn what_no_node_runs_is_stale_and_what_runs_unregistered_is_named() {
    let ccf = Some(CcfVersion::new(7, 0, 0));
    let mut without_nodes = snp_service(policy());
    without_nodes.nodes.clear();
    let reviewed = review_service(&without_nodes, &artefacts(), ccf, &made_up());
    assert!(reviewed.values.iter().all(|v| v.state == ValueState::Stale), "{:?}", reviewed.values);
    let mut other = policy();
    other["snp"]["hostData"] = json!({});
    let reviewed = review_service(&snp_service(other), &artefacts(), ccf, &made_up());
    assert_eq!(reviewed.checks.get("not-registered").map(|c| c.verdict), Some(Verdict::Fail));
    let lost = ShownService { committed: false, ..snp_service(policy()) };
    assert_eq!(review_service(&lost, &artefacts(), ccf, &made_up()).checks.verdict().as_str(), "incomplete");
}
