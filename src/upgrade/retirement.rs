//! Which nodes leave the network next, and what to do when none can.

use super::quorum::{Change, GuardError};
use super::wanted::Look;
use super::{CodeKind, Intended, Need, ObservedNode, Task};
use crate::id::NodeId;
use crate::service::{NodeStatus, Replication};

impl Look<'_> {
    /// What is needed until only the wanted nodes are left, and what the operator can do for that.
    pub(super) fn retire(&self, network: &Replication) -> Option<(Need, Vec<Task>)> {
        if let Some(node) = self.seen.nodes_that_are(NodeStatus::Retired).find(|node| !node.retired_committed) {
            return Some((Need::Time(format!("the retirement of node {} is committed", node.title())), Vec::new()));
        }
        let dead = self.dead();
        if !dead.is_empty() {
            return self.retire_one_of(network, dead);
        }
        let mut nodes: Vec<_> = self.of(NodeStatus::Trusted, CodeKind::Old).map(|node| node.id).collect();
        if nodes.is_empty() {
            let mut new: Vec<_> = self.of(NodeStatus::Trusted, CodeKind::New).map(|node| node.id).collect();
            let surplus = new.len().saturating_sub(self.plan.nodes);
            new.retain(|id| *id != network.primary);
            new.sort_by(|a, b| b.cmp(a));
            new.truncate(surplus);
            nodes = new;
        } else if nodes.len() > 1 {
            // The primary last: its removal is an election.
            nodes.retain(|id| *id != network.primary);
        }
        nodes.sort();
        self.retire_one_of(network, nodes)
    }

    /// Old and new nodes of the network that are not heard of.
    pub(super) fn dead(&self) -> Vec<NodeId> {
        let ours = self.of(NodeStatus::Trusted, CodeKind::Old).chain(self.of(NodeStatus::Trusted, CodeKind::New));
        let mut dead: Vec<_> = ours.map(|node| node.id).filter(|id| !self.seen.is_live(*id)).collect();
        dead.sort();
        dead
    }

    /// The removal of one of these nodes, of those that the guard lets go; `None` without any node.
    pub(super) fn retire_one_of(&self, network: &Replication, nodes: Vec<NodeId>) -> Option<(Need, Vec<Task>)> {
        let (mut allowed, mut refused) = (Vec::new(), None);
        for id in nodes {
            match network.check(&Change::removing([id]), self.minimum_f()) {
                Ok(_) => allowed.push(id),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match refused {
            _ if !allowed.is_empty() => Some((Need::Proposal(Intended::Retire(allowed)), Vec::new())),
            Some(refused) => Some(self.stuck(network, refused)),
            None => None,
        }
    }

    /// Who can help when the guard refuses: time, as long as something is under way; then the operator, if a node is missing.
    pub(super) fn stuck(&self, network: &Replication, refused: GuardError) -> (Need, Vec<Task>) {
        let live = network.live();
        if !network.settled || live != network.caught_up {
            return (Need::Time(format!("this is safe: {refused}")), Vec::new());
        }
        let missing: Vec<_> = network.configured.difference(&live).map(|id| Task::Restore(*id)).collect();
        match missing.is_empty() {
            true => (Need::Blocked(refused.to_string()), missing),
            false => (Need::Operator, missing),
        }
    }

    /// Retired nodes that the service lets go, and that the plan knows or the service shows no attestation of: it shows those of
    /// SNP nodes only while they are trusted, and a retired node never comes back.
    pub(super) fn deletions(&self) -> Vec<Task> {
        let gone = self.seen.nodes_that_are(NodeStatus::Retired).filter(|node| node.retired_committed);
        let ours = |node: &&ObservedNode| node.running.is_none() || self.kind(node) != CodeKind::Other;
        gone.filter(ours).map(|node| Task::Delete(node.id)).collect()
    }
}
