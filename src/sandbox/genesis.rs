//! A new service: its first tables and its first nodes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::SandboxError;
use super::code::NodeCode;
use super::consensus::{Configuration, State};
use super::identity::Key;
use super::ledger::Ledger;
use super::node::{Node, NodeState};
use super::options::{Copied, Member, Options};
use super::snp::Hardware;
use crate::constitution::decide::refresh_shares;
use crate::digest::sha256;
use crate::id::TransactionId;
use crate::kv::row::{read_one, rows, write, write_one};
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
    let certificate = key.service_certificate(from, FIRST_DAYS)?;
    let mut tables = match &options.copied {
        None => found(options, &certificate, first),
        Some(copied) => copy(copied, &certificate, first, hardware),
    };
    if options.open {
        refresh_shares(&mut tables);
    }
    let root = sha256(key.public_pem().as_bytes());

    let mut nodes = BTreeMap::new();
    let mut ledger: Option<Ledger> = None;
    for ((code, status), address) in options.first_nodes().zip(addresses) {
        let node = new_node(code.clone(), hardware, *address, now)?;
        let seqno = ledger.as_ref().map_or(first.seqno, |l| l.head().id.seqno + 1);
        let mut tables = ledger.as_ref().map_or_else(|| tables.clone(), |l| l.head().tables.clone());
        tables.begin(seqno);
        let id = node.id.to_string();
        if options.copied.is_none() {
            allow(&mut tables, code, hardware);
        }
        let mut row = node.info(status);
        row["retired_committed"] = (status == "Retired").into();
        write(&mut tables, table::NODE_INFO, &id, &row);
        let trusted = status == "Trusted";
        if trusted {
            tables.put(table::NODE_ENDORSED_CERTS, id.as_bytes(), key.endorse(&node.csr, from, FIRST_DAYS)?);
        }
        match &mut ledger {
            Some(ledger) => drop(ledger.append(FIRST_VIEW, tables, node.id.as_bytes(), false)),
            None => ledger = Some(Ledger::new(first, tables, root)),
        }
        let startup_seqno = if seqno == first.seqno { 0 } else { seqno };
        let state = if status == "Retired" { NodeState::Stopped } else { NodeState::Running };
        let ready_at = trusted.then_some(now);
        nodes.insert(node.id, Node { ready_at, startup_seqno, state, redirects: options.redirect, ..node });
    }
    let ledger = ledger.ok_or(SandboxError::NoNodes)?;
    let seqno = ledger.head().id.seqno;
    let primary = nodes.values().find(|n| n.startup_seqno == 0).map(|n| n.id);
    let trusted = nodes.values().filter(|node| node.ready_at.is_some()).map(|node| node.id).collect();
    let configurations = vec![Configuration { seqno, nodes: trusted }];
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

/// The tables of a new service, before it has nodes.
fn found(options: &Options, certificate: &str, first: TransactionId) -> Tables {
    let mut tables = Tables::new();
    tables.begin(first.seqno);
    let status = if options.open { "Open" } else { "Opening" };
    let info = json!({"status": status, "recovery_count": 0, "service_data": null});
    write_service(&mut tables, info, certificate, first);
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
    for member in &options.members {
        put_member(&mut tables, member, options.open);
    }
    tables
}

/// The tables of another service, before this one has nodes.
fn copy(copied: &Copied, certificate: &str, first: TransactionId, hardware: Option<&Hardware>) -> Tables {
    let mut tables = copied.tables.clone();
    tables.begin(first.seqno);
    let info = read_one(&tables, table::SERVICE_INFO).filter(Value::is_object).unwrap_or_else(|| json!({}));
    write_service(&mut tables, info, certificate, first);
    for name in [table::NODE_INFO, table::NODE_ENDORSED_CERTS, table::SIGNATURES] {
        tables.clear(name);
    }
    if let Some(hardware) = hardware {
        let mut feeds = Map::new();
        for (_, row) in rows(&tables, table::SNP_UVM_ENDORSEMENTS) {
            feeds.extend(row.as_object().into_iter().flatten().map(|(feed, least)| (feed.clone(), least.clone())));
        }
        tables.clear(table::SNP_UVM_ENDORSEMENTS);
        if !feeds.is_empty() {
            write(&mut tables, table::SNP_UVM_ENDORSEMENTS, &hardware.did(), &feeds.into());
        }
    }
    tables
}

fn write_service(tables: &mut Tables, mut info: Value, certificate: &str, first: TransactionId) {
    info["cert"] = certificate.into();
    info["current_service_create_txid"] = json!(first);
    write_one(tables, table::SERVICE_INFO, &info);
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
