//! The nodes of a service as they stand, for people and for programs.

use serde::{Deserialize, Serialize};

use super::quorum::Quorum;
use super::{CodeKind, Observed, Plan};
use crate::id::NodeId;
use crate::service::NodeStatus;

/// The nodes, and how many may fail.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Topology {
    /// Every node that the service lists: trusted ones first, then pending and retired ones.
    pub nodes: Vec<NodeLine>,
    /// n, majority and f of the trusted nodes.
    #[serde(flatten)]
    pub quorum: Quorum,
    /// The consensus view, if there is a primary: it grows by an election.
    pub view: Option<u64>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct NodeLine {
    /// Its id.
    pub node_id: NodeId,
    /// Its standing.
    pub status: NodeStatus,
    /// What its code is, as `upgrade.toml` calls it.
    pub code: CodeKind,
    /// Whether it leads.
    pub primary: bool,
    /// Whether it is heard of and has everything that is committed.
    pub caught_up: bool,
    /// Whether it can be stopped and deleted.
    pub removable: bool,
    /// Where it listens.
    pub address: Option<String>,
}

impl Topology {
    /// How the nodes stand, seen by this plan.
    pub fn of(plan: &Plan, seen: &Observed) -> Self {
        let old = plan.old_code(seen);
        let primary = seen.replication.as_ref().map(|network| network.primary);
        let mut nodes: Vec<NodeLine> = seen
            .nodes
            .iter()
            .map(|node| NodeLine {
                node_id: node.id,
                status: node.status,
                code: plan.word(old.kind_of(plan, node)),
                primary: primary == Some(node.id),
                caught_up: seen.is_caught_up(node.id),
                removable: node.retired_committed,
                address: node.address.clone(),
            })
            .collect();
        let rank = |status| match status {
            NodeStatus::Trusted => 0,
            NodeStatus::Pending => 1,
            NodeStatus::Retired => 2,
        };
        nodes.sort_by_key(|node| (rank(node.status), node.code, node.node_id));
        let quorum = Quorum::of(nodes.iter().filter(|node| node.status == NodeStatus::Trusted).count());
        Self { nodes, quorum, view: seen.replication.as_ref().and_then(|network| network.view) }
    }
}
