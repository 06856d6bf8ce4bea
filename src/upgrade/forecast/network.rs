//! The nodes of a forecast: those that were seen, and made-up ones for those that are to be started.

use std::collections::BTreeMap;

use serde_json::Value;

use super::DrawnNode;
use crate::digest::sha256;
use crate::id::{NodeId, ProposalId};
use crate::proposal::{Action, Proposal};
use crate::service::{Follower, NodeStatus, ProposalState};
use crate::upgrade::quorum::Quorum;
use crate::upgrade::{CodeKind, Observed, ObservedNode, ObservedProposal, Plan, Topology};

/// A service that is played.
pub(super) struct Cast<'a> {
    pub(super) plan: &'a Plan,
    pub(super) seen: Observed,
    /// Names of the nodes that are not started yet.
    pub(super) names: BTreeMap<NodeId, String>,
}

impl<'a> Cast<'a> {
    pub(super) fn new(plan: &'a Plan, seen: &Observed) -> Self {
        Self { plan, seen: seen.clone(), names: BTreeMap::new() }
    }

    pub(super) fn quorum(&self) -> Quorum {
        Quorum::of(self.seen.nodes_that_are(NodeStatus::Trusted).count())
    }

    pub(super) fn drawn(&self) -> Vec<DrawnNode> {
        let topology = Topology::of(self.plan, &self.seen);
        let draw = |line: &crate::upgrade::NodeLine| DrawnNode {
            node: self.names.get(&line.node_id).cloned().unwrap_or_else(|| line.node_id.to_string()),
            status: line.status,
            code: line.code,
            primary: line.primary,
        };
        topology.nodes.iter().map(draw).collect()
    }

    /// What a node is called.
    pub(super) fn name(&self, id: NodeId) -> String {
        self.names.get(&id).cloned().unwrap_or_else(|| id.short())
    }

    /// A text that names nodes by the first digits of their ids.
    pub(super) fn named(&self, text: &str) -> String {
        named(&self.names, text)
    }

    /// A proposal as it is shown: what is not known yet is called so.
    pub(super) fn written(&self, proposal: &Value) -> Value {
        match proposal {
            Value::Array(list) => list.iter().map(|value| self.written(value)).collect(),
            Value::Object(fields) => {
                let field = |(name, value): (&String, &Value)| match name.as_str() {
                    "valid_from" => (name.clone(), Value::from("<when it is proposed>")),
                    _ => (name.clone(), self.written(value)),
                };
                Value::Object(fields.iter().map(field).collect())
            }
            Value::String(text) => match text.parse().ok().and_then(|id: NodeId| self.names.get(&id)) {
                Some(name) => format!("<id of {name}>").into(),
                None => proposal.clone(),
            },
            _ => proposal.clone(),
        }
    }

    /// New nodes join, and wait.
    pub(super) fn start(&mut self, count: usize) -> Vec<NodeId> {
        let mut started = Vec::new();
        for _ in 0..count {
            let name = format!("new-{}", self.names.len() + 1);
            let id = NodeId::from_bytes(sha256(format!("a node of a forecast: {name}").as_bytes()));
            self.names.insert(id, name);
            self.seen.nodes.push(ObservedNode {
                id,
                status: NodeStatus::Pending,
                retired_committed: false,
                address: None,
                running: Some(self.plan.new.running()),
                verified: Ok(()),
                version: self.plan.version,
                validity: None,
            });
            started.push(id);
        }
        started
    }

    pub(super) fn delete(&mut self, gone: &[NodeId]) {
        self.seen.nodes.retain(|node| !gone.contains(&node.id));
    }

    pub(super) fn trust(&mut self, nodes: &[NodeId]) {
        self.set(nodes, NodeStatus::Trusted);
        if let Some(network) = &mut self.seen.replication {
            network.configured.extend(nodes);
            let well = Follower { silent_ms: 0, has_everything: true };
            network.heard.extend(nodes.iter().map(|id| (*id, well)));
        }
    }

    /// A node is removed. If it was the primary, any of the others leads: new ones first.
    pub(super) fn retire(&mut self, id: NodeId) {
        self.set(&[id], NodeStatus::Retired);
        let old = self.plan.old_code(&self.seen);
        let is_new =
            |id: &NodeId| self.seen.node(*id).is_some_and(|node| old.kind_of(self.plan, node) == CodeKind::New);
        let Some(network) = &self.seen.replication else { return };
        let mut candidates: Vec<NodeId> = network.caught_up.iter().copied().filter(|other| *other != id).collect();
        candidates.sort_by_key(|id| (!is_new(id), *id));
        let Some(network) = &mut self.seen.replication else { return };
        network.configured.remove(&id);
        network.caught_up.remove(&id);
        if let (true, Some(next)) = (network.primary == id, candidates.first()) {
            network.primary = *next;
        }
    }

    pub(super) fn snapshot(&mut self, state: ProposalState) {
        let id = ProposalId::from_bytes(sha256(b"a snapshot of a forecast"));
        let Some(proposer) = self.seen.members.first().map(|member| member.member_id) else { return };
        let proposal = Some(Proposal::of(vec![Action::new("trigger_snapshot", None)]));
        let known =
            ObservedProposal { proposer, state, proposal, ballots: BTreeMap::new(), ballot_count: 0, outcome: None };
        self.seen.proposals.insert(id, known);
    }

    /// Time passes: what is under way is committed, and whoever lives catches up. Whether anything came of it.
    pub(super) fn settle(&mut self) -> bool {
        let mut changed = !std::mem::replace(&mut self.seen.committed, true);
        for node in self.seen.nodes.iter_mut().filter(|node| node.status == NodeStatus::Retired) {
            changed |= !std::mem::replace(&mut node.retired_committed, true);
        }
        let Some(network) = &mut self.seen.replication else { return changed };
        changed |= !std::mem::replace(&mut network.settled, true);
        let live = network.live();
        if network.caught_up != live {
            network.caught_up = live;
            changed = true;
        }
        changed
    }

    fn set(&mut self, nodes: &[NodeId], status: NodeStatus) {
        self.seen.nodes.iter_mut().filter(|node| nodes.contains(&node.id)).for_each(|node| node.status = status);
    }
}

/// A text that names nodes by the first digits of their ids, with the names of those that are made up.
pub(super) fn named(names: &BTreeMap<NodeId, String>, text: &str) -> String {
    names.iter().fold(text.to_owned(), |text, (id, name)| text.replace(&id.short(), name))
}
