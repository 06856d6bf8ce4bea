//! A whole service in this process: the API of a CCF service, its constitution engine, and simulated nodes.
//!
//! A [`Sandbox`] answers on 127.0.0.1 over TLS as a network of CCF nodes does: governance, nodes, elections,
//! commits and the refusals. What it cannot do is in `docs/sandbox.md`. It is for rehearsals and tests: its
//! nodes attest to whatever they are told to.
//!
//! It reads its own tables, and nothing of `proposal` or `service`; of `evidence` it takes whether an SNP report's signatures hold, and
//! nothing of what a join policy admits. What those stations believe of a service is tested against it, so it must not share their
//! mistakes.

mod app;
mod code;
mod consensus;
mod control;
mod dispatch;
mod example;
mod genesis;
mod gov;
mod identity;
mod join;
mod ledger;
mod network;
mod node;
mod node_api;
mod options;
mod reply;
mod router;
mod server;
mod snp;
mod start;
mod state;
mod tables;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

pub use code::{NodeCode, SnpCode, UvmEndorsement, VIRTUAL_MEASUREMENT};
pub use example::example_members;
pub use join::JoinRefused;
pub use node::NodeState;
pub use options::{Copied, Member, Options};
pub use snp::{Artefacts, security_policy};

use crate::evidence::snp::Roots;
use crate::files::FileError;
use crate::id::{NodeId, ProposalId};
use crate::kv::row::{read, read_one, write};
use crate::kv::table;
use network::Network;

/// A running service. It ends when this is dropped.
pub struct Sandbox {
    network: Arc<Network>,
    clock: tokio::task::JoinHandle<()>,
}

/// One of a sandbox's nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxNode {
    /// The node's id.
    pub id: NodeId,
    /// Its address, `https://HOST:PORT`.
    pub url: String,
    /// Whether it runs.
    pub state: NodeState,
    /// What it runs.
    pub code: NodeCode,
}

/// What can go wrong with a sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Nothing to start.
    #[error("a service has at least one node")]
    NoNodes,
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A key or a certificate could not be made or read.
    #[error("a key or certificate of the sandbox cannot be made")]
    Certificate(#[source] Box<dyn Error + Send + Sync>),
    /// The state folder cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The state file is not one.
    #[error("{} is not the state of a sandbox", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The constitution cannot be run.
    #[error("the constitution cannot be used")]
    Constitution(#[from] crate::constitution::ConstitutionError),
    /// The join policy does not admit the node.
    #[error(transparent)]
    Refused(#[from] JoinRefused),
    /// There is no primary that could let the node in.
    #[error("the service has no primary that could let a node in")]
    NoPrimary,
    /// There is no such node, or it is not in a state for this.
    #[error("there is no node {0} that could do this")]
    NoSuchNode(NodeId),
}

impl SandboxError {
    fn certificate(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Certificate(Box::new(error))
    }
}

impl Sandbox {
    /// Starts a service. It runs on the runtime that this is called on, with its timers and its network enabled.
    pub async fn start(options: Options) -> Result<Self, SandboxError> {
        let (network, clock) = start::start(options).await?;
        Ok(Self { network, clock })
    }

    /// The service's certificate, PEM: the only root that clients are to trust.
    pub fn service_certificate(&self) -> String {
        let state = self.network.state();
        let service = read_one(&state.ledger.head().tables, table::SERVICE_INFO).unwrap_or_default();
        service["cert"].as_str().unwrap_or_default().to_owned()
    }

    /// Every node that was started, in that order.
    pub fn nodes(&self) -> Vec<SandboxNode> {
        let state = self.network.state();
        let mut nodes: Vec<&node::Node> = state.nodes.values().collect();
        nodes.sort_by_key(|n| (n.startup_seqno, n.address));
        let node = |n: &node::Node| SandboxNode {
            id: n.id,
            url: format!("https://{}", n.address),
            state: n.state,
            code: n.code.clone(),
        };
        nodes.into_iter().map(node).collect()
    }

    /// The roots that its SNP nodes' attestations end in. They are made up, and no other sandbox has them.
    pub fn roots(&self) -> Result<Roots, SandboxError> {
        self.network.hardware()?.roots()
    }

    /// The same as certificates, PEM: what `--rehearsal-roots` takes.
    pub fn roots_pem(&self) -> Result<String, SandboxError> {
        self.network.hardware()?.roots_pem()
    }

    /// The did:x509 of the issuer that endorses its utility VMs.
    pub fn uvm_issuer(&self) -> Result<String, SandboxError> {
        Ok(self.network.hardware()?.did())
    }

    /// The UVM endorsement that a node with this code shows, COSE; `None` for code without one.
    pub fn uvm_endorsement(&self, code: &SnpCode) -> Result<Option<Vec<u8>>, SandboxError> {
        self.network.hardware()?.uvm_endorsement(code)
    }

    /// Writes what a person needs to rehearse with SNP nodes into `folder`, which is made if it is not there; `None` if no node is one.
    pub fn write_artefacts(&self, folder: &Path) -> Result<Option<Artefacts>, SandboxError> {
        let first = self.nodes().into_iter().find_map(|node| match node.code {
            NodeCode::Snp(code) => Some(code),
            _ => None,
        });
        first.map(|code| snp::write_artefacts(self.network.hardware()?, folder, code)).transpose()
    }

    /// What a node shows as evidence of its code, as `quote_info` in the table of nodes has it; what an operator can read off the
    /// machine, and for a pending SNP node the service does not tell.
    pub fn attestation(&self, id: NodeId) -> Option<serde_json::Value> {
        self.network.state().nodes.get(&id).map(|node| node.quote_info.clone())
    }

    /// The tables after the newest transaction.
    #[cfg(test)]
    pub(crate) fn tables(&self) -> crate::kv::Tables {
        self.network.state().ledger.head().tables.clone()
    }

    /// Writes to the tables in a transaction of its own.
    #[cfg(test)]
    pub(crate) fn write(&self, change: impl FnOnce(&mut crate::kv::Tables)) {
        let primary = self.primary().unwrap();
        assert!(
            self.network
                .write(primary, |tables, _| {
                    change(tables);
                    Ok(())
                })
                .is_ok()
        );
    }

    /// The primary, while there is one.
    pub fn primary(&self) -> Option<NodeId> {
        self.network.state().primary
    }

    /// How many requests its nodes have been sent, those that drive the sandbox itself not counted.
    pub fn requests(&self) -> u64 {
        self.network.requests.load(Ordering::Relaxed)
    }

    /// Starts a node that runs `code`. It joins as Pending; code that is not registered is refused.
    pub async fn join(&self, code: NodeCode) -> Result<NodeId, SandboxError> {
        start::start_node(&self.network, code).await
    }

    /// Ends a node's process: its sockets close, and the others do not hear of it any more.
    pub fn stop(&self, id: NodeId) -> Result<(), SandboxError> {
        self.done(id, control::stop(&self.network, id))
    }

    /// Starts a node's process again, where it listened before.
    pub async fn restart(&self, id: NodeId) -> Result<(), SandboxError> {
        self.done(id, start::restart_node(&self.network, id).await?)
    }

    /// Cuts a node off from the others. It still answers, from what it knew.
    pub fn pause(&self, id: NodeId) -> Result<(), SandboxError> {
        self.done(id, control::pause(&self.network, id))
    }

    /// Connects a node again that was cut off.
    pub fn resume(&self, id: NodeId) -> Result<(), SandboxError> {
        self.done(id, control::resume(&self.network, id))
    }

    /// How long nodes that are trusted from now on take to learn of it and to catch up.
    pub fn set_catch_up(&self, time: Duration) {
        *self.network.catch_up.lock().unwrap_or_else(PoisonError::into_inner) = time;
    }

    /// Drops an open proposal, as a service does when another one is accepted that changes the rules or the code.
    pub fn drop_proposal(&self, id: ProposalId) -> Result<(), SandboxError> {
        let primary = self.primary().ok_or(SandboxError::NoPrimary)?;
        let dropped = self.network.write(primary, |tables, _| {
            if let Some(mut row) = read(tables, table::PROPOSALS_INFO, &id.to_string()) {
                row["state"] = "Dropped".into();
                write(tables, table::PROPOSALS_INFO, &id.to_string(), &row);
            }
            Ok(())
        });
        dropped.map(|_| ()).map_err(|_| SandboxError::NoPrimary)
    }

    /// Whether a node redirects writes to the primary (307) instead of forwarding them.
    pub fn set_redirects(&self, id: NodeId, redirects: bool) -> Result<(), SandboxError> {
        let mut state = self.network.state();
        let node = state.nodes.get_mut(&id).ok_or(SandboxError::NoSuchNode(id))?;
        node.redirects = redirects;
        Ok(())
    }

    fn done(&self, id: NodeId, done: bool) -> Result<(), SandboxError> {
        if done { Ok(()) } else { Err(SandboxError::NoSuchNode(id)) }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.clock.abort();
        for node in self.network.state().nodes.values_mut() {
            node.running = None;
        }
        // There is nobody left to tell; what was committed before was stored when it was.
        let _ = start::store(&self.network);
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("nodes", &self.nodes()).finish_non_exhaustive()
    }
}
