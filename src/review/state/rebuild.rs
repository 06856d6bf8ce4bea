//! From a service's answers to the rows that they were made of.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::id::{MemberId, ProposalId};
use crate::kv::row::{write, write_one};
use crate::kv::{SINGLETON, Tables, table};
use crate::review::simulate::PLACEHOLDER_CSR;

/// What stands in the place of the root that the newest signature covers.
const PLACEHOLDER_ROOT: &str = "(the root that the newest signature covers, which the API does not tell)";

/// What a service told, before it is tables.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// By name, the JSON of each answer.
    pub(super) answers: BTreeMap<String, Value>,
    pub(super) modules: BTreeMap<String, String>,
    pub(super) proposals: BTreeMap<ProposalId, HeldProposal>,
    pub(super) version: Option<String>,
}

/// What is told of an open proposal beside its standing.
#[derive(Debug, Default)]
pub(super) struct HeldProposal {
    pub(super) text: Option<Vec<u8>>,
    pub(super) ballots: BTreeMap<MemberId, String>,
}

impl Told {
    pub(super) fn text(&self, path: &[&str]) -> &str {
        self.at(path).as_str().unwrap_or_default()
    }

    fn at(&self, path: &[&str]) -> &Value {
        let Some((first, rest)) = path.split_first() else { return &Value::Null };
        rest.iter().fold(self.answers.get(*first).unwrap_or(&Value::Null), |value, name| &value[*name])
    }

    fn list(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.at(&[name, "value"]).as_array().into_iter().flatten()
    }

    fn object(&self, path: &[&str]) -> impl Iterator<Item = (&String, &Value)> {
        self.at(path).as_object().into_iter().flatten()
    }
}

/// The tables that were told; every row counts as written at `seqno`.
pub(super) fn rebuild(told: &Told, seqno: u64) -> Tables {
    let mut tables = Tables::new();
    tables.begin(seqno);
    write_one(&mut tables, table::CONSTITUTION, told.at(&["constitution"]));
    service(told, &mut tables);
    told.list("members").for_each(|member| put_member(member, &mut tables));
    told.list("users").for_each(|user| put_user(user, &mut tables));
    told.list("nodes").for_each(|node| put_node(node, told, &mut tables));
    join_policy(told, &mut tables);
    application(told, &mut tables);
    tokens(told, &mut tables);
    told.list("proposals").for_each(|listed| put_proposal(listed, told, &mut tables));
    // CCF's `set_member` throws where nothing was ever signed, and a ledger that can be read has been signed.
    write_one(&mut tables, table::SIGNATURES, &json!({"root": PLACEHOLDER_ROOT}));
    tables
}

fn service(told: &Told, tables: &mut Tables) {
    let of = |name: &str| told.at(&["info", name]).clone();
    let info = json!({
        "cert": of("certificate"), "status": of("status"), "recovery_count": of("recoveryCount"),
        "service_data": of("serviceData"), "current_service_create_txid": of("creationTransactionId"),
    });
    write_one(tables, table::SERVICE_INFO, &info);
    let config = told.object(&["info", "configuration"]).map(|(name, value)| (snake_case(name), value.clone()));
    let config: Map<String, Value> = config.collect();
    if !config.is_empty() {
        write_one(tables, table::SERVICE_CONFIG, &config.into());
    }
}

fn put_member(member: &Value, tables: &mut Tables) {
    let Some(id) = member["memberId"].as_str() else { return };
    let mut row = json!({"member_data": member["memberData"], "status": member["status"]});
    let key = member["publicEncryptionKey"].as_str();
    // The API shows a part in recovery for every member; a row has one where it is not what the key says.
    match (member["recoveryRole"].as_str(), key) {
        (Some("Participant"), Some(_)) | (Some("NonParticipant"), None) | (None, _) => {}
        (Some(role), _) => row["recovery_role"] = role.into(),
    }
    write(tables, table::MEMBER_INFO, id, &row);
    put_text(tables, table::MEMBER_CERTS, id, &member["certificate"]);
    put_text(tables, table::MEMBER_ENCRYPTION_KEYS, id, &member["publicEncryptionKey"]);
}

fn put_user(user: &Value, tables: &mut Tables) {
    let Some(id) = user["userId"].as_str() else { return };
    put_text(tables, table::USER_CERTS, id, &user["certificate"]);
    if !user["userData"].is_null() {
        write(tables, table::USER_INFO, id, &user["userData"]);
    }
}

fn put_node(node: &Value, told: &Told, tables: &mut Tables) {
    let Some(id) = node["nodeId"].as_str() else { return };
    let interface = |(name, shown): (&String, &Value)| {
        let address = &shown["publishedAddress"];
        (name.clone(), json!({"bind_address": address, "published_address": address}))
    };
    let interfaces: Map<String, Value> =
        node["rpcInterfaces"].as_object().into_iter().flatten().map(interface).collect();
    let quote = &node["quoteInfo"];
    let attested = told.at(&["attestations"]).as_array().into_iter().flatten().find(|one| one["node_id"] == id);
    let raw = quote.get("rawQuote").or(quote.get("quote")).or(attested.and_then(|one| one.get("raw")));
    let row = json!({
        "certificate_signing_request": PLACEHOLDER_CSR,
        "node_data": node["nodeData"],
        "quote_info": {"format": quote["format"], "quote": raw},
        "retired_committed": node["retiredCommitted"],
        "rpc_interfaces": interfaces,
        "status": node["status"],
    });
    write(tables, table::NODE_INFO, id, &row);
    put_text(tables, table::NODE_ENDORSED_CERTS, id, &node["certificate"]);
}

fn join_policy(told: &Told, tables: &mut Tables) {
    let mut set = |path: [&str; 3], name: &str, value: &[u8]| {
        let list = told.at(&path).as_array().into_iter().flatten();
        list.filter_map(Value::as_str).for_each(|key| tables.put(name, key.as_bytes(), value));
    };
    let allowed = br#""AllowedToJoin""#;
    set(["joinPolicy", "sgx", "measurements"], table::NODE_CODE_IDS, allowed);
    set(["joinPolicy", "snp", "measurements"], table::SNP_MEASUREMENTS, allowed);
    set(["joinPolicy", "virtual", "measurements"], table::VIRTUAL_MEASUREMENTS, allowed);
    set(["joinPolicy", "virtual", "hostData"], table::VIRTUAL_HOST_DATA, &SINGLETON);
    for (name, of) in [
        ("hostData", table::SNP_HOST_DATA),
        ("uvmEndorsements", table::SNP_UVM_ENDORSEMENTS),
        ("tcbVersions", table::SNP_TCB_VERSIONS),
    ] {
        told.object(&["joinPolicy", "snp", name]).for_each(|(key, row)| write(tables, of, key, row));
    }
}

fn application(told: &Told, tables: &mut Tables) {
    for (path, methods) in told.object(&["application", "endpoints"]) {
        for (method, endpoint) in methods.as_object().into_iter().flatten() {
            write(tables, table::ENDPOINTS, &format!("{} {path}", method.to_uppercase()), endpoint);
        }
    }
    told.modules.iter().for_each(|(name, source)| tables.put(table::MODULES, name.as_bytes(), source.as_str()));
}

fn tokens(told: &Told, tables: &mut Tables) {
    for (issuer, shown) in told.object(&["jwk", "issuers"]) {
        let row = shown.as_object().into_iter().flatten().map(|(name, value)| (snake_case(name), value.clone()));
        write(tables, table::JWT_ISSUERS, issuer, &row.collect::<Map<_, _>>().into());
    }
    told.object(&["jwk", "keys"]).for_each(|(id, keys)| write(tables, table::JWT_KEYS, id, keys));
    told.object(&["jwk", "caCertBundles"]).for_each(|(name, pem)| write(tables, table::CA_CERT_BUNDLES, name, pem));
}

fn put_proposal(listed: &Value, told: &Told, tables: &mut Tables) {
    let Some(name) = listed["proposalId"].as_str() else { return };
    let held = name.parse().ok().and_then(|id: ProposalId| told.proposals.get(&id));
    let mut row = json!({"proposer_id": listed["proposerId"], "state": listed["proposalState"], "ballots": {}});
    for (shown, kept) in [("finalVotes", "final_votes"), ("voteFailures", "vote_failures"), ("failure", "failure")] {
        if !listed[shown].is_null() {
            row[kept] = listed[shown].clone();
        }
    }
    for (member, script) in held.into_iter().flat_map(|held| &held.ballots) {
        row["ballots"][member.to_string()] = script.as_str().into();
    }
    write(tables, table::PROPOSALS_INFO, name, &row);
    if let Some(text) = held.and_then(|held| held.text.clone()) {
        tables.put(table::PROPOSALS, name.as_bytes(), text);
    }
}

fn put_text(tables: &mut Tables, name: &str, key: &str, text: &Value) {
    if let Some(text) = text.as_str() {
        tables.put(name, key.as_bytes(), text);
    }
}

/// `recoveryThreshold` to `recovery_threshold`.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
