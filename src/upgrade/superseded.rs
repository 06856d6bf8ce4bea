//! Open proposals of a walk that the service has gone past.

use std::collections::BTreeSet;

use super::{CodeKind, Observed, Plan};
use crate::id::NodeId;
use crate::proposal::{Action, Proposal, Registration};
use crate::review::Application;
use crate::service::NodeStatus;

/// Whether `proposal` is one of a walk to the plan's end, and a part of it is done already: it can never again be what is needed.
///
/// Nodes that are neither old nor new are not of a walk, nor is any proposal that does something else as well.
pub(super) fn is_superseded(plan: &Plan, seen: &Observed, proposal: &Proposal) -> bool {
    parts(plan, seen, proposal).is_some_and(|parts| parts.contains(&true))
}

/// Whether `proposal` is one of a walk to the plan's end.
pub(super) fn is_of_a_walk(plan: &Plan, seen: &Observed, proposal: &Proposal) -> bool {
    parts(plan, seen, proposal).is_some()
}

/// Whether `proposal` leads away from where the plan walks back to: it registers, trusts or keeps what is to be retired, or
/// retires or deregisters what is to run, and does nothing else.
pub(super) fn leads_away(plan: &Plan, seen: &Observed, proposal: &Proposal) -> bool {
    let leads = |action: &Action| match action.name.as_str() {
        "transition_node_to_trusted" => node_runs(plan, seen, action) == Some(CodeKind::Old),
        "remove_node" => node_runs(plan, seen, action) == Some(CodeKind::New),
        name => Registration::of(name).is_some_and(|kind| {
            let Some(key) = kind.key(action) else { return false };
            let ours = plan.new.values.iter().any(|value| value.kind == kind && value.key() == key);
            let theirs = plan.old.as_ref().is_some_and(|old| old.values.contains(&(kind, key)));
            if kind.remove() == name { ours } else { theirs }
        }),
    };
    !proposal.actions().is_empty() && proposal.actions().iter().all(leads)
}

fn node_runs(plan: &Plan, seen: &Observed, action: &Action) -> Option<CodeKind> {
    let node = seen.node(action.text("node_id")?.parse().ok()?)?;
    Some(plan.old_code(seen).kind_of(plan, node))
}

/// Of each action, whether what it is to do is so already; `None` if one is not of a walk.
fn parts(plan: &Plan, seen: &Observed, proposal: &Proposal) -> Option<Vec<bool>> {
    proposal.actions().iter().map(|action| is_so(plan, seen, action)).collect()
}

/// Whether two proposals of a walk do the same, whenever the certificates begin and in whichever order.
pub(super) fn is_twin(a: &Proposal, b: &Proposal) -> bool {
    let effects = |proposal: &Proposal| {
        let effect = |action: &Action| {
            let mut args = action.args.clone()?;
            args.as_object_mut()?.remove("valid_from");
            Some(format!("{} {args}", action.name))
        };
        proposal.actions().iter().map(effect).collect::<Option<BTreeSet<_>>>()
    };
    let (a, b) = (effects(a), effects(b));
    a.is_some() && a == b
}

/// Whether what an action of a walk is to do is so already; `None` for an action of something else.
fn is_so(plan: &Plan, seen: &Observed, action: &Action) -> Option<bool> {
    match action.name.as_str() {
        "transition_node_to_trusted" => node_is(plan, seen, action, |status| status != NodeStatus::Pending),
        "remove_node" => node_is(plan, seen, action, |status| status == NodeStatus::Retired),
        "set_constitution" => {
            Some(seen.constitution.is_some() && seen.constitution.as_deref() == action.text("constitution"))
        }
        "set_js_app" => {
            let wanted = Application::of_bundle(action.arg("bundle")?)?;
            Some(seen.application.as_ref().is_some_and(|running| running.is_as(&wanted)))
        }
        name => {
            let kind = Registration::of(name)?;
            // What adds a value drops every other proposal: none is left over.
            Some(kind.remove() == name && !seen.join_policy.has(kind, &kind.key(action)?))
        }
    }
}

/// Whether a node is so. One that the service does not know any more is past everything.
fn node_is(plan: &Plan, seen: &Observed, action: &Action, so: impl Fn(NodeStatus) -> bool) -> Option<bool> {
    let id: NodeId = action.text("node_id")?.parse().ok()?;
    let Some(node) = seen.node(id) else { return Some(true) };
    (plan.old_code(seen).kind_of(plan, node) != CodeKind::Other).then(|| so(node.status))
}
