mod vectors;

use time::macros::datetime;

use super::*;
use crate::evidence::policy::Review;
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::json;

use crate::host_data::of_policy;

const NOW: OffsetDateTime = datetime!(2026-12-01 0:00 UTC);
const DID: &str = "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2";
const POLICY: &str = r#"package policy

api_version := "0.10.0"
containers := [{"command": ["/app"], "layers": ["00"]}]
mount_device := data.framework.mount_device
unmount_device := data.framework.unmount_device
mount_overlay := data.framework.mount_overlay
unmount_overlay := data.framework.unmount_overlay
create_container := data.framework.create_container
exec_in_container := data.framework.exec_in_container
exec_external := data.framework.exec_external
shutdown_container := data.framework.shutdown_container
signal_container_process := data.framework.signal_container_process
plan9_mount := data.framework.plan9_mount
plan9_unmount := data.framework.plan9_unmount
get_properties := data.framework.get_properties
dump_stacks := data.framework.dump_stacks
runtime_logging := data.framework.runtime_logging
load_fragment := data.framework.load_fragment
"#;

fn lint(bytes: &[u8], version: Option<CcfVersion>, now: OffsetDateTime) -> Checks {
    super::lint(bytes, Catalogue::builtin(), version, now)
}

fn check(name: &str, args: Value, version: Option<&str>) -> Checks {
    let proposal = Proposal::of(vec![Action::new(name, Some(args))]);
    lint(proposal.bytes(), version.map(|v| v.parse().unwrap()), NOW)
}

/// The verdict and the detail of the worst finding of one rule.
fn says(checks: &Checks, rule: &str) -> (Verdict, String) {
    let weight =
        |v: Verdict| [Verdict::Pass, Verdict::Warn, Verdict::Incomplete, Verdict::Fail].iter().position(|w| *w == v);
    let found = checks.iter().filter(|c| c.name == rule).max_by_key(|c| weight(c.verdict));
    let found = found.unwrap_or_else(|| panic!("no {rule} in {checks:?}"));
    (found.verdict, found.detail.clone())
}

#[track_caller]
fn fails(name: &str, args: Value, rule: &str, because: &str) {
    let checks = check(name, args, None);
    let (verdict, detail) = says(&checks, rule);
    assert!(verdict == Verdict::Fail && detail.contains(because), "{verdict:?} {detail}");
    assert_eq!(checks.verdict().as_str(), "fail");
}

#[test]
fn every_example_lints_clean() {
    for template in Catalogue::builtin().templates() {
        let proposal = Proposal::of(vec![template.example()]);
        let checks = lint(proposal.bytes(), None, NOW);
        assert_eq!(checks.verdict().as_str(), "pass", "{}: {checks:#?}", template.name);
        // The example of a security policy is a part of one.
        let known = ["drops", "rules", "platform", "ccf-version", "members", "policy-contents", "application"];
        for warning in checks.iter().filter(|c| c.verdict == Verdict::Warn) {
            assert!(known.contains(&warning.name), "{}: {warning:?}", template.name);
        }
    }
}

#[test]
fn rule_names_are_kebab_case_and_stand_once() {
    for (at, rule) in RULES.iter().enumerate() {
        assert!(rule.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", rule.name);
        assert!(RULES[..at].iter().all(|other| other.name != rule.name), "{}", rule.name);
    }
}

#[test]
fn json_that_readers_could_read_differently_fails() {
    for bad in [
        &b"{\"actions\": [{\"name\": \"x\"}], \"actions\": []}"[..],
        b"{\"actions\": [{\"name\": \"x\", \"args\": {\"a\": 1, \"a\": 2}}]}",
        b"{\"actions\": [{\"name\": \"\\ud800\"}]}",
        b"{\"actions\": [{\"name\": \"\xff\"}]}",
        b"{\"actions\": [{\"name\": \"x\"}]} {}",
        b"",
    ] {
        let checks = lint(bad, None, NOW);
        assert_eq!(says(&checks, "json").0, Verdict::Fail, "{}", String::from_utf8_lossy(bad));
        assert_eq!(checks.verdict().as_str(), "fail");
    }
    assert_eq!(says(&lint(b"{\"actions\": []}", None, NOW), "shape").0, Verdict::Fail);
    let surplus = lint(b"{\"note\": 1, \"actions\": [{\"name\": \"trigger_snapshot\"}]}", None, NOW);
    assert_eq!(says(&surplus, "shape").0, Verdict::Warn);
}

#[test]
fn numbers_that_do_not_round_trip_are_found() {
    let node = "ab".repeat(32);
    for (number, verdict) in [
        ("9007199254740991", Verdict::Pass),
        ("9007199254740992", Verdict::Fail),
        ("-9007199254740992", Verdict::Fail),
        ("18446744073709551616", Verdict::Fail),
        ("0.5", Verdict::Warn),
        ("1e300", Verdict::Fail),
        ("1e999", Verdict::Fail),
        ("1e-999", Verdict::Fail),
        ("0.9382359288434663", Verdict::Warn),
        ("123456789012345.678", Verdict::Fail),
    ] {
        let text = format!(
            r#"{{"actions":[{{"name":"set_node_data","args":{{"node_id":"{node}","node_data":{{"n":{number}}}}}}}]}}"#
        );
        assert_eq!(says(&lint(text.as_bytes(), None, NOW), "numbers").0, verdict, "{number}");
    }
}

#[test]
fn digits_are_lowercase_and_as_many_as_they_must_be() {
    let upper = "AB".repeat(32);
    fails("remove_node", json!({ "node_id": upper }), "hex", "lowercase");
    fails("add_node_code", json!({ "code_id": format!("0x{}", &upper[2..]) }), "hex", "0x");
    fails("add_snp_measurement", json!({ "measurement": "ab".repeat(32) }), "hex", "96");
    fails("remove_snp_minimum_tcb_version", json!({ "cpuid": "00a00f1" }), "hex", "8");
    fails("add_snp_host_data", json!({ "host_data": format!("{} ", "ab".repeat(32)) }), "hex", "' '");
}

#[test]
fn arguments_are_held_against_the_catalogue() {
    fails("remove_node", json!({}), "arguments", "node_id is missing");
    fails("remove_node", json!([]), "arguments", "an object");
    fails("trigger_ledger_rekey", json!({}), "arguments", "not even {}");
    fails("set_recovery_threshold", json!({"recovery_threshold": 255}), "arguments", "from 1 to 254");
    fails("set_recovery_threshold", json!({"recovery_threshold": "2"}), "arguments", "whole number");
    fails("set_service_configuration", json!({"maximum_x": 1}), "arguments", "takes no \"maximum_x\"");
    fails("set_member_data", json!({"member_id": "ab".repeat(32), "member_data": []}), "arguments", "object");
    let node = json!({"node_id": "ab".repeat(32), "valid_from": "261122132527Z", "validity_period_days": null});
    fails("transition_node_to_trusted", node, "arguments", "null");
    let typo = json!({"node_id": "ab".repeat(32), "valid_from": "261122132527Z", "validity_days": 90});
    let (verdict, detail) = says(&check("transition_node_to_trusted", typo, None), "arguments");
    assert!(verdict == Verdict::Warn && detail.contains("did you mean validity_period_days?"), "{detail}");
    assert_eq!(check("remove_js_app", json!({}), None).verdict().as_str(), "pass");
    let missing = Proposal::of(vec![Action::new("remove_node", None)]);
    assert_eq!(says(&lint(missing.bytes(), None, NOW), "arguments").0, Verdict::Fail);
}

#[test]
fn unknown_actions_are_a_warning_for_constitutions_differ() {
    let checks = check("remove_nod", json!({}), None);
    let (verdict, detail) = says(&checks, "known-actions");
    assert!(verdict == Verdict::Warn && detail.contains("did you mean remove_node?"), "{detail}");
    assert_eq!(checks.verdict().as_str(), "pass");
}

#[test]
fn times_are_those_that_ccf_reads() {
    for (time, verdict) in [
        ("261122132527Z", Verdict::Pass),
        ("2026-11-22T13:25:27Z", Verdict::Pass),
        ("2026-11-22 13:25:27.123456", Verdict::Warn),
        ("2026-11-22T13:25:27-03:30", Verdict::Fail),
        ("2026-11-22", Verdict::Fail),
        ("tomorrow", Verdict::Fail),
        ("", Verdict::Fail),
    ] {
        let checks = check("set_service_certificate_validity", json!({ "valid_from": time }), None);
        assert_eq!(says(&checks, "times").0, verdict, "{time}");
    }
}

#[test]
fn host_data_mistakes_are_named() {
    let fails = |host_data: String, policy: &str, because: &str| {
        let args = json!({"host_data": host_data, "security_policy": policy});
        fails("add_snp_host_data", args, "host-data", because);
    };
    let hash = |text: &str| of_policy(text.as_bytes()).to_string();
    let base64 = BASE64_STANDARD.encode(POLICY);
    fails(hash(&base64), POLICY, "the hash of the policy's base64 text");
    fails(hash(&format!("{base64}\n")), POLICY, "base64 text with a newline");
    fails(hash(&POLICY.replace('\n', "\r\n")), POLICY, "CRLF");
    fails(hash(&format!("{POLICY}\n")), POLICY, "one newline more");
    fails(hash(POLICY.trim_end()), POLICY, "without the newline");
    fails(hash("other"), POLICY, &hash(POLICY));
    fails(hash(POLICY), &base64, "is base64, and must be the raw policy; host_data is right");
    fails(hash(&base64), &base64, "which no node has");
    let unverified = check("add_snp_host_data", json!({"host_data": hash("x"), "security_policy": ""}), None);
    assert_eq!(says(&unverified, "host-data").0, Verdict::Incomplete);
    assert_eq!(unverified.verdict().as_str(), "incomplete");
    let good = check("add_snp_host_data", json!({"host_data": hash(POLICY), "security_policy": POLICY}), None);
    assert_eq!((says(&good, "host-data").0, says(&good, "policy-contents").0), (Verdict::Pass, Verdict::Pass));
}

#[test]
fn a_policy_that_allows_everything_fails() {
    let policy = "package policy\n\nmount_device := {\"allowed\": true}\nallow_runtime_logging := true\n";
    let args = json!({"host_data": of_policy(policy.as_bytes()), "security_policy": policy});
    let checks = check("add_snp_host_data", args, None);
    let shown = Review::of(policy.as_bytes()).warnings;
    assert!(shown.iter().any(|w| w.name == "allow-all") && shown.iter().any(|w| w.name == "runtime-logging"));
    for warning in shown {
        let rule = if warning.name == "allow-all" { "policy-allow-all" } else { "policy-contents" };
        let is_told = |c: &crate::check::Check| {
            (c.name, c.verdict) == (rule, warning.verdict()) && c.detail.contains(&warning.detail)
        };
        assert!(checks.iter().any(is_told), "{warning:?}: {checks:#?}");
    }
    assert_eq!(checks.verdict().as_str(), "fail");
}

#[test]
fn what_no_platform_reads_as_its_policy_fails() {
    for policy in ["package infra\n\nsvn := \"1\"\n".to_owned(), format!("{POLICY}\n{POLICY}")] {
        let args = json!({"host_data": of_policy(policy.as_bytes()), "security_policy": policy});
        let checks = check("add_snp_host_data", args, None);
        assert!(checks.iter().any(|c| c.verdict == Verdict::Fail && c.detail.contains("package: ")), "{checks:#?}");
    }
}

#[test]
fn uvm_endorsements_are_right_for_the_version_the_feed_and_the_issuer() {
    let args = |did: &str, feed: &str, svn: Value| json!({"did": did, "feed": feed, "svn": svn});
    let uvm = |svn: Value, version: Option<&str>| {
        says(&check("add_snp_uvm_endorsement", args(DID, "ContainerPlat-AMD-UVM", svn), version), "uvm-svn")
    };
    assert_eq!(uvm(json!("100"), None).0, Verdict::Pass);
    assert_eq!(uvm(json!(100), None).0, Verdict::Fail);
    assert_eq!(uvm(json!(100), Some("4.0.14")).0, Verdict::Pass);
    assert_eq!(uvm(json!("100"), Some("4.0.14")).0, Verdict::Fail);
    assert_eq!(uvm(json!(100), Some("6.0.14")).0, Verdict::Fail);
    assert_eq!(uvm(json!("101"), Some("6.0.13")).0, Verdict::Warn);
    assert_eq!(uvm(json!("101"), Some("6.0.14")).0, Verdict::Pass);
    for bad in [json!("99"), json!("1e3"), json!(""), json!(" 100"), json!(null), json!("-1")] {
        assert_eq!(uvm(bad.clone(), None).0, Verdict::Fail, "{bad}");
    }
    let aks = DID.replace("59.1.2", "59.1.5");
    let feeds = [
        (DID, "ContainerPlat-AMD-UVM", Verdict::Pass),
        (DID, "ConfAKS-AMD-UVM", Verdict::Fail),
        (&aks, "ConfAKS-AMD-UVM", Verdict::Pass),
        (&aks, "ContainerPlat-AMD-UVM", Verdict::Fail),
        (DID, "Other", Verdict::Fail),
    ];
    for (did, feed, verdict) in feeds {
        let checks = check("add_snp_uvm_endorsement", args(did, feed, json!("100")), None);
        assert_eq!(says(&checks, "uvm-feed").0, verdict, "{did} {feed}");
    }
    for bad in ["", "did:x509:0:sha256:AAAA::eku:1.2", "did:web:x", &DID.replace("::eku", ":eku"), &DID[..64]] {
        let checks = check("add_snp_uvm_endorsement", args(bad, "ContainerPlat-AMD-UVM", json!("100")), None);
        assert_eq!(says(&checks, "uvm-did").0, Verdict::Fail, "{bad}");
    }
}

#[test]
fn minimum_tcb_versions_are_such_that_nodes_can_meet_them() {
    let tcb = |cpuid: &str, version: Value| {
        says(&check("set_snp_minimum_tcb_version", json!({"cpuid": cpuid, "tcb_version": version}), None), "tcb")
    };
    let milan = json!({"boot_loader": 4, "tee": 0, "snp": 24, "microcode": 219});
    let turin = json!({"fmc": 1, "boot_loader": 4, "tee": 0, "snp": 24, "microcode": 219});
    assert_eq!(tcb("00a00f11", milan.clone()).0, Verdict::Pass);
    assert_eq!(tcb("00a00f11", turin.clone()).0, Verdict::Fail);
    assert_eq!(tcb("00b00f11", milan.clone()).0, Verdict::Fail);
    assert_eq!(tcb("00b00f11", turin.clone()).0, Verdict::Fail);
    assert_eq!(tcb("00b00f21", turin).0, Verdict::Warn);
    assert_eq!(tcb("00000000", milan).0, Verdict::Fail);
    assert_eq!(tcb("00a00f11", json!({"boot_loader": 4, "tee": 0, "snp": 24})).0, Verdict::Fail);
    assert_eq!(tcb("00a00f11", json!({"boot_loader": 4, "tee": 0, "snp": 24, "microcode": 256})).0, Verdict::Fail);
    let hex = |version: &str| {
        says(
            &check("set_snp_minimum_tcb_version_hex", json!({"cpuid": "00a00f11", "tcb_version": version}), None),
            "tcb",
        )
    };
    assert_eq!(hex("db18000000000004").0, Verdict::Pass);
    let (verdict, detail) = hex("04000000000018db");
    assert!(verdict == Verdict::Fail && detail.contains("reverse order"), "{detail}");
    assert_eq!(hex("db18000001000004").0, Verdict::Fail);
}

#[test]
fn platforms_and_versions_are_looked_at() {
    let virt = check("add_virtual_host_data", json!({"host_data": "ab".repeat(32)}), None);
    assert_eq!(says(&virt, "platform").0, Verdict::Warn);
    let sgx = |version| says(&check("add_node_code", json!({"code_id": "ab".repeat(32)}), version), "platform").0;
    assert_eq!((sgx(None), sgx(Some("5.0.1")), sgx(Some("6.0.0"))), (Verdict::Warn, Verdict::Warn, Verdict::Fail));
    let hex = json!({"cpuid": "00a00f11", "tcb_version": "db18000000000004"});
    let at = |version| says(&check("set_snp_minimum_tcb_version_hex", hex.clone(), Some(version)), "ccf-version").0;
    assert_eq!((at("6.0.8"), at("6.0.9")), (Verdict::Fail, Verdict::Pass));
    let acme = |version| says(&check("trigger_acme_refresh", json!({}), version), "ccf-version").0;
    assert_eq!((acme(None), acme(Some("6.0.0")), acme(Some("7.0.0"))), (Verdict::Warn, Verdict::Pass, Verdict::Fail));
    let policy = |version| says(&check("remove_node_join_policy", json!({}), Some(version)), "ccf-version");
    assert_eq!(policy("7.0.0-dev12").0, Verdict::Pass);
    assert_eq!(
        policy("7.0.0-dev11"),
        (
            Verdict::Fail,
            "action 1 (remove_node_join_policy): came with CCF 7.0.0-dev12, and the service runs 7.0.0-dev11".into()
        )
    );
    assert!(policy("7.0.0-dev11-3-gb1e55ed").1.contains("is a build on the way to 7.0.0-dev12"));
    let (verdict, newer) = policy("7.0.26");
    assert!(verdict == Verdict::Warn && newer.contains("newer than this tool knows (CCF 7.0.25)"), "{newer}");
    let without = |version| says(&check("remove_node_join_policy", json!({}), Some(version)), "join-policy-script").0;
    assert_eq!(
        (without("7.0.0-dev12"), without("7.0.0-rc2"), without("6.0.28")),
        (Verdict::Warn, Verdict::Pass, Verdict::Pass)
    );
    let gone = says(&check("remove_node_code", json!({"code_id": "ab".repeat(32)}), Some("7.0.3")), "ccf-version");
    assert!(gone.0 == Verdict::Warn && gone.1.contains("not known"), "{}", gone.1);
}

#[test]
fn what_a_proposal_would_do_is_looked_at() {
    fails("set_constitution", json!({"constitution": "export function validate(i) {}"}), "constitution", "apply");
    let listed = "function validate(i){} function resolve(p, i, v){} function f(p, i){}\nexport { validate, resolve, f as apply };";
    assert_eq!(check("set_constitution", json!({"constitution": listed}), None).verdict().as_str(), "pass");
    fails("set_js_app", json!({"bundle": {"metadata": {"endpoints": {}}}}), "application", "modules");
    let refresh = json!({"issuer": "http://x", "auto_refresh": true, "ca_cert_bundle_name": "x"});
    fails("set_jwt_issuer", refresh, "token-issuer", "https://");
    let key = "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n";
    fails("set_user", json!({ "cert": key }), "no-private-key", "private key");
    let remove = Action::new("remove_virtual_host_data", Some(json!({"host_data": "ab".repeat(32)})));
    let add = Action::new("add_virtual_host_data", Some(json!({"host_data": "ab".repeat(32)})));
    let both = lint(Proposal::of(vec![add.clone(), remove]).bytes(), None, NOW);
    assert_eq!(says(&both, "contradictions").0, Verdict::Fail);
    let twice = lint(Proposal::of(vec![add.clone(), add]).bytes(), None, NOW);
    assert_eq!(says(&twice, "contradictions").0, Verdict::Warn);
    assert_eq!(says(&twice, "drops").0, Verdict::Warn);
}

#[test]
fn only_a_rule_that_fails_keeps_a_proposal_back() {
    let mut found = Checks::new();
    found.pass("a", "");
    found.warn("b", "");
    found.incomplete("c", "");
    assert_eq!(keeps_back(&found), None);
    found.fail("d", "");
    found.fail("e", "");
    assert_eq!(keeps_back(&found).map(|check| check.name), Some("d"));
}
