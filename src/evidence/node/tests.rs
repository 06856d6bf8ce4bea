use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use time::OffsetDateTime;
use time::macros::datetime;

use super::*;
use crate::check::Verdict;
use crate::digest::MrSigner;
use crate::digest::sha256;
use crate::evidence::snp::testing::{IN_DATE, lab, revocation_list};
use crate::evidence::snp::{Root, Roots};
use crate::processor::Product;
use crate::skip::fixtures;

mod hostile;

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

fn trust() -> Trust {
    let root = Root { product: Product::Milan, spki_sha256: sha256(&lab().ark.spki()) };
    Trust { amd: Roots::new(vec![root]), ..Trust::pinned(NOW) }
}

fn pem(chain: &[Vec<u8>]) -> Vec<u8> {
    let text: String = chain.iter().map(|der| pem::encode(&pem::Pem::new("CERTIFICATE", der.clone()))).collect();
    text.into_bytes()
}

fn node() -> NodeId {
    NodeId::from_bytes([0x11; 32])
}

/// The verdict on these files, and whether the chain and the report's signature hold.
fn verdict(files: &[&[u8]]) -> Result<&'static str, NodeError> {
    let mut attestation = Attestation::of(Some(node()));
    files.iter().try_for_each(|file| attestation.add(file))?;
    let expected = Expected { node_id: Some(node()), ..Expected::default() };
    Ok(attestation.verify(&expected, &trust())?.checks.verdict().as_str())
}

#[test]
fn an_attestation_is_taken_in_every_form_that_people_have() {
    let (report, chain) = (lab().report(|_| {}), lab().chain());
    let all = pem(&chain);
    let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
    let wrapped = base64(&report).as_bytes().chunks(76).collect::<Vec<_>>().join(&b"\n"[..]);
    for form in [report.clone(), hex::encode(&report).into_bytes(), base64(&report).into_bytes(), wrapped] {
        assert_eq!(verdict(&[&form, &all]).unwrap(), "pass");
    }
    assert_eq!(verdict(&[&report, base64(&all).as_bytes()]).unwrap(), "pass");
    // As AMD gives them: the chip's certificate in DER, and the two above it in PEM; in whatever order.
    let above = pem(&chain[1..]);
    assert_eq!(verdict(&[&report, &chain[0], &above]).unwrap(), "pass");
    assert_eq!(verdict(&[&above, &chain[0], &report]).unwrap(), "pass");
    assert_eq!(verdict(&[&chain[2], &chain[0], &report, &chain[1]]).unwrap(), "pass");
    // OpenSSL writes a name before each certificate.
    let commented = [&b"# SEV-VCEK\n"[..], &all].concat();
    assert_eq!(verdict(&[&report, &commented]).unwrap(), "pass");
    assert_eq!(verdict(&[&report, STANDARD.encode(&commented).as_bytes()]).unwrap(), "pass");
    // What a host writes beside the certificates is passed over, as CCF does.
    let host = json!({
        "vcekCert": String::from_utf8(pem(&chain[..1])).unwrap(), "tcbm": "DB18000000000004", "cacheControl": "86400",
        "certificateChain": String::from_utf8(pem(&chain[1..])).unwrap(), "more": 1,
    });
    assert_eq!(verdict(&[&report, base64(host.to_string().as_bytes()).as_bytes()]).unwrap(), "pass");
    // One file in the wrong order stays so, as CCF would see it.
    let reversed: Vec<_> = chain.iter().rev().cloned().collect();
    assert_eq!(verdict(&[&report, &pem(&reversed)]).unwrap(), "fail");

    let own = |id: &str| json!({"node_id": id, "format": "AMD_SEV_SNP_v1", "raw": base64(&report), "endorsements": base64(&all)});
    let other = json!({"node_id": "ab".repeat(32), "raw": "", "endorsements": ""});
    let quote_info = json!({"format": "AMD_SEV_SNP_v1", "quote": base64(&report), "endorsements": base64(&all), "endorsed_tcb": "db18000000000004"});
    for answer in [
        own(&node().to_string()),
        json!({"attestations": [other, own(&node().to_string())]}),
        json!({"quotes": [own(&node().to_string())]}),
        json!([other, own(&node().to_string())]),
        quote_info.clone(),
        json!({"quote_info": quote_info, "status": "Pending", "node_data": null}),
    ] {
        assert_eq!(verdict(&[answer.to_string().as_bytes()]).unwrap(), "pass", "{answer}");
    }
    let lists = json!({"attestations": [other, own(&node().to_string())]}).to_string();
    assert!(matches!(Attestation::default().add(lists.as_bytes()), Err(NodeError::Several)));
    let others = json!({"attestations": [other]}).to_string();
    assert!(matches!(verdict(&[others.as_bytes()]), Err(NodeError::NotListed)));
}

/// A UVM endorsement of the lab's report: legacy with this svn in JSON, or a hash envelope of this content type.
fn uvm(svn: Result<&str, &str>) -> Vec<u8> {
    let chain = lab().uvm_chain(IN_DATE);
    let did = lab().uvm_did(&URL_SAFE_NO_PAD.encode(sha256(&chain[1])));
    let feed = "ContainerPlat-AMD-UVM";
    match svn {
        Ok(svn) => {
            let payload = format!(
                r#"{{"x-ms-sevsnpvm-launchmeasurement":"{}","x-ms-sevsnpvm-guestsvn":{svn}}}"#,
                "22".repeat(48)
            );
            lab().uvm_legacy(&did, feed, &chain, &payload)
        }
        Err(kind) => lab().uvm_hash_envelope(&did, feed, 101, &chain, &[0x22; 48], kind, 1_790_000_000),
    }
}

#[test]
fn json_of_sidecars_applications_and_clean_rooms_is_taken() {
    let (report, all, uvm) = (lab().report(|_| {}), pem(&lab().chain()), uvm(Ok("\"101\"")));
    let base64 = |bytes: &[u8]| STANDARD.encode(bytes);
    let application = json!({
        "evidence": base64(&report), "endorsements": base64(&all), "uvm_endorsements": base64(&uvm),
        "endorsed_tcb": "db18000000000004",
    });
    let clean_room = json!({
        "attestation": base64(&report), "platformCertificates": base64(&all), "uvmEndorsements": base64(&uvm),
    });
    let url = |text: String| URL_SAFE_NO_PAD.encode(text);
    let endorsements = url(json!({"Uvm": [URL_SAFE_NO_PAD.encode(&uvm)]}).to_string());
    let bundle = json!({
        "SnpReport": URL_SAFE_NO_PAD.encode(&report), "VcekCertChain": URL_SAFE_NO_PAD.encode(&all), "Endorsements": endorsements,
    });
    for answer in [
        application.clone(),
        json!({"attestation": application, "wrappingKey": "x"}),
        json!({"combined_report": application.to_string()}),
        clean_room.clone(),
        json!({"report": {"snpCACI": clean_room}}),
        json!({"report": url(bundle.to_string()), "runtimeData": {"data": "x", "dataType": "JSON"}, "nonce": 7}),
    ] {
        let mut attestation = Attestation::default();
        attestation.add(answer.to_string().as_bytes()).unwrap_or_else(|e| panic!("{e}: {answer}"));
        let outcome = attestation.verify(&Expected::default(), &trust()).unwrap();
        assert_eq!(outcome.checks.verdict().as_str(), "pass", "{answer}: {:#?}", outcome.checks);
        assert!(outcome.checks.get("uvm-signature").is_some(), "{answer}");
    }
    let linux = json!({"outblob": URL_SAFE_NO_PAD.encode(&report), "auxblob": base64(&all), "provider": "sev_guest\n"});
    assert_eq!(verdict(&[linux.to_string().as_bytes()]).unwrap(), "pass");
    let raw = json!({"report": hex::encode(&report)}).to_string();
    assert_eq!(verdict(&[raw.as_bytes(), &all]).unwrap(), "pass");
    let machine = json!({"report": {"snpCvm": {"evidence": {"snpReport": base64(&report)}}}}).to_string();
    assert!(matches!(verdict(&[machine.as_bytes()]), Err(NodeError::Foreign(_))));
    for other in [json!({"report": "all is well"}), json!({"evidence": 7}), json!({"Uvm": [7]})] {
        assert!(matches!(verdict(&[other.to_string().as_bytes()]), Err(NodeError::Member(_))), "{other}");
    }
    assert!(matches!(verdict(&[br#"{"value": 7}"#]), Err(NodeError::Unknown)));
}

#[test]
fn a_folder_gives_its_parts_and_what_is_none_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let mut attestation = Attestation::default();
    assert!(matches!(attestation.add_path(folder.path()), Err(PathError::Empty { .. })));
    let chain = lab().chain();
    for (name, der) in ["vcek.der", "ask.pem", "ark.pem"].iter().zip(&chain) {
        write(name, &if name.ends_with("der") { der.clone() } else { pem(std::slice::from_ref(der)) });
    }
    write("chain.pem", &pem(&chain[1..]));
    write("report.bin", &lab().report(|_| {}));
    write("security-policy-base64", STANDARD.encode("package policy\n").as_bytes());
    write("reference-info-base64", STANDARD.encode(uvm(Ok("\"101\""))).as_bytes());
    write("hash-envelope-reference-info-base64", STANDARD.encode(uvm(Err("application/octet-stream"))).as_bytes());
    assert_eq!(attestation.add_path(folder.path()).unwrap(), [folder.path().join("security-policy-base64")]);
    let outcome = attestation.verify(&Expected::default(), &trust()).unwrap();
    assert_eq!(outcome.checks.verdict().as_str(), "pass", "{:#?}", outcome.checks);
    assert_eq!(outcome.checks.iter().filter(|c| c.name == "uvm-signature").count(), 2);
    write("broken.pem", b"-----BEGIN CERTIFICATE-----\n");
    assert!(matches!(Attestation::default().add_path(folder.path()), Err(PathError::Part { .. })));
}

#[test]
fn a_version_passes_only_what_it_can_read() {
    let found = |version: &str, endorsements: &[Vec<u8>]| {
        let mut attestation = Attestation::default();
        attestation.add(&lab().report(|_| {})).unwrap();
        attestation.add(&pem(&lab().chain())).unwrap();
        endorsements.iter().for_each(|endorsement| attestation.add(endorsement).unwrap());
        let expected = Expected { ccf: version.parse().ok(), ..Expected::default() };
        attestation.verify(&expected, &trust()).unwrap().checks
    };
    let text = || uvm(Ok("\"101\""));
    let number = || uvm(Ok("101"));
    let (octets, json) = (|| uvm(Err("application/octet-stream")), || uvm(Err("application/json")));
    for (version, endorsement, verdict) in [
        ("6.0.12", text(), "pass"),
        ("7.0.25", text(), "pass"),
        ("6.0.13", number(), "fail"),
        ("6.0.14", number(), "pass"),
        ("7.0.0-dev3", number(), "pass"),
        ("6.0.18", octets(), "fail"),
        ("6.0.18", json(), "fail"),
        // Not known.
        ("6.0.25", octets(), "incomplete"),
        ("7.0.0-dev5", octets(), "fail"),
        ("7.0.0-dev7", octets(), "fail"),
        ("7.0.0-dev7-4-gabcdef", octets(), "incomplete"),
        ("7.0.0-dev8", octets(), "pass"),
        ("7.0.21", octets(), "pass"),
        ("7.0.0-dev6", json(), "pass"),
        ("7.0.0", json(), "fail"),
        ("unknown", octets(), "pass"),
    ] {
        let checks = found(version, &[endorsement]);
        assert_eq!(checks.verdict().as_str(), verdict, "{version}: {checks:#?}");
        let warned = checks.get("uvm-form").map(|check| check.verdict) == Some(Verdict::Warn);
        assert_eq!(warned, version == "unknown", "{version}");
    }
    // With both, the node can show the one that can be read.
    let both = found("6.0.18", &[text(), octets()]);
    assert_eq!(both.verdict().as_str(), "pass", "{both:#?}");
    assert!(both.iter().any(|check| check.name == "uvm-form" && check.verdict == Verdict::Warn));
    assert_eq!(found("6.0.13", &[number(), octets()]).verdict().as_str(), "fail");
}

#[test]
fn reports_of_every_version_are_read() {
    let found = |report: u8, version: Option<&str>| {
        let mut attestation = Attestation::default();
        attestation.add(&lab().report(|bytes| bytes[0] = report)).unwrap();
        attestation.add(&pem(&lab().chain())).unwrap();
        let ccf = version.map(|version| version.parse().unwrap());
        attestation.verify(&Expected { ccf, ..Expected::default() }, &trust()).unwrap().checks.verdict().as_str()
    };
    for report in [3, 4, 5] {
        assert_eq!(
            (found(report, None), found(report, Some("6.0.12")), found(report, Some("5.0.3"))),
            ("pass", "pass", "fail")
        );
    }
    assert_eq!((found(2, None), found(2, Some("4.0.1"))), ("fail", "pass"));
    assert_eq!(found(6, Some("7.0.25")), "incomplete");
}

#[test]
fn the_order_of_an_endorsed_tcb_is_that_of_the_version() {
    let found = |tcb: &str, version: Option<&str>| {
        let mut attestation = Attestation::default();
        attestation.add(&lab().report(|_| {})).unwrap();
        let shown = json!({"endorsements": STANDARD.encode(pem(&lab().chain())), "endorsed_tcb": tcb}).to_string();
        attestation.add(shown.as_bytes()).unwrap();
        let ccf = version.map(|version| version.parse().unwrap());
        let checks = attestation.verify(&Expected { ccf, ..Expected::default() }, &trust()).unwrap().checks;
        checks.get("endorsed-tcb").unwrap().verdict
    };
    let (highest, lowest) = ("db18000000000004", "04000000000018db");
    assert_eq!((found(highest, None), found(highest, Some("7.0.0"))), (Verdict::Pass, Verdict::Pass));
    assert_eq!((found(lowest, None), found(lowest, Some("5.0.3"))), (Verdict::Warn, Verdict::Pass));
    assert_eq!((found(lowest, Some("7.0.0")), found("04000000000018dc", None)), (Verdict::Fail, Verdict::Fail));
    assert_eq!(found(highest, Some("5.0.3")), Verdict::Fail);
    assert_eq!((found(highest, Some("6.0.5")), found(lowest, Some("6.0.5"))), (Verdict::Warn, Verdict::Warn));
}

#[test]
fn turin_joins_where_its_root_is_trusted() {
    let found = |model: u8, version: Option<&str>| {
        let mut attestation = Attestation::default();
        attestation.add(&lab().report(|bytes| bytes[0x188..0x18b].copy_from_slice(&[0x1a, model, 1]))).unwrap();
        let ccf = version.map(|version| version.parse().unwrap());
        let checks = attestation.verify(&Expected { ccf, ..Expected::default() }, &trust()).unwrap().checks;
        checks.get("product").unwrap().verdict
    };
    for (version, verdict) in [
        (None, Verdict::Warn),
        (Some("6.0.24"), Verdict::Fail),
        (Some("6.0.25"), Verdict::Pass),
        (Some("7.0.0-dev5"), Verdict::Fail),
        (Some("7.0.0-dev6"), Verdict::Pass),
        (Some("7.0.21"), Verdict::Pass),
    ] {
        assert_eq!(found(2, version), verdict, "{version:?}");
        assert_eq!(found(1, version), Verdict::Fail, "{version:?}");
    }
}

#[test]
fn what_a_service_says_whose_attestation_it_is_must_be_true() {
    let entry = |id: NodeId| {
        let entry = json!({"node_id": id, "raw": STANDARD.encode(lab().report(|_| {})), "endorsements": ""});
        json!({"attestations": [entry]}).to_string()
    };
    let verdict = |file: String| {
        let mut attestation = Attestation::default();
        attestation.add(file.as_bytes())?;
        attestation.add(&pem(&lab().chain()))?;
        Ok::<_, NodeError>(attestation.verify(&Expected::default(), &trust())?.checks.verdict().as_str())
    };
    assert_eq!(verdict(entry(node())).unwrap(), "pass");
    assert_eq!(verdict(entry(NodeId::from_bytes([0x12; 32]))).unwrap(), "fail");
    for (format, expected) in [("AMD_SEV_SNP_v1", "pass"), ("OE_SGX_v1", "fail")] {
        let entry = json!({"format": format, "raw": STANDARD.encode(lab().report(|_| {})), "endorsements": null});
        assert_eq!(verdict(json!([{"quote_info": entry}]).to_string()).unwrap(), expected);
    }
    let mut asked = Attestation::of(Some(node()));
    let other = json!({"node_id": NodeId::from_bytes([0x12; 32]), "raw": STANDARD.encode(lab().report(|_| {}))});
    assert!(matches!(asked.add(other.to_string().as_bytes()), Err(NodeError::OtherNode(..))));
    assert!(matches!(verdict(json!({"attestations": []}).to_string()), Err(NodeError::Nobody)));
    for odd in [json!({"uvm_endorsements": {"a": 1}}), json!({"endorsed_tcb": ["x"]}), json!({"raw": 3})] {
        assert!(matches!(verdict(odd.to_string()), Err(NodeError::Member(_))), "{odd}");
    }
}

#[test]
fn the_tcb_of_the_governance_api_is_base64() {
    let report = lab().report(|_| {});
    let verdict = |tcb: &[u8]| {
        let info = json!({"format": "AMD_SEV_SNP_v1", "endorsedTcb": STANDARD.encode(tcb)});
        let node = json!({"nodeId": node(), "status": "Trusted", "quoteInfo": info}).to_string();
        verdict(&[&report, &pem(&lab().chain()), node.as_bytes()])
    };
    assert_eq!(verdict(&[0xdb, 0x18, 0, 0, 0, 0, 0, 4]).unwrap(), "pass");
    assert_eq!(verdict(&[4, 0, 0, 0, 0, 0, 0x18, 0xdc]).unwrap(), "fail");
    assert!(matches!(verdict(&[0xdb, 0x18]), Err(NodeError::Member(name)) if name == "endorsedTcb"));
}

#[test]
fn what_is_damaged_is_not_taken_for_absent() {
    let (report, chain) = (lab().report(|_| {}), lab().chain());
    let longer = [&report[..], &[0]].concat();
    let text = String::from_utf8(pem(&chain)).unwrap();
    let vcek = String::from_utf8(pem(&chain[..1])).unwrap();
    let mut version = report.clone();
    version[0] = 1;
    for (bad, what) in [
        (longer.clone(), "SNP report"),
        (report[..1183].to_vec(), "SNP report"),
        (STANDARD.encode(&longer).into_bytes(), "SNP report"),
        (version, "SNP report"),
        (text.replace("-----END", "----END").into_bytes(), "PEM file"),
        (vcek.replace("CERTIFICATE", "PRIVATE KEY").into_bytes(), "PEM file"),
        (b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n".to_vec(), "PEM file"),
        (b"\xd2\x84\x43\xa1\x01\x26".to_vec(), "UVM endorsement"),
        (b"{\"raw\": 1, \"raw\": 2}".to_vec(), "JSON"),
        (b"{\"vcekCert\": 1}".to_vec(), "set of AMD certificates"),
        (b"{\"host_data\": \"\", \"report_data\": \"\", \"measurement\": \"\"}".to_vec(), "virtual attestation"),
    ] {
        match Attestation::default().add(&bad) {
            Err(NodeError::Damaged { what: said, .. }) => assert_eq!(said, what),
            other => panic!("{what}: {other:?}"),
        }
    }
    let member = json!({"raw": STANDARD.encode("nothing")}).to_string();
    assert!(matches!(Attestation::default().add(member.as_bytes()), Err(NodeError::Member(name)) if name == "raw"));
    for other in [&b""[..], b"hello", b"\x7fELF", b"{}", &[0; 1000]] {
        assert!(matches!(Attestation::default().add(other), Err(NodeError::Unknown)), "{other:?}");
    }
}

#[test]
fn parts_are_given_once_and_lists_of_revoked_ones_several_times() {
    let (report, chain) = (lab().report(|_| {}), lab().chain());
    let other = lab().report(|report| report[0x90] = 1);
    assert!(matches!(verdict(&[&report, &other]), Err(NodeError::Twice(_))));
    let others = pem(&lab().uvm_chain(IN_DATE));
    assert!(matches!(verdict(&[&pem(&chain), &others]), Err(NodeError::Twice(_))));
    // What is there already adds nothing.
    assert_eq!(verdict(&[&report, &report, &pem(&chain), &pem(&chain[1..]), &chain[2]]).unwrap(), "pass");
    let good = revocation_list(("ARK-Milan", &lab().ark), IN_DATE, &[9]);
    let revoking = revocation_list(("ARK-Milan", &lab().ark), IN_DATE, &[1]);
    assert_eq!(verdict(&[&report, &pem(&chain), &good]).unwrap(), "pass");
    assert_eq!(verdict(&[&report, &pem(&chain), &good, &revoking]).unwrap(), "fail");
    // One file of several is read to its end.
    let in_pem = |lists: &[&Vec<u8>]| -> Vec<u8> {
        let text = |der: &&Vec<u8>| pem::encode(&pem::Pem::new("X509 CRL", (*der).clone()));
        lists.iter().map(text).collect::<String>().into_bytes()
    };
    assert_eq!(verdict(&[&report, &pem(&chain), &in_pem(&[&good, &good])]).unwrap(), "pass");
    assert_eq!(verdict(&[&report, &pem(&chain), &in_pem(&[&good, &revoking])]).unwrap(), "fail");
    for mixed in [[in_pem(&[&good]), pem(&chain)].concat(), [pem(&chain), in_pem(&[&good])].concat()] {
        assert!(matches!(verdict(&[&report, &mixed]), Err(NodeError::Damaged { what: "PEM file", .. })));
    }
    assert!(matches!(verdict(&[&report, &pem(&chain), &in_pem(&[&good; 9])]), Err(NodeError::Lists(8))));
    // What the service tells beside what the operator gave adds only what was missing.
    let mut attestation = Attestation::of(Some(node()));
    attestation.add(&report).unwrap();
    let answer =
        json!({"raw": STANDARD.encode(lab().report(|r| r[0x90] = 0)), "endorsements": STANDARD.encode(pem(&chain))});
    attestation.complete(answer.to_string().as_bytes()).unwrap();
    let outcome = attestation.verify(&Expected::default(), &trust()).unwrap();
    assert_eq!((outcome.checks.verdict().as_str(), outcome.measurement), ("pass", "22".repeat(48)));
}

#[test]
fn nothing_that_is_given_or_expected_is_passed_over() {
    let (report, chain) = (lab().report(|_| {}), lab().chain());
    let mut attestation = Attestation::of(Some(node()));
    attestation.add(&report).unwrap();
    attestation.add(&pem(&chain)).unwrap();
    let expected = Expected {
        mrsigner: Some(MrSigner([0; 32])),
        isvprodid: Some(0),
        minimum_isvsvn: Some(0),
        ..Expected::default()
    };
    let failures = |outcome: &Outcome| -> Vec<&str> {
        outcome.checks.iter().filter(|c| c.verdict == Verdict::Fail).map(|c| c.name).collect()
    };
    let outcome = attestation.verify(&expected, &trust()).unwrap();
    assert_eq!(failures(&outcome), ["mrsigner", "isvprodid", "isvsvn"]);

    let claim = json!({
        "measurement": virt::MEASUREMENT, "host_data": "ab".repeat(32), "report_data": STANDARD.encode([0x11; 32]),
    });
    let claim = claim.to_string();
    let mut virtual_node = Attestation::default();
    virtual_node.add(claim.as_bytes()).unwrap();
    let expected = Expected { minimum_tcb: Some(TcbVersion(0)), ..expected };
    let outcome = virtual_node.verify(&expected, &trust()).unwrap();
    assert_eq!(failures(&outcome), ["minimum-tcb", "mrsigner", "isvprodid", "isvsvn"]);
    virtual_node.add(&pem(&chain)).unwrap();
    assert!(matches!(virtual_node.verify(&Expected::default(), &trust()), Err(NodeError::Incomplete(_))));

    let quote = [&[3, 0, 2, 0][..], &[0; 600]].concat();
    let list = revocation_list(("ARK-Milan", &lab().ark), IN_DATE, &[9]);
    for other in [pem(&chain), list, claim.into_bytes()] {
        let mut mixed = Attestation::default();
        mixed.add(&quote).unwrap();
        mixed.add(&other).unwrap();
        assert!(matches!(mixed.verify(&Expected::default(), &trust()), Err(NodeError::Incomplete(_))));
    }
}

#[test]
fn an_sgx_node_is_none_of_a_service_that_has_none() {
    let Some(folder) = fixtures() else { return };
    let mut attestation = Attestation::default();
    for part in ["quote", "endorsements"] {
        attestation.add(&std::fs::read(folder.join(format!("sgx/ccf/node0.{part}.bin"))).unwrap()).unwrap();
    }
    let found = |version: Option<&str>| {
        let expected = Expected { ccf: version.map(|version| version.parse().unwrap()), ..Expected::default() };
        let checks = attestation.verify(&expected, &Trust::pinned(NOW)).unwrap().checks;
        (checks.verdict().as_str(), checks.get("platform").map(|check| check.verdict))
    };
    assert_eq!(found(Some("5.0.13")), ("pass", None));
    assert_eq!(found(Some("6.0.0")), ("fail", Some(Verdict::Fail)));
    assert_eq!(found(None), ("pass", Some(Verdict::Warn)));
}

#[test]
fn evidence_of_other_systems_is_called_by_its_name() {
    let tdx = [&[4, 0, 2, 0, 0x81, 0, 0, 0][..], &[0; 600]].concat();
    let container = [&[1, 0, 0, 0, 2, 0, 0, 0][..], &(tdx.len() as u64).to_le_bytes(), &tdx].concat();
    let collateral = json!({"tcb_info": "{}", "qe_identity": "{}", "pck_crl": ""}).to_string().into_bytes();
    for foreign in [tdx.clone(), container, hex::encode(&tdx).into_bytes(), collateral] {
        assert!(matches!(Attestation::default().add(&foreign), Err(NodeError::Foreign(_))));
    }
}

#[test]
fn real_files_of_every_platform_are_taken() {
    let Some(folder) = fixtures() else { return };
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let outcome = |files: &[&str]| {
        let mut attestation = Attestation::default();
        files.iter().for_each(|file| attestation.add(&read(file)).unwrap());
        attestation.verify(&Expected::default(), &Trust::pinned(NOW)).unwrap()
    };
    for number in [0, 1, 2, 3, 5, 6, 7] {
        let files = [&*format!("sgx/ccf/node{number}.quote.bin"), &*format!("sgx/ccf/node{number}.endorsements.bin")];
        let outcome = outcome(&files);
        let debug = matches!(number, 5 | 6);
        let failed: Vec<_> = outcome.checks.iter().filter(|c| c.verdict == Verdict::Fail).map(|c| c.name).collect();
        assert_eq!(failed, if debug { vec!["debug"] } else { vec![] }, "node {number}: {:#?}", outcome.checks);
    }
    let milan = ["snp/virtee-sev/report_milan.hex", "snp/virtee-sev/vcek_milan.der", "snp/virtee-sev/cert_chain_milan"];
    assert_eq!(outcome(&milan).checks.get("report-signature").unwrap().verdict, Verdict::Pass);
    assert_eq!(outcome(&["virtual/node0.attestation.json"]).checks.verdict().as_str(), "pass");
    for name in ["sgx/openenclave/evidence", "sgx/openenclave/endorsements"] {
        // A licence stands before what Open Enclave wrote.
        assert!(matches!(Attestation::default().add(&read(name)), Err(NodeError::Unknown)));
        assert!(Attestation::default().add(&read(name)[81..]).is_ok());
    }
}

#[test]
fn what_an_attestation_says_is_what_verifying_it_finds_whoever_signed_it() {
    let mut attestation = Attestation::of(Some(node()));
    assert_eq!(attestation.claim(), None);
    attestation.add(&lab().report(|_| {})).unwrap();
    let found = attestation.verify(&Expected::default(), &trust()).unwrap();
    assert_ne!(found.checks.verdict().as_str(), "pass", "it has no endorsements");
    let Outcome { platform, host_data, measurement, .. } = found;
    assert_eq!(attestation.claim(), Some(Claim { platform, host_data, measurement }));
}
