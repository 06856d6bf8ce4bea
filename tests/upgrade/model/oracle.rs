//! What may be voted for, told by other means than the tool's own: from the state, the plan and plain JSON.

use std::collections::BTreeSet;

use ccf_gov::id::NodeId;
use ccf_gov::proposal::{Proposal, time as ccf_time};
use ccf_gov::service::{NodeStatus, Replication};
use ccf_gov::upgrade::Plan;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::network::majority;
use super::state::{Entry, State};

/// The codes of a schedule.
pub struct Codes {
    pub new: String,
    /// What is to be retired; empty if the old code is the new one.
    pub old: String,
    pub named: BTreeSet<NodeId>,
}

impl Codes {
    fn is_old(&self, id: &NodeId, entry: &Entry) -> bool {
        self.named.contains(id) || *entry.code == *self.old
    }

    fn is_new(&self, id: &NodeId, entry: &Entry) -> bool {
        *entry.code == *self.new && entry.genuine && !self.named.contains(id)
    }

    pub fn is_other(&self, id: &NodeId, entry: &Entry) -> bool {
        !self.is_old(id, entry) && !self.is_new(id, entry)
    }
}

/// Why a vote for `proposal` is forbidden.
pub fn forbidden(
    proposal: &Proposal,
    state: &State,
    network: Option<&Replication>,
    plan: &Plan,
    codes: &Codes,
    at: OffsetDateTime,
) -> Result<(), String> {
    let network = network.ok_or("there is no primary")?;
    let value = proposal.value();
    if value.as_object().unwrap().len() != 1 {
        return Err("keys beside the actions".into());
    }
    let actions = value["actions"].as_array().unwrap();
    let trusted: Vec<(&NodeId, &Entry)> =
        state.nodes.iter().filter(|(_, entry)| entry.status == NodeStatus::Trusted).collect();
    let live = network.live();
    let new_live = trusted.iter().filter(|(id, e)| codes.is_new(id, e) && live.contains(id)).count();
    let old_left = trusted.iter().any(|(id, e)| codes.is_old(id, e));
    let surplus: Vec<&String> =
        state.policy.iter().filter(|code| **code != codes.new && (plan.old.is_none() || **code == codes.old)).collect();
    let node = |action: &Value| -> Result<(NodeId, &Entry), String> {
        let id: NodeId = action["args"]["node_id"].as_str().unwrap_or_default().parse().map_err(|_| "no node id")?;
        Ok((id, state.nodes.get(&id).ok_or("no such node")?))
    };
    let exactly = |wanted: Value| if *value == wanted { Ok(()) } else { Err(format!("not exactly {wanted}")) };
    let (mut added, mut removed) = (BTreeSet::new(), BTreeSet::new());
    match actions[0]["name"].as_str().unwrap() {
        "add_virtual_host_data" => {
            if state.policy.contains(&codes.new) {
                return Err("registered already".into());
            }
            return exactly(json!({"actions": [{"name": "add_virtual_host_data", "args": {"host_data": codes.new}}]}));
        }
        "remove_virtual_host_data" => {
            if old_left || new_live < plan.nodes {
                return Err("too early to deregister".into());
            }
            let remove = |code: &&String| json!({"name": "remove_virtual_host_data", "args": {"host_data": code}});
            return exactly(json!({ "actions": surplus.iter().map(remove).collect::<Vec<_>>() }));
        }
        "set_constitution" => {
            if old_left || new_live < plan.nodes || plan.constitution.is_none() {
                return Err("too early for the constitution, or not wanted".into());
            }
            return exactly(
                json!({"actions": [{"name": "set_constitution", "args": {"constitution": plan.constitution}}]}),
            );
        }
        "transition_node_to_trusted" => {
            for action in actions {
                let (id, entry) = node(action)?;
                let from = action["args"]["valid_from"].as_str().unwrap_or_default();
                let shape = json!({"name": "transition_node_to_trusted",
                    "args": {"node_id": id, "valid_from": from, "validity_period_days": plan.validity_days}});
                let from = ccf_time::read(from).map_err(|_| "no time")?;
                let good = *action == shape
                    && from >= at - Duration::hours(24)
                    && from <= at + Duration::hours(1)
                    && entry.status == NodeStatus::Pending
                    && codes.is_new(&id, entry)
                    && added.insert(id);
                if !good {
                    return Err(format!("a node is trusted that should not be, or otherwise: {action}"));
                }
            }
            if new_live + added.len() > plan.nodes {
                return Err("more nodes than are wanted".into());
            }
        }
        "remove_node" => {
            let (id, entry) = node(&actions[0])?;
            let dead = !live.contains(&id);
            let spare = codes.is_old(&id, entry) || new_live > plan.nodes;
            let good = *value == json!({"actions": [{"name": "remove_node", "args": {"node_id": id}}]})
                && entry.status == NodeStatus::Trusted
                && !codes.is_other(&id, entry)
                && (dead || (spare && new_live >= plan.nodes));
            if !good {
                return Err("a node is removed that should not be, or otherwise".into());
            }
            removed.insert(id);
        }
        other => return Err(format!("{other} is never wanted")),
    }
    // A service of one node has no other way than to wait for its second one.
    let alone = network.settled && network.configured.len() == 1 && network.caught_up == network.configured;
    if alone && added.len() == 1 && removed.is_empty() {
        return Ok(());
    }
    safe(network, &added, &removed, plan.minimum_f)
}

/// Whether a change leaves a network that commits and may lose as many nodes as before, or as are to be able to fail: told
/// by trying every set of nodes that could be lost.
pub fn safe(
    network: &Replication,
    added: &BTreeSet<NodeId>,
    removed: &BTreeSet<NodeId>,
    minimum_f: usize,
) -> Result<(), String> {
    let before = &network.configured;
    let after: BTreeSet<NodeId> = before.union(added).filter(|id| !removed.contains(id)).copied().collect();
    let commits =
        |up: &BTreeSet<NodeId>, nodes: &BTreeSet<NodeId>| up.intersection(nodes).count() >= majority(nodes.len());
    if !network.settled {
        return Err("a change is under way".into());
    }
    if !removed.is_subset(before) {
        return Err("what is removed is not there".into());
    }
    if !commits(&network.caught_up, before) || !commits(&network.caught_up, &after) {
        return Err("nothing could be committed until new nodes have caught up".into());
    }
    let up_after: BTreeSet<NodeId> =
        network.caught_up.union(&added.difference(before).copied().collect()).copied().collect();
    let (now, then) = (tolerance(&network.caught_up, before), tolerance(&up_after, &after));
    if then < minimum_f && then < now { Err(format!("it tolerates {then}, before it {now}")) } else { Ok(()) }
}

/// The largest k such that whichever k of the nodes that are up are lost, the others commit.
fn tolerance(up: &BTreeSet<NodeId>, nodes: &BTreeSet<NodeId>) -> usize {
    let up: Vec<NodeId> = up.intersection(nodes).copied().collect();
    let survives = |k: usize| {
        (0u32..1 << up.len())
            .filter(|lost| lost.count_ones() as usize == k)
            .all(|lost| up.iter().enumerate().filter(|(at, _)| lost >> at & 1 == 0).count() >= majority(nodes.len()))
    };
    (0..=up.len()).take_while(|k| survives(*k)).last().unwrap_or(0)
}
