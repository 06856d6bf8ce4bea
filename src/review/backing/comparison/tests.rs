use serde_json::json;

use super::super::{Terms, judge, verify};
use super::*;
use crate::evidence::policy::deployment::Found;
use crate::evidence::recognise::EvidenceKind;

#[test]
fn how_a_policy_was_found_is_told() {
    let remark = Some("it is a default".to_owned());
    let found = Found { name: Some("g".into()), policy: b"package policy\n".to_vec(), remark };
    let given = Evidence { name: "t.json".into(), kind: EvidenceKind::policies(vec![found]), digest: None };
    let checks = judge(&[given]);
    assert_eq!(checks.get("policy-source").map(|c| c.detail.as_str()), Some("t.json (g): it is a default"));
}

#[test]
fn groups_of_one_name_are_each_looked_at() {
    let group = |policy: &str| Found { name: Some("g".into()), policy: policy.into(), remark: None };
    let policies = ["package policy\n", "package policy\ncreate_container := {\"allowed\": true}\n"];
    let found = policies.map(group).to_vec();
    let register = |found: &Found| {
        let policy = String::from_utf8(found.policy.clone()).unwrap();
        Action::new("add_snp_host_data", Some(json!({"host_data": found.host_data(), "security_policy": policy})))
    };
    let actions = found.iter().map(register).collect();
    let given = Evidence { name: "t.json".into(), kind: EvidenceKind::policies(found), digest: None };
    let checks = verify(&Proposal::of(actions), &[given], &Terms::default()).checks;
    assert_eq!((checks.verdict(), checks.get("policy-allow-all").is_some()), ("fail", true), "{checks:#?}");
}

#[test]
fn values_that_are_undone_are_no_pass() {
    let measurement = crate::evidence::virt::MEASUREMENT;
    let add = Action::new("add_virtual_measurement", Some(json!({"measurement": measurement})));
    let remove = Action::new("remove_virtual_measurement", Some(json!({"measurement": measurement})));
    let outcome = |actions: &[&Action]| {
        let proposal = Proposal::of(actions.iter().map(|a| (*a).clone()).collect());
        let checks = verify(&proposal, &[], &Terms::default()).checks;
        (checks.verdict(), checks.get("contradictions").map(|c| c.detail.clone()))
    };
    assert_eq!(outcome(&[&add]).0, "pass");
    assert_eq!(outcome(&[&add, &add]), ("pass", None));
    for both in [[&add, &remove], [&remove, &add]] {
        let (verdict, detail) = outcome(&both);
        assert_eq!(verdict, "fail");
        assert!(detail.unwrap().contains("virtual measurement"));
    }
}
