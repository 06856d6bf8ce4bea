//! What a sandbox has is what is rebuilt from what it tells.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::constitution::DEFAULT;
use crate::constitution::decide::ProposalInfo;
use crate::id::{MemberId, ProposalId};
use crate::kv::row::{read, rows, write};
use crate::kv::{SINGLETON, table};
use crate::review::simulate::{Outcome, PLACEHOLDER_CSR, Trial};
use crate::sandbox::{self, NodeCode, Sandbox, VIRTUAL_MEASUREMENT, example_members};
use crate::service::{NodeAddress, Service};

const CERT: &str = include_str!("../../../keys-example/member0_cert.pem");

const COPIES_THE_ROOT: &str = r#"
export function validate(input) { return {valid: true, description: ""}; }
export function resolve(proposal, proposerId, votes) { return "Accepted"; }
export function apply(proposal, proposalId) {
  const signature = ccf.bufToJsonCompatible(ccf.kv["public:ccf.internal.signatures"].get(new ArrayBuffer(8)));
  ccf.kv["public:ccf.gov.members.acks"].set(ccf.strToBuf("x"), ccf.jsonCompatibleToBuf({state_digest: signature.root}));
}
"#;

fn virtual_code(digit: u8) -> NodeCode {
    let host_data = hex::encode([digit; 32]).parse().unwrap();
    NodeCode::Virtual { host_data, measurement: VIRTUAL_MEASUREMENT.into() }
}

async fn served() -> (Sandbox, Service, Vec<MemberId>) {
    let members = example_members();
    let ids = members.iter().map(|member| member.certificate.member_id()).collect();
    let options = sandbox::Options::new(members, DEFAULT.into(), vec![virtual_code(1), virtual_code(2)]);
    let sandbox = Sandbox::start(options).await.unwrap();
    let addresses = sandbox.nodes().iter().map(|node| node.url.parse::<NodeAddress>().unwrap()).collect();
    let options = crate::service::Options::new(addresses, sandbox.service_certificate().into_bytes());
    let service = Service::connect(options).await.unwrap();
    (sandbox, service, ids)
}

fn proposal(digit: char) -> String {
    json!({"actions": [{"name": "add_virtual_host_data", "args": {"host_data": digit.to_string().repeat(64)}}]})
        .to_string()
}

fn seed(tables: &mut Tables, member: MemberId) {
    let user = "ab".repeat(32);
    tables.put(table::USER_CERTS, user.as_bytes(), CERT);
    write(tables, table::USER_INFO, &user, &json!({"user_data": {"name": "u"}}));
    write(tables, table::SNP_HOST_DATA, &"cd".repeat(32), &json!("package policy\n"));
    write(tables, table::SNP_UVM_ENDORSEMENTS, "did:x509:0:sha256:x::eku:1.2", &json!({"feed": {"svn": "101"}}));
    write(tables, table::SNP_TCB_VERSIONS, "00a00f11", &json!({"boot_loader": 4, "hexstring": "d315000000000004"}));
    write(tables, table::SNP_MEASUREMENTS, &"ef".repeat(48), &json!("AllowedToJoin"));
    write(tables, table::NODE_CODE_IDS, &"01".repeat(32), &json!("AllowedToJoin"));
    write(
        tables,
        table::ENDPOINTS,
        "GET /app/x",
        &json!({"js_module": "a/b.js", "js_function": "f", "mode": "readonly"}),
    );
    tables.put(table::MODULES, b"/a/b.js", "export function f() { return {body: 'ä'}; }");
    write(tables, table::JWT_ISSUERS, "https://issuer", &json!({"auto_refresh": false, "ca_cert_bundle_name": "b"}));
    write(tables, table::CA_CERT_BUNDLES, "b", &json!(CERT));
    let id = ProposalId::from_bytes([7; 32]);
    tables.put(table::PROPOSALS, id.to_string().as_bytes(), proposal('a') + " \n");
    let mut info = ProposalInfo::new(member);
    info.ballots.insert(member.to_string(), "export function vote() { return true; }".into());
    info.write(tables, id);
    let withdrawn = ProposalInfo { state: "Withdrawn".into(), ..ProposalInfo::new(member) };
    withdrawn.write(tables, ProposalId::from_bytes([8; 32]));
}

/// Every row of the tables that are rebuilt whole, but for what the API does not tell.
fn comparable(tables: &Tables) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    for name in tables
        .names()
        .filter(|name| why_not_known(name).is_none() || [table::NODE_INFO, table::USER_INFO].contains(name))
    {
        for (key, value) in tables.iter(name) {
            let mut value = crate::review::simulate::shown_value(value);
            match name {
                table::NODE_INFO => {
                    value = json!([
                        value["status"],
                        value["node_data"],
                        value["quote_info"]["quote"],
                        value["retired_committed"].as_bool().unwrap_or(false),
                        value["rpc_interfaces"]["main"]["published_address"]
                    ])
                }
                table::VIRTUAL_HOST_DATA => value = json!(""),
                table::SERVICE_CONFIG => {
                    value["recent_cose_proposals_window_size"] = json!(100);
                }
                _ => {}
            }
            let mut sorted: serde_json::Value = value;
            sort(&mut sorted);
            all.push((name.to_owned(), key.to_vec(), sorted.to_string().into_bytes()));
        }
    }
    all
}

fn sort(value: &mut serde_json::Value) {
    if let Some(object) = value.as_object_mut() {
        object.sort_keys();
        object.values_mut().for_each(sort);
    }
}

#[tokio::test]
async fn a_sandbox_is_read_and_rebuilt() {
    let (sandbox, service, members) = served().await;
    sandbox.write(|tables| seed(tables, members[0]));
    let said = std::sync::atomic::AtomicUsize::new(0);
    let say = |_: &str, count: usize| said.store(count, std::sync::atomic::Ordering::Relaxed);
    let before = sandbox.requests();
    let state = State::read(&service, &Reading::new(&say)).await.unwrap();
    assert!(said.into_inner() >= 12);
    assert!(sandbox.requests() - before < 30, "{} requests", sandbox.requests() - before);
    let own = sandbox.tables();
    let (theirs, ours) = (comparable(&own), comparable(&state.tables));
    let names = |rows: &[(String, Vec<u8>, Vec<u8>)]| rows.iter().map(|row| row.0.clone()).collect::<BTreeSet<_>>();
    // Of a proposal that is no longer open, the text is not read.
    assert_eq!(names(&theirs), names(&ours));
    for (a, b) in theirs.iter().zip(&ours) {
        assert_eq!(a.0, b.0);
        assert_eq!(
            (String::from_utf8_lossy(&a.1), String::from_utf8_lossy(&a.2)),
            (String::from_utf8_lossy(&b.1), String::from_utf8_lossy(&b.2)),
            "{}",
            a.0
        );
    }
    assert_eq!(theirs.len(), ours.len());
    let texts: Vec<_> = state.tables.iter(table::PROPOSALS).collect();
    assert_eq!(texts[0].1, (proposal('a') + " \n").as_bytes(), "byte for byte");
    assert!(
        rows(&state.tables, table::NODE_INFO).all(|(_, row)| row["certificate_signing_request"] == PLACEHOLDER_CSR)
    );
    assert_eq!(state.certificate, sandbox.service_certificate());
    assert!(state.committed && state.transaction.is_some());
    // The open proposal with its ballot needs one more yes.
    let mut simulator = state.simulator();
    let trial = simulator.open_proposal(ProposalId::from_bytes([7; 32])).unwrap();
    let simulation = simulator.run(&trial).unwrap();
    assert_eq!(simulation.outcome, Outcome::Accepted);
    assert_eq!(simulation.passing.unwrap().fewest, Some(1));
    // CCF's own rules copy the newest signature's root when a member is added, and throw without one.
    let simulation = state.simulator().under(COPIES_THE_ROOT).unwrap().run(&Trial::new("{}", members[0])).unwrap();
    assert_eq!(simulation.outcome, Outcome::Accepted, "{:?}", simulation.failure);
    assert!(simulation.uncertain.iter().any(|one| one.what == table::SIGNATURES), "{:?}", simulation.uncertain);
    // A file of it is the same.
    let bytes = state.to_json().to_string();
    let again = State::from_json(bytes.as_bytes()).unwrap();
    assert!(again.tables.changes_since(&state.tables).is_empty());
    assert_eq!((again.transaction, again.read_at, again.version), (state.transaction, state.read_at, state.version));
}

#[test]
fn a_node_is_trusted_on_rebuilt_tables_and_what_rests_on_the_unknown_is_said() {
    let mut tables = Tables::new();
    tables.put(table::CONSTITUTION, &SINGLETON, json!(DEFAULT).to_string());
    let member = MemberId::from_bytes([1; 32]);
    write(&mut tables, table::MEMBER_INFO, &member.to_string(), &json!({"status": "Active"}));
    write(&mut tables, table::SERVICE_INFO, "", &json!({}));
    tables.put(table::SERVICE_CONFIG, &SINGLETON, json!({"maximum_node_certificate_validity_days": 365}).to_string());
    let node = "12".repeat(32);
    write(
        &mut tables,
        table::NODE_INFO,
        &node,
        &json!({"status": "Pending", "certificate_signing_request": PLACEHOLDER_CSR}),
    );
    let state = State {
        certificate: CERT.into(),
        transaction: None,
        committed: true,
        read_at: OffsetDateTime::UNIX_EPOCH,
        version: None,
        tables,
    };
    let text = json!({"actions": [{"name": "transition_node_to_trusted", "args": {"node_id": node, "valid_from": "20261126000000Z"}}]});
    let simulation = state.simulator().run(&Trial::new(&text.to_string(), member)).unwrap();
    assert_eq!(simulation.outcome, Outcome::Accepted, "{simulation:?}");
    let mut after = state.simulator();
    after.run(&Trial::new(&text.to_string(), member)).unwrap();
    assert_eq!(read(after.tables(), table::NODE_INFO, &node).unwrap()["status"], "Trusted");
    assert!(state.age(OffsetDateTime::UNIX_EPOCH + time::Duration::hours(3)).starts_with("3 hours old"));
}

#[test]
fn files_that_are_no_state_are_refused_with_a_reason() {
    let good = json!({"format": "ccf-gov state 1", "certificate": "x", "committed": true, "read_at": "2026-11-26T00:00:00Z",
        "tables": {"public:ccf.gov.x": [["k", {"base64": "AAA="}]]}});
    assert!(State::from_json(good.to_string().as_bytes()).is_ok());
    for (change, part) in [
        (json!({"format": "ccf-gov state 2"}), "format"),
        (json!({"format": null}), "names no format"),
        (json!({"read_at": "yesterday"}), "read_at"),
        (json!({"tables": []}), "no tables"),
        (json!({"tables": {"t": [["k"]]}}), "list of [key, value]"),
        (json!({"tables": {"t": [["k", "1"], ["k", "2"]]}}), "twice"),
        (json!({"tables": {"t": [["k", {"hex": "00"}]]}}), "list of [key, value]"),
        (json!({"version": "seven"}), "version"),
        (json!({"transaction": "2"}), "transaction"),
        (json!({"committed": 1}), "committed"),
    ] {
        let mut bad = good.clone();
        bad.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let error = State::from_json(bad.to_string().as_bytes()).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    assert!(State::from_json(b"{").is_err());
}

proptest! {
    #[test]
    fn any_tables_come_back_from_their_file(entries in prop::collection::vec((".{1,20}", prop::collection::vec(any::<u8>(), 0..20), prop::collection::vec(any::<u8>(), 0..40)), 0..20)) {
        let mut tables = Tables::new();
        entries.iter().for_each(|(name, key, value)| tables.put(name, key, value.clone()));
        let state = State { certificate: CERT.into(), transaction: "2.7".parse().ok(), committed: false,
            read_at: OffsetDateTime::UNIX_EPOCH, version: "7.0.1".parse().ok(), tables };
        let again = State::from_json(state.to_json().to_string().as_bytes()).unwrap();
        prop_assert!(again.tables.changes_since(&state.tables).is_empty());
    }
}
