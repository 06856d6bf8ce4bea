//! The state folder: everything that is committed, in one file that is written whole or not at all.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::SandboxError;
use super::code::NodeCode;
use super::consensus::{Configuration, State};
use super::genesis::node_with_key;
use super::identity::Key;
use super::ledger::Ledger;
use super::node::Node;
use super::snp::{Hardware, SavedHardware};
use super::tables::{NodeRow, nodes};
use crate::digest::parse_hex;
use crate::files::{self, Readers};
use crate::id::TransactionId;
use crate::kv::row::read;
use crate::kv::{Tables, table};

const FILE: &str = "sandbox.json";
const MAX_STATE: u64 = 1 << 30;

/// A service as it is kept. Keys are in it: the file is the owner's alone.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    service_key: String,
    /// The keys of its SNP hardware, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hardware: Option<SavedHardware>,
    commit: TransactionId,
    root: String,
    views: Vec<TransactionId>,
    nodes: Vec<SavedNode>,
    /// Per table, per base64 key: the base64 value, and the seqno that wrote it.
    tables: BTreeMap<String, BTreeMap<String, (String, u64)>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedNode {
    key: String,
    code: NodeCode,
    address: SocketAddr,
    startup_seqno: u64,
}

impl Saved {
    /// What is committed now.
    pub(super) fn take(key: &Key, hardware: Option<&Hardware>, state: &State) -> Result<Self, SandboxError> {
        let durable = state.ledger.at(state.ledger.commit());
        let known = |n: &&Node| NodeRow::of(&durable.tables, n.id).is_some();
        let node = |n: &Node| SavedNode {
            key: n.key.to_pem(),
            code: n.code.clone(),
            address: n.address,
            startup_seqno: n.startup_seqno,
        };
        let names = durable.tables.names();
        Ok(Self {
            service_key: key.to_pem(),
            hardware: hardware.map(Hardware::save).transpose()?,
            commit: durable.id,
            root: hex::encode(durable.root),
            views: state.ledger.views().iter().filter(|v| v.seqno <= durable.id.seqno).copied().collect(),
            nodes: state.nodes.values().filter(known).map(node).collect(),
            tables: names.map(|name| (name.to_owned(), rows(&durable.tables, name))).collect(),
        })
    }

    /// Reads the file in `folder`; `None` if there is none. Others must not be able to write there.
    pub(super) fn load(folder: &Path) -> Result<Option<Self>, SandboxError> {
        if folder.exists() {
            files::make_own_folder(folder)?;
        }
        let path = path(folder);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = files::read(&path, MAX_STATE)?;
        serde_json::from_slice(&bytes).map(Some).map_err(|e| SandboxError::State { path, source: e.into() })
    }

    /// Writes the file in `folder`, which is made for its owner alone if it is not there.
    pub(super) fn store(&self, folder: &Path) -> Result<(), SandboxError> {
        let path = path(folder);
        files::make_own_folder(folder)?;
        let bytes =
            serde_json::to_vec(self).map_err(|e| SandboxError::State { path: path.clone(), source: e.into() })?;
        Ok(files::write(&path, &bytes, Readers::Private, true)?)
    }

    /// The nodes' addresses, in the order of the file.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.nodes.iter().map(|n| n.address)
    }

    /// The service as it was, in a new view: its nodes start again and elect a primary.
    pub(super) fn restore(self, folder: &Path) -> Result<(Key, Option<Hardware>, State), SandboxError> {
        let broken = |what: &str| SandboxError::State { path: path(folder), source: what.into() };
        let now = Instant::now();
        let key = Key::from_pem(&self.service_key)?;
        let hardware = self.hardware.as_ref().map(Hardware::restore).transpose()?;
        let mut tables = Tables::new();
        for (name, rows) in &self.tables {
            for (key, (value, seqno)) in rows {
                let decode = |text: &str| STANDARD.decode(text).map_err(|_| broken("a row is not base64"));
                tables.begin(*seqno);
                tables.put(name, &decode(key)?, decode(value)?);
            }
        }
        tables.begin(self.commit.seqno);
        let root = parse_hex("root", &self.root).map_err(|_| broken("the root is not a digest"))?;
        let mut kept = BTreeMap::new();
        for saved in self.nodes {
            let key = Key::from_pem(&saved.key)?;
            let unknown = || broken("a node is not in the tables");
            let row = NodeRow::of(&tables, key.node_id()).ok_or_else(unknown)?;
            let quote_info =
                read(&tables, table::NODE_INFO, &key.node_id().to_string()).ok_or_else(unknown)?["quote_info"].take();
            let mut node = node_with_key(key, saved.code, quote_info, saved.address, now)?;
            node.startup_seqno = saved.startup_seqno;
            (node.matched, node.commit) = (self.commit.seqno, self.commit.seqno);
            node.ready_at = (row.status != "Pending").then_some(now);
            kept.insert(node.id, node);
        }
        let trusted = nodes(&tables).filter(|(_, row)| row.status == "Trusted").map(|(id, _)| id).collect();
        let view = self.commit.view;
        let state = State {
            ledger: Ledger::resume(self.commit, self.views, tables, root),
            nodes: kept,
            view,
            primary: None,
            configurations: vec![Configuration { seqno: self.commit.seqno, nodes: trusted }],
            lost_since: None,
            election_at: Some(now),
            unsigned_since: None,
            examined: (0, 0),
        };
        Ok((key, hardware, state))
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

fn rows(tables: &Tables, name: &str) -> BTreeMap<String, (String, u64)> {
    let row = |(key, value): (&[u8], &[u8])| {
        let seqno = tables.version_of_previous_write(name, key).unwrap_or(0);
        (STANDARD.encode(key), (STANDARD.encode(value), seqno))
    };
    tables.iter(name).map(row).collect()
}
