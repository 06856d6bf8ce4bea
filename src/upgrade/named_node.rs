//! The nodes that the actions of a proposal trust or remove, and what becomes of each.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::quorum::Change;
use crate::check::{Checks, Conclusion};
use crate::id::NodeId;
use crate::review::{ObservedNode, RunningCode};
use crate::service::NodeStatus;
use crate::text::{clip, visible};

/// The action that makes a node part of the network.
pub(super) const TRUST: &str = "transition_node_to_trusted";
/// The action that ends that.
pub(super) const REMOVE: &str = "remove_node";

/// A node that an action trusts or removes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct NamedNode {
    /// The id, as the action has it.
    pub node_id: String,
    /// What becomes of it.
    pub effect: Effect,
    /// Its standing now; null if the service has no such node.
    pub status: Option<NodeStatus>,
    /// Where it listens, as it is published.
    pub address: Option<String>,
    /// What it attested that it runs.
    pub code: Option<RunningCode>,
    /// Whether it is the primary.
    pub primary: bool,
    /// Whether it is heard of and has everything that is committed, by the primary's word.
    pub caught_up: Option<bool>,
    /// Of a node that is to be trusted: whether its attestation was verified here, against evidence.
    pub verified: Option<Conclusion>,
}

/// What becomes of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It becomes part of the network.
    Trusted,
    /// It ceases to be part of it.
    Removed,
    /// It waits to be trusted, and is forgotten.
    Forgotten,
    /// Nothing: it stands already as the action would have it, or never can.
    Nothing,
    /// The whole proposal fails when it is applied: there is no such node.
    Fails,
}

/// Whether an action of `proposal` trusts or removes a node.
pub fn changes_network(proposal: &Value) -> bool {
    actions(proposal).any(|(name, _)| is_about_nodes(name))
}

/// The nodes that the actions name, one after the other, and what that comes to.
pub(super) fn resolve(
    proposal: &Value,
    nodes: &[ObservedNode],
    verified: &BTreeMap<NodeId, Checks>,
) -> (Vec<NamedNode>, Change) {
    let mut standing: BTreeMap<NodeId, NodeStatus> = nodes.iter().map(|n| (n.node.node_id, n.node.status)).collect();
    let mut change = Change::default();
    let named = actions(proposal).filter(|(name, _)| is_about_nodes(name)).map(|(name, text)| {
        let id: Option<NodeId> = text.parse().ok();
        let known = nodes.iter().find(|n| Some(n.node.node_id) == id);
        let effect = match id {
            Some(id) => apply(name, id, &mut standing, &mut change),
            None if name == TRUST => Effect::Fails,
            None => Effect::Nothing,
        };
        NamedNode {
            node_id: visible(&clip(text, 80)),
            effect,
            status: known.map(|n| n.node.status),
            address: known.and_then(|n| n.node.address()).map(visible),
            code: known.and_then(|n| n.more.code.clone()),
            primary: known.is_some_and(|n| n.more.primary),
            caught_up: known.and_then(|n| n.more.caught_up),
            verified: id
                .filter(|_| effect == Effect::Trusted)
                .map(|id| verified.get(&id).map_or(Conclusion::Incomplete, Checks::verdict)),
        }
    });
    let named = named.collect();
    (named, change)
}

/// What one action does, as CCF's constitution has it: only a Pending node becomes Trusted, only a Trusted one is retired, and a
/// Pending one that is removed is forgotten.
fn apply(name: &str, id: NodeId, standing: &mut BTreeMap<NodeId, NodeStatus>, change: &mut Change) -> Effect {
    match (name, standing.get(&id)) {
        (TRUST, None) => Effect::Fails,
        (TRUST, Some(NodeStatus::Pending)) => {
            standing.insert(id, NodeStatus::Trusted);
            change.added.insert(id);
            Effect::Trusted
        }
        (REMOVE, Some(NodeStatus::Trusted)) => {
            standing.insert(id, NodeStatus::Retired);
            if !change.added.remove(&id) {
                change.removed.insert(id);
            }
            Effect::Removed
        }
        (REMOVE, Some(NodeStatus::Pending)) => {
            standing.remove(&id);
            Effect::Forgotten
        }
        _ => Effect::Nothing,
    }
}

/// Whether `proposal` trusts this node.
pub(super) fn is_trusted_by(proposal: &Value, id: NodeId) -> bool {
    actions(proposal).any(|(name, text)| name == TRUST && text.parse() == Ok(id))
}

fn is_about_nodes(name: &str) -> bool {
    matches!(name, TRUST | REMOVE)
}

/// Each action's name, and the node that it names.
fn actions(proposal: &Value) -> impl Iterator<Item = (&str, &str)> {
    let actions = proposal.get("actions").and_then(Value::as_array).into_iter().flatten();
    actions.filter_map(|action| {
        let id = action.get("args").and_then(|args| args.get("node_id")).and_then(Value::as_str).unwrap_or_default();
        Some((action.get("name")?.as_str()?, id))
    })
}
