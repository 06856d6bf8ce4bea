//! A new service: its first tables and its first nodes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::SandboxError;
use super::code::NodeCode;
use super::consensus::{Configuration, State};
use super::identity::Key;
use super::ledger::Ledger;
use super::node::{Node, NodeState};
use super::options::{Member, Options};
use super::snp::Hardware;
use crate::constitution::decide::refresh_shares;
use crate::digest::sha256;
use crate::id::TransactionId;
use crate::kv::row::{write, write_one};
use crate::kv::{Tables, table};

/// The view in which a service starts.
const FIRST_VIEW: u64 = 2;
/// How long the first certificates are valid.
const FIRST_DAYS: u64 = 30;

/// The state of a new service whose nodes listen at `addresses`, the first of them the primary.
pub(super) fn create(
    options: &Options,
    key: &Key,
    hardware: Option<&Hardware>,
    addresses: &[SocketAddr],
) -> Result<State, SandboxError> {
    let now = Instant::now();
    let from = OffsetDateTime::now_utc();
    let first = TransactionId { view: FIRST_VIEW, seqno: 1 };
    let mut tables = Tables::new();
    tables.begin(first.seqno);
    write_one(
        &mut tables,
        table::SERVICE_INFO,
        &json!({
            "cert": key.service_certificate(from, FIRST_DAYS)?,
            "status": if options.open { "Open" } else { "Opening" },
            "recovery_count": 0,
            "service_data": null,
            "current_service_create_txid": first,
        }),
    );
    let participants = options.members.iter().filter(|m| m.encryption_key.is_some()).count();
    write_one(
        &mut tables,
        table::SERVICE_CONFIG,
        &json!({
            "maximum_node_certificate_validity_days": 365,
            "maximum_service_certificate_validity_days": 365,
            "recovery_threshold": participants.min(1),
        }),
    );
    write_one(&mut tables, table::CONSTITUTION, &Value::from(options.constitution.as_str()));
    let root = sha256(key.public_pem().as_bytes());
    for member in &options.members {
        put_member(&mut tables, member, options.open);
    }
    if options.open {
        refresh_shares(&mut tables);
    }

    let mut nodes = BTreeMap::new();
    let mut ledger: Option<Ledger> = None;
    for (code, address) in options.nodes.iter().zip(addresses) {
        let node = new_node(code.clone(), hardware, *address, now)?;
        let seqno = ledger.as_ref().map_or(first.seqno, |l| l.head().id.seqno + 1);
        let mut tables = ledger.as_ref().map_or_else(|| tables.clone(), |l| l.head().tables.clone());
        tables.begin(seqno);
        let id = node.id.to_string();
        allow(&mut tables, code, hardware);
        write(&mut tables, table::NODE_INFO, &id, &node.info("Trusted"));
        let certificate = key.endorse(&node.csr, from, FIRST_DAYS)?;
        tables.put(table::NODE_ENDORSED_CERTS, id.as_bytes(), certificate);
        match &mut ledger {
            Some(ledger) => drop(ledger.append(FIRST_VIEW, tables, node.id.as_bytes(), false)),
            None => ledger = Some(Ledger::new(first, tables, root)),
        }
        let startup_seqno = if seqno == first.seqno { 0 } else { seqno };
        nodes.insert(node.id, Node { ready_at: Some(now), startup_seqno, redirects: options.redirect, ..node });
    }
    let ledger = ledger.ok_or(SandboxError::NoNodes)?;
    let seqno = ledger.head().id.seqno;
    let primary = nodes.values().find(|n| n.startup_seqno == 0).map(|n| n.id);
    let configurations = vec![Configuration { seqno, nodes: nodes.keys().copied().collect() }];
    let mut state = State {
        ledger,
        nodes,
        view: FIRST_VIEW,
        primary,
        configurations,
        lost_since: None,
        election_at: None,
        unsigned_since: Some(now),
        examined: (0, 0),
    };
    state.write_signature();
    Ok(state)
}

/// A node with a fresh key that has not joined anything.
pub(super) fn new_node(
    code: NodeCode,
    hardware: Option<&Hardware>,
    address: SocketAddr,
    now: Instant,
) -> Result<Node, SandboxError> {
    let key = Key::generate()?;
    let quote_info = code.quote_info(key.node_id(), hardware)?;
    node_with_key(key, code, quote_info, address, now)
}

/// A node with this key and evidence.
pub(super) fn node_with_key(
    key: Key,
    code: NodeCode,
    quote_info: Value,
    address: SocketAddr,
    now: Instant,
) -> Result<Node, SandboxError> {
    Ok(Node {
        id: key.node_id(),
        csr: key.csr(address.ip())?,
        key,
        code,
        quote_info,
        address,
        state: NodeState::Running,
        redirects: false,
        certified_at: 0,
        matched: 0,
        commit: 0,
        startup_seqno: 0,
        ready_at: None,
        heard: now,
        belief: None,
        tls: Default::default(),
        running: None,
    })
}

fn put_member(tables: &mut Tables, member: &Member, active: bool) {
    let id = member.certificate.member_id().to_string();
    tables.put(table::MEMBER_CERTS, id.as_bytes(), member.certificate.to_pem());
    if let Some(key) = &member.encryption_key {
        tables.put(table::MEMBER_ENCRYPTION_KEYS, id.as_bytes(), key.as_str());
    }
    let status = if active { "Active" } else { "Accepted" };
    write(tables, table::MEMBER_INFO, &id, &json!({"member_data": member.data, "status": status}));
    write(tables, table::MEMBER_ACKS, &id, &json!({"state_digest": hex::encode([0; 32])}));
}

/// Lets code join, as a first node lets its own.
fn allow(tables: &mut Tables, code: &NodeCode, hardware: Option<&Hardware>) {
    let allowed = r#""AllowedToJoin""#;
    match code {
        NodeCode::Virtual { host_data, measurement } => {
            tables.put(table::VIRTUAL_HOST_DATA, host_data.to_string().as_bytes(), r#""""#);
            tables.put(table::VIRTUAL_MEASUREMENTS, measurement.as_bytes(), allowed);
        }
        NodeCode::Snp(code) => {
            tables.put(table::SNP_HOST_DATA, code.host_data.to_string().as_bytes(), r#""""#);
            match (&code.uvm, hardware) {
                (Some(uvm), Some(hardware)) => {
                    let feeds = json!({&uvm.feed: {"svn": uvm.svn}});
                    write(tables, table::SNP_UVM_ENDORSEMENTS, &hardware.did(), &feeds);
                }
                _ => tables.put(table::SNP_MEASUREMENTS, code.measurement.to_string().as_bytes(), allowed),
            }
            if let Some(product) = code.cpuid.product() {
                let tcb = code.tcb.components(product);
                let mut least = json!({
                    "boot_loader": tcb.boot_loader,
                    "hexstring": code.tcb.to_string(),
                    "microcode": tcb.microcode,
                    "snp": tcb.snp,
                    "tee": tcb.tee,
                });
                if let Some(fmc) = tcb.fmc {
                    least["fmc"] = fmc.into();
                }
                write(tables, table::SNP_TCB_VERSIONS, &code.cpuid.to_string(), &least);
            }
        }
        NodeCode::Sgx { mrenclave } => tables.put(table::NODE_CODE_IDS, mrenclave.to_string().as_bytes(), allowed),
    }
}
