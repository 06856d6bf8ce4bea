//! The project's own constitution: what it [accepts], and what each action [writes].

mod accepts;
mod writes;

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::{Value, json};

use super::{Desk, member};
use crate::constitution::*;
use crate::digest::sha256;
use crate::id::ProposalId;
use crate::kv::{Change, SINGLETON, Tables, table};

static RULES: LazyLock<Constitution> = LazyLock::new(|| Constitution::new(DEFAULT).unwrap());

const CERT: &str = include_str!("../../../../keys-example/member0_cert.pem");
const OTHER_CERT: &str = include_str!("../../../../keys-example/member1_cert.pem");
const ENCRYPTION_KEY: &str = include_str!("../../../../keys-example/member0_enc_pubk.pem");
const NODE: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const OTHER_NODE: &str = "2222222222222222222222222222222222222222222222222222222222222222";
const HEX64: &str = "abababababababababababababababababababababababababababababababab";
const HEX96: &str = "abababababababababababababababababababababababababababababababababababababababababababababababab";

fn id_of(pem_text: &str) -> String {
    hex::encode(sha256(pem::parse(pem_text).unwrap().contents()))
}

/// A service with two nodes, three members (the third not active), and a configuration.
fn service() -> Tables {
    let mut tables = Tables::new();
    let mut put = |name: &str, key: &[u8], value: Value| tables.put(name, key, value.to_string());
    put(table::SERVICE_INFO, &SINGLETON, json!({"cert": CERT, "status": "Open"}));
    put(
        table::SERVICE_CONFIG,
        &SINGLETON,
        json!({"recovery_threshold": 1, "maximum_node_certificate_validity_days": 90}),
    );
    for (number, status) in [(1, "Active"), (2, "Active"), (3, "Accepted")] {
        let id = member(number).to_string();
        put(table::MEMBER_INFO, id.as_bytes(), json!({"status": status}));
        put(table::MEMBER_ENCRYPTION_KEYS, id.as_bytes(), json!("a key"));
    }
    put(table::NODE_INFO, NODE.as_bytes(), json!({"status": "Pending", "certificate_signing_request": "csr", "x": 1}));
    put(table::NODE_INFO, OTHER_NODE.as_bytes(), json!({"status": "Trusted", "certificate_signing_request": "csr"}));
    put("public:ccf.internal.signatures", &SINGLETON, json!({"root": "00ff"}));
    for (number, state) in [(7, "Open"), (8, "Open"), (9, "Accepted")] {
        let id = ProposalId::from_bytes([number; 32]).to_string();
        put(table::PROPOSALS_INFO, id.as_bytes(), json!({"state": state, "ballots": {}}));
    }
    tables
}

fn proposing(name: &str, args: &Value) -> String {
    json!({"actions": [{"name": name, "args": args}]}).to_string()
}

fn validate(name: &str, args: &Value) -> Validation {
    RULES.validate(&service(), &proposing(name, args)).unwrap()
}

fn apply(tables: &mut Tables, name: &str, args: &Value) -> Result<Vec<Effect>, ScriptError> {
    let text = proposing(name, args);
    let proposal = Proposal { text: &text, id: ProposalId::from_bytes([7; 32]), proposer: member(1) };
    RULES.apply(tables, &proposal, &Desk)
}

/// `[table, key, value]` of every change that applying makes to the service; `null` is a removal.
fn changes(name: &str, args: &Value) -> Vec<Value> {
    changes_to(service(), name, args)
}

fn changes_to(before: Tables, name: &str, args: &Value) -> Vec<Value> {
    let mut after = before.clone();
    apply(&mut after, name, args).unwrap();
    let text = |bytes: &[u8]| if bytes == SINGLETON { "0".into() } else { String::from_utf8_lossy(bytes).into_owned() };
    let show = |change: Change| {
        let value = change.after.as_deref().map(text);
        json!([change.table.strip_prefix("public:ccf.gov.").unwrap(), text(&change.key), value])
    };
    after.changes_since(&before).into_iter().map(show).collect()
}

fn bundle() -> Value {
    json!({
        "modules": [{"name": "hello.js", "module": "export function hello() {}"}, {"name": "/b.js", "module": ""}],
        "metadata": {"endpoints": {"/hello": {"get": {
            "js_module": "hello.js", "js_function": "hello", "mode": "readonly", "forwarding_required": "never",
            "authn_policies": ["member_cert", {"all_of": ["user_cert", "jwt"]}], "openapi": null,
            "interpreter_reuse": {"key": "k"},
        }}}},
    })
}

/// The certificate of an authority, in date.
static ROOT: LazyLock<String> = LazyLock::new(|| {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
});

fn base64_of(pem_text: &str) -> String {
    STANDARD.encode(pem::parse(pem_text).unwrap().contents())
}

fn jwks() -> Value {
    let ec = json!({
        "kid": "c", "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    });
    let rsa = crate::proposal::catalogue::Catalogue::builtin().find("set_jwt_issuer").unwrap().example["jwks"]["keys"]
        [0]
    .clone();
    json!({"keys": [rsa, ec, {"kid": "x", "kty": "EC", "x5c": [base64_of(&ROOT)]}]})
}

/// An example of every action: its name and valid arguments.
fn examples() -> Vec<(&'static str, Value)> {
    let policy = "package policy";
    let policy_digest = hex::encode(sha256(policy.as_bytes()));
    let certificate_time = json!({"valid_from": "251122210000Z", "validity_period_days": 90});
    let node_time = json!({"node_id": OTHER_NODE, "valid_from": "2025-11-22T21:00:00Z", "validity_period_days": 90});
    let tcb = json!({"boot_loader": 4, "tee": 0, "snp": 21, "microcode": 211});
    vec![
        (
            "set_member",
            json!({"cert": CERT, "encryption_pub_key": ENCRYPTION_KEY, "member_data": {"a": 1}, "recovery_role": "Participant"}),
        ),
        ("remove_member", json!({"member_id": member(2).to_string()})),
        ("set_member_data", json!({"member_id": member(2).to_string(), "member_data": {"a": 1}})),
        ("set_user", json!({"cert": CERT, "user_data": {"a": 1}})),
        ("remove_user", json!({"user_id": HEX64})),
        ("set_user_data", json!({"user_id": HEX64, "user_data": {"a": 1}})),
        ("set_recovery_threshold", json!({"recovery_threshold": 2})),
        (
            "set_service_configuration",
            json!({"recent_cose_proposals_window_size": 50, "recovery_threshold": 2, "reconfiguration_type": "OneTransaction"}),
        ),
        ("trigger_recovery_shares_refresh", Value::Null),
        ("trigger_ledger_rekey", Value::Null),
        ("trigger_ledger_chunk", Value::Null),
        ("trigger_snapshot", json!({})),
        ("transition_service_to_open", json!({"next_service_identity": CERT, "previous_service_identity": OTHER_CERT})),
        ("assert_service_identity", json!({"service_identity": CERT})),
        ("set_constitution", json!({"constitution": DEFAULT})),
        ("set_node_certificate_validity", node_time.clone()),
        ("set_all_nodes_certificate_validity", certificate_time.clone()),
        ("set_service_certificate_validity", certificate_time),
        ("set_ca_cert_bundle", json!({"name": "ca", "cert_bundle": format!("{}\n{}", *ROOT, *ROOT)})),
        ("remove_ca_cert_bundle", json!({"name": "ca"})),
        ("transition_node_to_trusted", node_time),
        ("remove_node", json!({"node_id": NODE})),
        ("set_node_data", json!({"node_id": NODE, "node_data": null})),
        ("remove_node_code", json!({"code_id": "anything"})),
        ("add_snp_measurement", json!({"measurement": HEX96})),
        ("remove_snp_measurement", json!({"measurement": "anything"})),
        ("add_snp_host_data", json!({"host_data": policy_digest, "security_policy": policy})),
        ("remove_snp_host_data", json!({"host_data": "anything"})),
        ("add_snp_uvm_endorsement", json!({"did": "did:x509:0:a", "feed": "f", "svn": "100"})),
        ("remove_snp_uvm_endorsement", json!({"did": "did:x509:0:a", "feed": "f"})),
        ("set_snp_minimum_tcb_version", json!({"cpuid": "00a00f11", "tcb_version": tcb})),
        ("set_snp_minimum_tcb_version_hex", json!({"cpuid": "00a00f11", "tcb_version": "d315000000000004"})),
        ("remove_snp_minimum_tcb_version", json!({"cpuid": "00a00f11"})),
        ("add_virtual_measurement", json!({"measurement": "Insecure hard-coded virtual measurement v1"})),
        ("remove_virtual_measurement", json!({"measurement": "anything"})),
        ("add_virtual_host_data", json!({"host_data": HEX64})),
        ("remove_virtual_host_data", json!({"host_data": "anything"})),
        ("set_node_join_policy", json!({"policy": "export function apply(statements) { return true; }"})),
        ("remove_node_join_policy", Value::Null),
        ("set_js_app", json!({"bundle": bundle(), "disable_bytecode_cache": true})),
        ("remove_js_app", Value::Null),
        ("refresh_js_app_bytecode_cache", Value::Null),
        (
            "set_js_runtime_options",
            json!({"max_heap_bytes": 1, "max_stack_bytes": 2, "max_execution_time_ms": 3, "log_exception_details": true, "return_exception_details": false, "max_cached_interpreters": 0}),
        ),
        (
            "set_jwt_issuer",
            json!({"issuer": "https://example.com/a", "auto_refresh": true, "ca_cert_bundle_name": "ca", "jwks": jwks()}),
        ),
        ("set_jwt_public_signing_keys", json!({"issuer": "i", "jwks": jwks()})),
        ("remove_jwt_issuer", json!({"issuer": "i"})),
        ("cleanup_legacy_jwt_records", json!({"ensure_new_records_exist": true})),
    ]
}
