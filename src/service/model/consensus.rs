//! How a node sees the consensus: `GET /node/consensus`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::id::NodeId;

/// One node's view of the consensus. `acks` mean something on the primary only.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Consensus {
    /// The newest that each other node acknowledged.
    #[serde(default)]
    pub acks: BTreeMap<NodeId, Ack>,
    /// The active configurations, oldest first; several while a change is not committed.
    #[serde(default)]
    pub configs: Vec<Configuration>,
    /// The view it is in.
    #[serde(default)]
    pub current_view: Option<u64>,
    /// `Leader`, `Follower`, `Candidate`, or nothing.
    #[serde(default)]
    pub leadership_state: Option<String>,
    /// `Active` or `Retired`.
    #[serde(default)]
    pub membership_state: Option<String>,
    /// The primary, if one is known.
    #[serde(default)]
    pub primary_id: Option<NodeId>,
}

/// The newest that a node acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Ack {
    /// Everything up to this sequence number.
    pub seqno: u64,
    /// How long ago, in milliseconds.
    #[serde(default)]
    pub last_received_ms: u64,
}

/// A set of nodes whose majority commits.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Configuration {
    /// The sequence number that it came with.
    pub idx: u64,
    /// Its nodes.
    pub nodes: BTreeMap<NodeId, Configured>,
}

/// A node of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Configured {
    /// Its address for other nodes.
    #[serde(default)]
    pub address: Option<String>,
}

impl Consensus {
    /// Whether the node that answered leads and is part of the network.
    pub fn leads(&self) -> bool {
        let retired = self.membership_state.as_deref().is_some_and(|m| m != "Active");
        self.leadership_state.as_deref() == Some("Leader") && !retired
    }
}
