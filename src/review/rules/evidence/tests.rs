use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;
use crate::digest::{HostData, SnpMeasurement};
use crate::evidence::policy::deployment::{self, FoundPolicy};
use crate::evidence::snp::Report;
use crate::evidence::snp::testing::{IN_DATE, lab};
use crate::evidence::snp::uvm::{ContentType, Form, SvnType, UvmEndorsement};

const POLICY: &str = "package policy\n\napi_version := \"0.10.0\"\n";
const FEED: &str = "ContainerPlat-AMD-UVM";
const DID: &str = "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2";

fn evidence(kind: EvidenceKind) -> Evidence {
    Evidence { name: "the file".into(), kind, digest: Some(sha256(b"the file")) }
}

fn report(change: impl FnOnce(&mut [u8]), valid: bool) -> Evidence {
    let report = Box::new(Report::parse(&lab().report(change)).unwrap());
    evidence(EvidenceKind::Report { report, valid, why: "its endorsements are missing".into() })
}

fn uvm(svn: &str, valid: bool) -> Evidence {
    let chain = lab().uvm_chain(IN_DATE);
    let made_up = lab().uvm_did(&BASE64_URL_SAFE_NO_PAD.encode(sha256(&chain[1])));
    let payload = format!(
        r#"{{"x-ms-sevsnpvm-launchmeasurement":"{}","x-ms-sevsnpvm-guestsvn":"{svn}"}}"#,
        "0123456789abcdef".repeat(6)
    );
    let mut endorsement = UvmEndorsement::parse(&lab().uvm_legacy(&made_up, FEED, &chain, &payload)).unwrap();
    assert_eq!((endorsement.form, endorsement.svn_type), (Form::Legacy, SvnType::Text));
    endorsement.did = DID.into();
    evidence(EvidenceKind::Uvm { uvm: Box::new(endorsement), valid })
}

#[test]
fn an_endorsement_that_the_service_cannot_read_backs_nothing() {
    let name = "add_snp_uvm_endorsement";
    let args = json!({"did": DID, "feed": FEED, "svn": "101"});
    let envelope = |kind: ContentType| {
        let mut item = uvm("101", true);
        let EvidenceKind::Uvm { uvm: endorsement, .. } = &mut item.kind else { unreachable!() };
        (endorsement.form, endorsement.content_type) = (Form::Cwt, kind);
        [item]
    };
    let octets = envelope(ContentType::OctetStream);
    for version in [None, Some("7.0.0-dev8"), Some("7.0.25")] {
        passes(name, args.clone(), &octets, version);
    }
    for version in ["6.0.18", "7.0.0-dev5", "7.0.0-dev7"] {
        fails(name, args.clone(), &octets, Some(version), "cannot read");
    }
    fails(name, args.clone(), &envelope(ContentType::Json), Some("7.0.0"), "cannot read");
    assert_eq!(verify_one(name, args.clone(), &octets, Some("6.0.25")).verdict().as_str(), "incomplete");
    // Beside one that can be read, it does no harm.
    let both = [octets, [uvm("101", true)]].concat();
    passes(name, args, &both, Some("6.0.18"));
}

#[test]
fn a_minimum_that_no_node_of_the_service_meets_is_told() {
    let name = "set_snp_minimum_tcb_version";
    let tcb = |value: u8| json!({"boot_loader": value, "tee": value, "snp": value, "microcode": value});
    let highest = verify_one(name, json!({"cpuid": "00a00f11", "tcb_version": tcb(255)}), &[], None);
    warns(&highest, "tcb", "no firmware is known that has it");
    assert_eq!(highest.verdict().as_str(), "fail");
    let turin = |cpuid: &str| {
        let mut least = tcb(1);
        least["fmc"] = json!(1);
        json!({"cpuid": cpuid, "tcb_version": least})
    };
    fails(name, turin("00b00f11"), &[], Some("7.0.21"), "knows Turin as 00b00f21");
    fails(name, turin("00b00f21"), &[], Some("6.0.24"), "lets no Turin processor join");
    assert!(verify_one(name, turin("00b00f21"), &[], Some("6.0.25")).get("tcb").is_none());
}

#[test]
fn a_version_newer_than_the_table_is_reported() {
    let proposal = Proposal::of(Vec::new());
    let checks = |version: &str| {
        let ccf = Some(version.parse().unwrap());
        verify(&proposal, &[], &Terms { ccf, ..Terms::default() }, None).checks
    };
    assert!(checks("7.0.25").get("ccf-version").is_none());
    assert_eq!(checks("7.0.26").get("ccf-version").unwrap().verdict, Verdict::Warn);
    assert_eq!(checks("8.0.0").get("ccf-version").unwrap().verdict, Verdict::Incomplete);
}

#[test]
fn an_issuer_that_nobody_knows_backs_nothing_alone() {
    let mut item = uvm("101", true);
    let EvidenceKind::Uvm { uvm: endorsement, .. } = &mut item.kind else { unreachable!() };
    endorsement.did = DID.replace("I__", "J__");
    let measurement = json!({"measurement": endorsement.measurement});
    let known = verify_one("add_snp_measurement", measurement.clone(), &[uvm("101", true)], None);
    let unknown = verify_one("add_snp_measurement", measurement, &[item], None);
    assert_eq!((known.verdict().as_str(), unknown.verdict().as_str()), ("pass", "incomplete"));
}

fn policy(policy: &str) -> Evidence {
    evidence(EvidenceKind::policies(deployment::find(policy.as_bytes()).unwrap()))
}

fn verify_one(name: &str, args: Value, evidence: &[Evidence], ccf: Option<&str>) -> Checks {
    let proposal = Proposal::of(vec![Action::new(name, Some(args))]);
    let ccf = ccf.map(|version| version.parse().unwrap());
    verify(&proposal, evidence, &Terms { ccf, ..Terms::default() }, None).checks
}

#[track_caller]
fn passes(name: &str, args: Value, evidence: &[Evidence], ccf: Option<&str>) -> Checks {
    let checks = verify_one(name, args, evidence, ccf);
    assert_eq!(checks.get(name).map(|c| c.verdict), Some(Verdict::Pass), "{checks:#?}");
    checks
}

/// The action fails, and `because` is what is said of it.
#[track_caller]
fn fails(name: &str, args: Value, evidence: &[Evidence], ccf: Option<&str>, because: &str) {
    let checks = verify_one(name, args.clone(), evidence, ccf);
    let told = checks.iter().any(|c| c.verdict == Verdict::Fail && c.detail.contains(because));
    assert!(told, "{name} {args}: {because}: {checks:#?}");
    assert_eq!(checks.verdict().as_str(), "fail");
}

#[track_caller]
fn warns(checks: &Checks, name: &str, because: &str) {
    let told = checks.iter().any(|c| c.name == name && c.verdict == Verdict::Warn && c.detail.contains(because));
    assert!(told, "{name} {because}: {checks:#?}");
}

fn reversed(hex_text: &str) -> String {
    let mut bytes = hex::decode(hex_text).unwrap();
    bytes.reverse();
    hex::encode(bytes)
}

#[test]
fn every_mistake_in_host_data_is_called_by_its_name() {
    let name = "add_snp_host_data";
    let right = hex::encode(sha256(POLICY.as_bytes()));
    let args = |host_data: &str| json!({"host_data": host_data, "security_policy": POLICY});
    let base64 = BASE64_STANDARD.encode(POLICY);
    passes(name, args(&right), &[policy(POLICY)], None);
    passes(name, args(&right), &[policy(&base64)], None);
    passes("remove_snp_host_data", json!({"host_data": right}), &[policy(POLICY)], None);
    let hash = |text: &str| hex::encode(sha256(text.as_bytes()));
    for (host_data, because) in [
        (hash(&base64), "base64 text"),
        (hash(&format!("{base64}\n")), "base64 text with a newline"),
        (hash(&POLICY.replace('\n', "\r\n")), "CRLF"),
        (hash(&format!("{POLICY}\n")), "newline more"),
        (hash(POLICY.trim_end()), "without the newline"),
        (hash("the file"), "SHA-256 of the file the file as it stands"),
        (right.to_uppercase(), "lowercase"),
        (format!("0x{right}"), "0x"),
        (format!("{right}\n"), "not a hexadecimal digit"),
        (right[..62].to_owned(), "62 characters"),
        (reversed(&right), "reverse order"),
        (hash("anything"), "no evidence backs it"),
    ] {
        for name in ["add_snp_host_data", "remove_snp_host_data"] {
            fails(name, args(&host_data), &[policy(POLICY)], None, because);
        }
    }
    let with = |policy: Value| json!({"host_data": right, "security_policy": policy});
    fails(name, with(json!(base64)), &[policy(POLICY)], None, "is base64");
    fails(name, with(json!(format!("{POLICY}\n"))), &[policy(POLICY)], None, "newline more");
    fails(name, with(json!(7)), &[policy(POLICY)], None, "security_policy is missing or not text");
    warns(&passes(name, with(json!("")), &[policy(POLICY)], None), "host-data", "is empty");
    let open = "package policy\nmount_device := {\"allowed\": true}\n";
    let args = json!({"host_data": hash(open), "security_policy": open});
    fails(name, args, &[policy(open)], None, "everything is admitted");
    // The policy in the proposal is looked at as well, whatever backs its hash.
    let node_with = |policy: &str| report(|r| r[0xc0..0xe0].copy_from_slice(&sha256(policy.as_bytes())), true);
    let args = json!({"host_data": hash(open), "security_policy": open});
    fails(name, args, &[node_with(open)], None, "everything is admitted");
    let args = json!({"host_data": right, "security_policy": POLICY});
    assert_eq!(
        passes(name, args, &[node_with(POLICY)], None).get("policy-contents").map(|c| c.verdict),
        Some(Verdict::Warn)
    );
    // A report shows that a node runs with it, if it is one, and not what that admits.
    let node = json!({"host_data": "33".repeat(32), "security_policy": ""});
    let unknown = passes(name, node.clone(), &[report(|_| {}, true)], None);
    assert_eq!(
        (unknown.verdict().as_str(), unknown.get("policy-contents").map(|c| c.verdict)),
        ("incomplete", Some(Verdict::Incomplete))
    );
    let removed = json!({"host_data": "33".repeat(32)});
    assert_eq!(passes("remove_snp_host_data", removed, &[report(|_| {}, true)], None).verdict().as_str(), "pass");
    fails(name, node, &[report(|_| {}, false)], None, "not verified");
}

#[test]
fn every_mistake_in_a_measurement_is_called_by_its_name() {
    let name = "add_snp_measurement";
    let args = |measurement: &str| json!({"measurement": measurement});
    let right = "0123456789abcdef".repeat(6);
    let moot = passes(name, args(&right), &[uvm("101", true)], None);
    warns(&moot, "snp-measurement", "UVM endorsement");
    passes(name, args(&"22".repeat(48)), &[report(|_| {}, true)], None);
    passes("remove_snp_measurement", args(&right), &[uvm("101", true)], None);
    for (measurement, because) in [
        (right.to_uppercase(), "lowercase"),
        (format!("0x{right}"), "0x"),
        (right[..64].to_owned(), "64 characters"),
        (reversed(&right), "reverse order"),
        ("00".repeat(48), "no evidence"),
    ] {
        for name in ["add_snp_measurement", "remove_snp_measurement"] {
            fails(name, args(&measurement), &[uvm("101", true)], None, because);
        }
    }
    fails(name, args(&right), &[uvm("101", false)], None, "did not pass its own checks");
    fails(name, args(&"22".repeat(48)), &[report(|_| {}, false)], None, "did not pass its own checks");
    assert_eq!(SnpMeasurement([0x22; 48]).to_string(), "22".repeat(48));
}

#[test]
fn every_mistake_in_a_uvm_endorsement_is_called_by_its_name() {
    let name = "add_snp_uvm_endorsement";
    let args = |did: &str, feed: &str, svn: Value| json!({"did": did, "feed": feed, "svn": svn});
    let good = || args(DID, FEED, json!("101"));
    let given = [uvm("101", true)];
    for ccf in [None, Some("5.0.1"), Some("6.0.14"), Some("7.0.0")] {
        passes(name, good(), &given, ccf);
        fails(name, args(DID, FEED, json!(101)), &given, ccf, "svn is a number");
    }
    passes(name, args(DID, FEED, json!(101)), &given, Some("4.0.1"));
    fails(name, good(), &given, Some("4.0.1"), "CCF 4 takes a number");
    fails(name, args(DID, FEED, json!("102")), &given, None, "above the endorsement's 101");
    fails(name, args(DID, FEED, json!("1x")), &given, None, "decimal digits");
    fails(name, args(DID, FEED, json!(null)), &given, None, "decimal digits");
    fails(name, args(DID, "ConfAKS-AMD-UVM", json!("101")), &given, None, "wrong feed");
    let aks = DID.replace("59.1.2", "59.1.5");
    fails(name, args(&aks, FEED, json!("101")), &given, None, "wrong issuer");
    fails(name, args("x509:0:sha256:AA", FEED, json!("101")), &given, None, "not a did:x509");
    fails(name, args(DID, FEED, json!("101")), &[uvm("101", false)], None, "do not hold");
    fails(name, args(DID, FEED, json!("101")), &[], None, "no evidence");
    warns(&passes(name, args(DID, FEED, json!("100")), &given, None), "uvm-svn", "older images");
    fails(name, args(DID, FEED, json!("99")), &given, None, "is below 100");
    // As text "99" is above "101".
    fails(name, args(DID, FEED, json!("99")), &given, Some("6.0.13"), "compares svn as text");
    warns(&passes(name, good(), &given, Some("6.0.13")), "uvm-svn", "as many digits");
    let remove = "remove_snp_uvm_endorsement";
    passes(remove, json!({"did": DID, "feed": FEED}), &given, None);
    fails(remove, json!({"did": DID, "feed": "ConfAKS-AMD-UVM"}), &given, None, "wrong feed");
    fails(remove, json!({"did": DID}), &given, None, "no texts did and feed");
}

#[test]
fn every_mistake_in_a_minimum_tcb_is_called_by_its_name() {
    let (name, hex_name) = ("set_snp_minimum_tcb_version", "set_snp_minimum_tcb_version_hex");
    let args = |cpuid: &str, tcb: Value| json!({"cpuid": cpuid, "tcb_version": tcb});
    let tcb = |boot_loader: u32, snp: u32, microcode: u32| json!({"boot_loader": boot_loader, "tee": 0, "snp": snp, "microcode": microcode});
    let given = [report(|_| {}, true)];
    passes(name, args("00a00f11", tcb(4, 0x18, 0xdb)), &given, None);
    let below = passes(name, args("00a00f11", tcb(3, 0x17, 0xdb)), &given, None);
    warns(&below, "tcb-below-report", "boot_loader 3 where the nodes report 4, snp 23 where the nodes report 24");
    passes(hex_name, args("00a00f11", json!("db18000000000004")), &given, None);
    for (name, args, because) in [
        (name, args("00a00f11", tcb(5, 0x18, 0xdb)), "boot_loader is 4, below the minimum 5"),
        (name, args("00a00f11", json!({"boot_loader": 219, "tee": 24, "snp": 0, "microcode": 4})), "reverse order"),
        (hex_name, args("00a00f11", json!("04000000000018db")), "reverse order"),
        // Of a value that is below the report's.
        (hex_name, args("00a00f11", json!("03000000000014d2")), "was d214000000000003 meant"),
        (hex_name, args("00b00f21", json!("0001000200000047")), "was 4700000002000100 meant"),
        (name, args("00a00f11", tcb(4, 256, 0xdb)), "from 0 to 255"),
        (name, args("00a00f11", json!({"snp": 24})), "does not name"),
        (
            name,
            args("00a00f11", json!({"fmc": 0, "boot_loader": 4, "tee": 0, "snp": 24, "microcode": 219})),
            "names fmc",
        ),
        (name, args("00a00f11", json!({"ucode": 1})), "no component"),
        (name, args("00b00f11", tcb(1, 1, 1)), "does not name fmc"),
        (name, args("00a00f11", json!("db18000000000004")), "is an object of components"),
        (hex_name, args("00a00f11", tcb(4, 0x18, 0xdb)), "not text"),
        (hex_name, args("00a00f11", json!("db1800000000004")), "16 hexadecimal digits"),
        (hex_name, args("00a00f11", json!("DB18000000000004")), "uppercase"),
        (hex_name, args("00a00f11", json!("0400db1800000004")), "where a Milan has no component"),
        (name, args("00a00f10", tcb(4, 0x18, 0xdb)), "is of cpuid 00a00f11"),
        (name, args("00a10f11", tcb(4, 0x18, 0xdb)), "no evidence"),
        (name, args("110fa000", tcb(4, 0x18, 0xdb)), "reverse order: 00a00f11"),
        (name, args("00A00F11", tcb(4, 0x18, 0xdb)), "lowercase"),
        (name, args("00800f12", tcb(4, 0x18, 0xdb)), "which CCF does not know"),
        (name, json!({"tcb_version": tcb(4, 0x18, 0xdb)}), "no text cpuid"),
    ] {
        fails(name, args, &given, None, because);
    }
    // Without any report too: nobody could ever meet it, or it was written the other way round.
    fails(hex_name, args("00a00f11", json!("04000000000018db")), &[], None, "was db18000000000004 meant");
    fails(name, args("00a00f11", tcb(4, 0x18, 0xdb)), &[report(|_| {}, false)], None, "no evidence");
    let zero = passes(name, args("00a00f11", tcb(0, 0, 0)), &given, None);
    warns(&zero, "tcb", "any firmware");
    let mut with_text = tcb(4, 0x18, 0xdb);
    with_text["hexstring"] = json!("0418000000000004");
    warns(&passes(name, args("00a00f11", with_text), &given, None), "tcb-hexstring", "CCF compares the components");
    // Two nodes, one of which would be locked out.
    let older = report(|r| r[0x180] = 3, true);
    fails(name, args("00a00f11", tcb(4, 0x18, 0xdb)), &[report(|_| {}, true), older], None, "boot_loader is 3");
    let remove = "remove_snp_minimum_tcb_version";
    warns(&passes(remove, json!({"cpuid": "00a00f11"}), &given, None), "tcb-removed", "00a00f11");
    fails(remove, json!({"cpuid": "00a10f11"}), &given, None, "no evidence");
    let valid = args("00a00f11", json!("db18000000000004"));
    fails(hex_name, valid.clone(), &given, Some("6.0.8"), "came with CCF 6.0.9, and the service runs 6.0.8");
    assert_eq!(verify_one(hex_name, valid, &given, Some("6.0.9")).verdict().as_str(), "pass");
}

#[test]
fn virtual_and_sgx_values_have_their_own_evidence() {
    let program = evidence(EvidenceKind::Executable(HostData(sha256(b"program"))));
    let args = |host_data: &str| json!({"host_data": host_data});
    let right = hex::encode(sha256(b"program"));
    for name in ["add_virtual_host_data", "remove_virtual_host_data"] {
        passes(name, args(&right), std::slice::from_ref(&program), None);
        fails(name, args(&right.to_uppercase()), std::slice::from_ref(&program), None, "lowercase");
        fails(name, args(&reversed(&right)), std::slice::from_ref(&program), None, "reverse order");
        fails(name, args(&right), &[policy(POLICY)], None, "no evidence");
        let hashed = hex::encode(sha256(b"the file"));
        fails(name, args(&hashed), &[policy(POLICY)], None, "that is not a program");
    }
    // A program's hash is the host data of no SNP node, and no enclave's measurement.
    fails("add_snp_host_data", args(&right), std::slice::from_ref(&program), None, "no evidence");
    fails("add_node_code", json!({"code_id": right}), std::slice::from_ref(&program), None, "no evidence");
    fails("add_node_code", json!({"code_id": "0"}), &[], Some("6.0.0"), "CCF 6 and later");
    let measurement = crate::evidence::virt::MEASUREMENT;
    passes("add_virtual_measurement", json!({"measurement": measurement}), &[], None);
    fails("add_virtual_measurement", json!({"measurement": "v1"}), &[], None, "every virtual node's");
}

#[test]
fn what_no_artefact_is_behind_is_never_a_yes() {
    let script = json!({"policy": "export function apply(statements) { return true; }"});
    fails("set_node_join_policy", script.clone(), &[policy(POLICY)], None, "lets a script decide");
    let empty = Evidence { digest: Some(sha256(b"")), ..policy(POLICY) };
    fails("set_node_join_policy", json!({"policy": {"x": 1}}), &[empty], None, "no text policy");
    let text = script["policy"].as_str().unwrap();
    let same = Evidence { digest: Some(sha256(text.as_bytes())), ..policy(POLICY) };
    warns(&passes("set_node_join_policy", script, &[same], None), "join-policy-script", "by a script");
    fails("add_executor_node_code", json!({"executor_code_id": "ab"}), &[], None, "cannot be computed");
    let other = verify_one("set_constitution", json!({"constitution": "x"}), &[], None);
    assert_eq!(
        (other.get("other-action").unwrap().verdict, other.verdict().as_str()),
        (Verdict::Incomplete, "incomplete")
    );
    let unusable = evidence(EvidenceKind::Unusable("it is a proposal".into()));
    warns(&judge(&[unusable]), "evidence", "it backs nothing: it is a proposal");
    assert_eq!(judge(&[report(|_| {}, false)]).verdict().as_str(), "incomplete");
    assert_eq!(judge(&[uvm("101", false)]).verdict().as_str(), "fail");
}

#[test]
fn what_stands_beside_the_values_and_what_is_taken_back_are_reported() {
    let of = |text: &str| {
        let proposal = Proposal::parse(text.as_bytes()).unwrap();
        let checks = verify(&proposal, &[], &Terms::default(), None).checks;
        let names: Vec<_> = checks.iter().map(|c| c.name).filter(|n| matches!(*n, "surplus" | "deregisters")).collect();
        names
    };
    let action = |name: &str, more: &str, args: &str| {
        format!(r#"{{"name": "{name}"{more}, "args": {{"host_data": "{}"{args}}}}}"#, "a".repeat(64))
    };
    let proposal = |action: String, more: &str| format!(r#"{{"actions": [{action}]{more}}}"#);
    assert!(of(&proposal(action("add_virtual_host_data", "", ""), "")).is_empty());
    assert_eq!(of(&proposal(action("add_virtual_host_data", "", r#", "x": 1"#), "")), ["surplus"]);
    assert_eq!(of(&proposal(action("add_virtual_host_data", r#", "x": 1"#, ""), "")), ["surplus"]);
    assert_eq!(of(&proposal(action("add_virtual_host_data", "", ""), r#", "x": 1"#)), ["surplus"]);
    assert_eq!(of(&proposal(action("remove_virtual_host_data", "", ""), "")), ["deregisters"]);
}

#[test]
fn riders_are_named_once_with_what_they_do() {
    let names = ["set_constitution", "set_member", "remove_member", "set_js_app", "set_recovery_threshold"];
    let twice = names.iter().chain(&names).map(|name| Action::new(*name, Some(json!({}))));
    let checks = verify(&Proposal::of(twice.collect()), &[], &Terms::default(), None).checks;
    let riders: Vec<&str> = checks.iter().filter(|c| c.name == "other-action").map(|c| c.detail.as_str()).collect();
    assert_eq!(riders.len(), 5, "{riders:#?}");
    for (rider, name) in riders.iter().zip(names) {
        let description = &crate::proposal::catalogue::Catalogue::builtin().find(name).unwrap().description;
        let first = description.split_whitespace().next().unwrap();
        assert!(rider.starts_with(&format!("{name} (2 times)")), "{rider}");
        assert!(rider.contains(&format!("What it does: {first}")) && !rider.contains('\n'), "{rider}");
    }
}

#[test]
fn a_backed_value_does_not_carry_other_actions() {
    let program = [evidence(EvidenceKind::Executable(HostData(sha256(b"node"))))];
    let register = Action::new("add_virtual_host_data", Some(json!({"host_data": HostData(sha256(b"node"))})));
    let removal = Action::new("remove_member", Some(json!({"member_id": "ab".repeat(32)})));
    let rules = Action::new("set_constitution", Some(json!({"constitution": "x"})));
    let own = Action::new("own_action", Some(json!({})));
    let verdict = |actions: &[&Action], also: &[&str]| {
        let also = also.iter().map(|name| (*name).to_owned()).collect();
        let proposal = Proposal::of(actions.iter().map(|action| (*action).clone()).collect());
        let checks = verify(&proposal, &program, &Terms { also, ..Terms::default() }, None).checks;
        let named = checks.iter().filter(|c| c.name == "named-action" && c.verdict == Verdict::Warn).count();
        (checks.verdict().as_str(), named)
    };
    assert_eq!(verdict(&[&register], &[]), ("pass", 0));
    for rider in [&removal, &rules, &own] {
        assert_eq!(verdict(&[&register, rider], &[]), ("incomplete", 0));
        assert_eq!(verdict(&[&register, rider], &[&rider.name]), ("pass", 1));
        assert_eq!(verdict(&[&register, rider, &removal, &own], &[&rider.name]), ("incomplete", 1));
    }
    // Naming is no evidence: it backs no value, and a proposal without one stays unanswered.
    assert_eq!(verdict(&[&removal], &["remove_member"]), ("incomplete", 1));
    let other = Action::new("add_virtual_host_data", Some(json!({"host_data": "ab".repeat(32)})));
    assert_eq!(verdict(&[&register, &other], &["add_virtual_host_data"]), ("fail", 0));
}

#[test]
fn an_action_that_nobody_knows_is_never_a_yes() {
    let register = Action::new("add_virtual_measurement", Some(json!({"measurement": "v1"})));
    let actions =
        ["add_snp_host_dat", "Add_snp_host_data", "own_action", "own_action"].map(|n| Action::new(n, Some(json!({}))));
    let proposal = Proposal::of([vec![register], actions.to_vec()].concat());
    let checks = verify(&proposal, &[], &Terms::default(), None).checks;
    let unknown: Vec<_> = checks.iter().filter(|c| c.name == "unknown-action").collect();
    assert_eq!(unknown.len(), 3, "{unknown:#?}");
    assert!(
        unknown.iter().all(|c| c.verdict == Verdict::Incomplete && c.detail.contains("is not known")),
        "{unknown:#?}"
    );
    assert!(unknown[0].detail.ends_with("did you mean add_snp_host_data?"), "{}", unknown[0].detail);
    assert!(unknown[1].detail.ends_with("did you mean add_snp_host_data?"), "{}", unknown[1].detail);
}

#[test]
fn how_a_policy_was_found_is_told() {
    let remark = Some("it is a default".to_owned());
    let found = FoundPolicy { name: Some("g".into()), policy: b"package policy\n".to_vec(), remark };
    let given = Evidence { name: "t.json".into(), kind: EvidenceKind::policies(vec![found]), digest: None };
    let checks = judge(&[given]);
    assert_eq!(checks.get("policy-source").map(|c| c.detail.as_str()), Some("t.json (g): it is a default"));
}

#[test]
fn groups_of_one_name_are_each_looked_at() {
    let group = |policy: &str| FoundPolicy { name: Some("g".into()), policy: policy.into(), remark: None };
    let policies = ["package policy\n", "package policy\ncreate_container := {\"allowed\": true}\n"];
    let found = policies.map(group).to_vec();
    let register = |found: &FoundPolicy| {
        let policy = String::from_utf8(found.policy.clone()).unwrap();
        Action::new("add_snp_host_data", Some(json!({"host_data": found.host_data(), "security_policy": policy})))
    };
    let actions = found.iter().map(register).collect();
    let given = Evidence { name: "t.json".into(), kind: EvidenceKind::policies(found), digest: None };
    let checks = verify(&Proposal::of(actions), &[given], &Terms::default(), None).checks;
    assert_eq!((checks.verdict().as_str(), checks.get("policy-allow-all").is_some()), ("fail", true), "{checks:#?}");
}

#[test]
fn values_that_are_undone_are_no_pass() {
    let measurement = crate::evidence::virt::MEASUREMENT;
    let add = Action::new("add_virtual_measurement", Some(json!({"measurement": measurement})));
    let remove = Action::new("remove_virtual_measurement", Some(json!({"measurement": measurement})));
    let outcome = |actions: &[&Action]| {
        let proposal = Proposal::of(actions.iter().map(|a| (*a).clone()).collect());
        let checks = verify(&proposal, &[], &Terms::default(), None).checks;
        (checks.verdict().as_str(), checks.get("contradictions").map(|c| c.detail.clone()))
    };
    assert_eq!(outcome(&[&add]).0, "pass");
    let (verdict, detail) = outcome(&[&add, &add]);
    assert!(verdict == "pass" && detail.unwrap().contains("says the same"));
    for both in [[&add, &remove], [&remove, &add]] {
        let (verdict, detail) = outcome(&both);
        assert_eq!(verdict, "fail");
        assert!(detail.unwrap().contains("virtual measurement"));
    }
}
