//! One simulated node: who it is, where it listens, and how far it has come.

use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use std::time::Instant;

use serde_json::json;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::code::NodeCode;
use super::identity::Key;
use crate::id::NodeId;

/// What a simulated node is at the moment, as somebody who runs it sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// It answers.
    Running,
    /// It answers, but neither hears the others nor is heard by them.
    Paused,
    /// Its process ended; nothing listens on its port.
    Stopped,
}

impl NodeState {
    /// In one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Paused => "Paused",
            Self::Stopped => "Stopped",
        }
    }
}

/// What a node believes once it no longer hears the others.
#[derive(Clone, Debug)]
pub(super) struct Belief {
    pub(super) view: u64,
    pub(super) primary: Option<NodeId>,
    pub(super) tables: crate::kv::Tables,
    pub(super) commit: u64,
}

pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) key: Key,
    pub(super) code: NodeCode,
    /// What it shows as evidence of the code: CCF's `quote_info`.
    pub(super) quote_info: serde_json::Value,
    pub(super) address: SocketAddr,
    pub(super) csr: String,
    pub(super) state: NodeState,
    /// Redirects writes to the primary instead of forwarding them.
    pub(super) redirects: bool,
    /// The newest transaction that it has.
    pub(super) matched: u64,
    /// The newest transaction that it knows to be committed.
    pub(super) commit: u64,
    pub(super) startup_seqno: u64,
    /// When a node that was trusted will have learnt of it; `None` until it is trusted.
    pub(super) ready_at: Option<Instant>,
    /// When the primary last heard from it, or when it was added.
    pub(super) heard: Instant,
    /// Set while it is cut off from the others: paused, or retired for good.
    pub(super) belief: Option<Belief>,
    /// The transaction that wrote the certificate in `tls`.
    pub(super) certified_at: u64,
    /// TLS with the newest endorsed certificate; `None` while the node is not trusted.
    pub(super) tls: Arc<RwLock<Option<TlsAcceptor>>>,
    /// Dropping it closes the node's sockets.
    pub(super) running: Option<watch::Sender<()>>,
}

impl Node {
    /// Whether it takes part: answers the primary, votes, and can be elected.
    pub(super) fn takes_part(&self, now: Instant) -> bool {
        self.state == NodeState::Running && self.belief.is_none() && self.ready_at.is_some_and(|at| at <= now)
    }

    /// The address of its node-to-node interface, which nothing listens on here.
    pub(super) fn peer_address(&self) -> String {
        format!("{}:{}", self.address.ip(), self.address.port().wrapping_add(1))
    }

    /// Its row in the table of nodes.
    pub(super) fn info(&self, status: &str) -> serde_json::Value {
        let address = self.address.to_string();
        let peer = self.peer_address();
        json!({
            "rpc_interfaces": {"main": {"bind_address": address, "published_address": address}},
            "node_to_node_interface": {"bind_address": peer, "published_address": peer},
            "quote_info": self.quote_info,
            "encryption_pub_key": self.key.public_pem(),
            "status": status,
            "code_digest": self.code.code_digest(),
            "certificate_signing_request": self.csr,
            "public_key": self.key.public_pem(),
            "node_data": null,
            "retired_committed": false,
        })
    }
}
