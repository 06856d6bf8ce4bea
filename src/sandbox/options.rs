//! How a sandbox is set up.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::code::NodeCode;
use crate::cose::MemberCertificate;
use crate::kv::Tables;

/// A member whom the service knows from the start.
#[derive(Clone, Debug)]
pub struct Member {
    /// The member's certificate.
    pub certificate: MemberCertificate,
    /// The public key with which recovery shares are encrypted, PEM; without one the member takes no part in recovery.
    pub encryption_key: Option<String>,
    /// `member_data`; null if there is none.
    pub data: Value,
}

/// What a sandbox takes over from another service.
#[derive(Clone, Debug)]
pub struct Copied {
    /// The tables. The service's certificate and the rows of nodes become the sandbox's own, and every issuer of UVM endorsements becomes
    /// the sandbox's; the join policy stays as it is otherwise, whatever the first nodes run.
    pub tables: Tables,
    /// Nodes that wait to be trusted, each with its code.
    pub pending: Vec<NodeCode>,
    /// Nodes whose retirement is committed, and whose processes have ended.
    pub retired: Vec<NodeCode>,
    /// What nodes say of their version, such as `ccf-7.0.5`; the sandbox's own without it.
    pub version: Option<String>,
}

/// How the simulated network behaves. The defaults are quick, for tests and rehearsals.
#[derive(Clone, Debug)]
pub struct Options {
    /// The members, in any order.
    pub members: Vec<Member>,
    /// The constitution's source, one module.
    pub constitution: String,
    /// The nodes that the service starts with, each with its code; the first is the first primary.
    pub nodes: Vec<NodeCode>,
    /// What is taken over from another service, with its members and its constitution.
    pub copied: Option<Copied>,
    /// The address that every node listens on.
    pub address: IpAddr,
    /// The first node's port, and the next ones' counted up from it; 0 lets the system choose.
    pub port: u16,
    /// Whether the service is open and its members are active from the start. If not, they have to
    /// activate themselves and to open it, as on a new network.
    pub open: bool,
    /// Whether backups redirect writes (307) instead of forwarding them.
    pub redirect: bool,
    /// How long a node waits for the primary before it calls an election, and a primary for its backups before it steps down.
    pub election_timeout: Duration,
    /// How long after a write the primary signs it; it is committed a moment later.
    pub signature_interval: Duration,
    /// How long a node that was trusted takes to learn of it and to catch up.
    pub catch_up: Duration,
    /// How long a backup waits for the primary's answer to a forwarded request.
    pub forwarding_timeout: Duration,
    /// How long a connection may stay idle.
    pub idle_timeout: Duration,
    /// The largest request body, in bytes.
    pub max_body: usize,
    /// The folder in which the service's state is kept; without one it ends with the process.
    pub state: Option<PathBuf>,
}

impl Options {
    /// A service of three members' and three nodes' size, quick, on 127.0.0.1.
    pub fn new(members: Vec<Member>, constitution: String, nodes: Vec<NodeCode>) -> Self {
        Self {
            members,
            constitution,
            nodes,
            copied: None,
            address: IpAddr::from([127, 0, 0, 1]),
            port: 0,
            open: true,
            redirect: false,
            election_timeout: Duration::from_secs(1),
            signature_interval: Duration::from_millis(20),
            catch_up: Duration::from_millis(100),
            forwarding_timeout: Duration::from_secs(3),
            idle_timeout: Duration::from_secs(60),
            max_body: 1 << 20,
            state: None,
        }
    }

    /// A copy of another service: its first nodes run `nodes`, the first of them as the primary. Otherwise as [`Self::new`].
    pub fn copy(copied: Copied, nodes: Vec<NodeCode>) -> Self {
        Self { copied: Some(copied), ..Self::new(Vec::new(), String::new(), nodes) }
    }

    /// The first nodes, each with its code and its standing.
    pub(super) fn first_nodes(&self) -> impl Iterator<Item = (&NodeCode, &'static str)> {
        let copied = self.copied.as_ref();
        let pending = copied.map_or(&[][..], |copied| &copied.pending);
        let retired = copied.map_or(&[][..], |copied| &copied.retired);
        self.nodes
            .iter()
            .map(|code| (code, "Trusted"))
            .chain(pending.iter().map(|code| (code, "Pending")))
            .chain(retired.iter().map(|code| (code, "Retired")))
    }
}
