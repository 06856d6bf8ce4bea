//! One step of a walk, as it is shown and kept.

use std::fmt;

use serde::Serialize;

use super::Passed;
use super::quorum::Quorum;
use crate::id::NodeId;
use crate::service::NodeStatus;

/// The phases of an upgrade, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The service as it was.
    Before,
    /// The join policy admits the new code.
    Register,
    /// New nodes join, and are trusted one by one.
    JoinAndTrust,
    /// Old nodes are removed from the network, the primary last.
    Retire,
    /// Their processes end, and the service forgets them.
    Delete,
    /// Constitution and application are as wanted.
    Rules,
    /// The join policy admits nothing but the new code.
    Deregister,
    /// What was wanted is so.
    Check,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Before => "before",
            Self::Register => "register",
            Self::JoinAndTrust => "join and trust",
            Self::Retire => "retire",
            Self::Delete => "delete",
            Self::Rules => "rules and application",
            Self::Deregister => "deregister",
            Self::Check => "check",
        })
    }
}

/// One node, as a step left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct NodeLine {
    /// Its id.
    pub node_id: NodeId,
    /// Its standing.
    pub status: NodeStatus,
    /// `old`, `new`, or `other` when it is neither or shows no attestation.
    pub code: &'static str,
    /// Whether it leads.
    pub primary: bool,
    /// Whether it is heard of and has everything that is committed.
    pub caught_up: bool,
    /// Whether it can be stopped and deleted.
    pub removable: bool,
}

/// One step of a walk: what was done, by whom, and how the service stands after it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Step {
    /// Its phase.
    pub phase: Phase,
    /// What was done.
    pub title: String,
    /// The proposal that did it, if one did.
    pub proposal: Option<Passed>,
    /// Every node that the service knows, after it.
    pub nodes: Vec<NodeLine>,
    /// n, majority and f after it.
    #[serde(flatten)]
    pub quorum: Quorum,
    /// The consensus view after it: it grows by an election.
    pub view: Option<u64>,
}
