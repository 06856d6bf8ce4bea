//! The proposal that a plan needs next: how it is written, and whether another one is exactly it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::{CodeKind, ObservedProposal, Phase, Plan};
use crate::id::NodeId;
use crate::proposal::time::TimeError;
use crate::proposal::{Action, Proposal, time as ccf_time};

const TRUST: &str = "transition_node_to_trusted";
const REMOVE: &str = "remove_node";
/// How far the start of a node certificate's validity may lie before the moment at which it is voted on.
const EARLIEST: Duration = Duration::hours(24);
/// How far it may lie after that moment: clocks differ.
const LATEST: Duration = Duration::hours(1);

/// What the next proposal is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Intended {
    /// Everything that the new code lacks in the join policy, in one proposal: a second one would drop the first.
    Register(Vec<Action>),
    /// A snapshot, from which nodes of a newer major version of CCF join.
    Snapshot,
    /// Trust some of these nodes, which are verified: any of them, but at most so many.
    Trust {
        /// Nodes that wait, in the order in which they are proposed.
        nodes: Vec<NodeId>,
        /// How many can be trusted in one proposal.
        most: usize,
    },
    /// Remove one of these nodes: any of them, the first is the one that is proposed.
    Retire(Vec<NodeId>),
    /// Constitution and application.
    Rules(Vec<Action>),
    /// Remove what else may join.
    Deregister(Vec<Action>),
}

/// Why a proposal is not what the plan needs next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unlike(String);

impl Intended {
    /// The phase to which it belongs.
    pub fn phase(&self) -> Phase {
        match self {
            Self::Register(_) => Phase::Register,
            Self::Snapshot | Self::Trust { .. } => Phase::JoinAndTrust,
            Self::Retire(_) => Phase::Retire,
            Self::Rules(_) => Phase::Rules,
            Self::Deregister(_) => Phase::Deregister,
        }
    }

    /// What it does, for a person.
    pub fn title(&self, plan: &Plan) -> String {
        let names = |nodes: &[NodeId]| nodes.iter().map(|id| id.short()).collect::<Vec<_>>().join(", ");
        match self {
            Self::Register(_) => format!("register {}", plan.wanted_code()),
            Self::Snapshot => "make a snapshot, from which the new nodes join".into(),
            Self::Trust { nodes, most } => match nodes.get(..*most).unwrap_or(nodes) {
                [node] => format!("trust {} node {}", plan.word(CodeKind::New), node.short()),
                nodes => format!("trust {} nodes {}", plan.word(CodeKind::New), names(nodes)),
            },
            Self::Retire(nodes) => format!("retire node {}", names(nodes.get(..1).unwrap_or_default())),
            Self::Rules(actions) => {
                let names: Vec<_> = actions.iter().map(|action| action.name.as_str()).collect();
                format!("change the rules ({})", names.join(", "))
            }
            Self::Deregister(_) => format!("deregister {}", plan.retired_code()),
        }
    }

    /// The same of the nodes that an open proposal names, which may be others of those that are possible.
    pub fn as_in(&self, known: &ObservedProposal) -> Self {
        let actions = known.proposal.as_ref().map(Proposal::actions).unwrap_or_default();
        let nodes = actions.iter().filter_map(|action| action.text("node_id")?.parse().ok());
        match self {
            Self::Trust { .. } => Self::Trust { nodes: nodes.collect(), most: actions.len() },
            Self::Retire(_) => Self::Retire(nodes.collect()),
            other => other.clone(),
        }
    }

    /// The proposal, made at this moment.
    ///
    /// # Errors
    /// The moment is none that can be written into a certificate.
    pub fn proposal(&self, plan: &Plan, at: OffsetDateTime) -> Result<Proposal, TimeError> {
        let actions = match self {
            Self::Register(actions) | Self::Rules(actions) | Self::Deregister(actions) => actions.clone(),
            Self::Snapshot => vec![Action::new("trigger_snapshot", None)],
            Self::Trust { nodes, most } => trust(nodes.get(..*most).unwrap_or(nodes), at, plan.validity_days)?,
            Self::Retire(nodes) => {
                nodes.iter().take(1).map(|id| Action::new(REMOVE, Some(json!({ "node_id": id })))).collect()
            }
        };
        Ok(Proposal::of(actions))
    }

    /// Whether `proposal` is exactly what the plan needs at this moment: nothing more, nothing less, nothing else.
    ///
    /// Two members' proposals may differ in when the certificates of the nodes that they trust begin (within a day before and
    /// an hour after `at`), and in which of the waiting nodes come first.
    ///
    /// # Errors
    /// In what it differs.
    pub fn check(&self, plan: &Plan, at: OffsetDateTime, proposal: &Proposal) -> Result<(), Unlike> {
        if let Some(key) = proposal.surplus().first() {
            return Err(unlike(format!("it has {key:?}, which no rule reads")));
        }
        let actions = proposal.actions();
        match self {
            Self::Register(wanted) | Self::Rules(wanted) | Self::Deregister(wanted) => check_same(wanted, actions),
            Self::Snapshot => check_same(&[Action::new("trigger_snapshot", None)], actions),
            Self::Trust { nodes, most } => {
                check_trust(plan, nodes, actions)?;
                check_moment(at, actions)?;
                match actions.len() <= *most {
                    true => Ok(()),
                    false => Err(unlike(format!(
                        "it trusts {} nodes, and at most {most} can be trusted at once",
                        actions.len()
                    ))),
                }
            }
            Self::Retire(nodes) => check_retire(nodes, actions),
        }
    }
}

impl Intended {
    /// Whether `proposal` was to do the same as is needed now, whenever it was made: it trusts nodes that still wait, for instance,
    /// with certificates that would have begun long ago.
    pub fn is_as(&self, plan: &Plan, at: OffsetDateTime, proposal: &Proposal) -> bool {
        match self {
            Self::Trust { nodes, .. } => {
                proposal.surplus().is_empty() && check_trust(plan, nodes, proposal.actions()).is_ok()
            }
            _ => self.check(plan, at, proposal).is_ok(),
        }
    }
}

/// The actions that trust these nodes, with certificates that are valid from `at` on for so many days.
pub(super) fn trust(nodes: &[NodeId], at: OffsetDateTime, days: u32) -> Result<Vec<Action>, TimeError> {
    let valid_from = ccf_time::write(at)?;
    let action = |id: &NodeId| {
        let args = json!({"node_id": id, "valid_from": valid_from, "validity_period_days": days});
        Action::new(TRUST, Some(args))
    };
    Ok(nodes.iter().map(action).collect())
}

fn check_same(wanted: &[Action], actions: &[Action]) -> Result<(), Unlike> {
    for (at, (wanted, action)) in wanted.iter().zip(actions).enumerate() {
        // To the letter: numbers in another form are the same to JavaScript, and no tool writes them so.
        if wanted != action {
            return Err(unlike(format!("its action {} ({}) is not the one that is needed", at + 1, action.title(at))));
        }
    }
    check_count(actions.len(), wanted.len())
}

fn check_count(found: usize, wanted: usize) -> Result<(), Unlike> {
    if found == wanted {
        return Ok(());
    }
    Err(unlike(format!("it has {found} actions, and {wanted} {} needed", if wanted == 1 { "is" } else { "are" })))
}

fn check_trust(plan: &Plan, nodes: &[NodeId], actions: &[Action]) -> Result<(), Unlike> {
    let mut trusted = BTreeSet::new();
    for action in actions {
        let args = exact_args(action, TRUST, &["node_id", "valid_from", "validity_period_days"])?;
        let text = |name: &str| args.get(name).and_then(Value::as_str).unwrap_or_default();
        let id = node_id(text("node_id"))?;
        if !nodes.contains(&id) {
            return Err(unlike(format!("node {} is not one that waits and was verified here", id.short())));
        }
        if !trusted.insert(id) {
            return Err(unlike(format!("it trusts node {} twice", id.short())));
        }
        ccf_time::read(text("valid_from")).map_err(|error| unlike(format!("its valid_from: {error}")))?;
        if args.get("validity_period_days") != Some(&json!(plan.validity_days)) {
            return Err(unlike(format!("the certificate is to be valid for {} days", plan.validity_days)));
        }
    }
    if trusted.is_empty() { Err(unlike("it trusts no node".into())) } else { Ok(()) }
}

/// Whether every certificate begins about now.
fn check_moment(at: OffsetDateTime, actions: &[Action]) -> Result<(), Unlike> {
    let misread = |action: &Action| ccf_time::misread_by_ccf(action.text("valid_from").unwrap_or_default());
    if actions.iter().any(misread) {
        return Err(unlike("CCF reads its valid_from as another moment than is written".into()));
    }
    let begin = |action: &Action| ccf_time::read(action.text("valid_from").unwrap_or_default()).ok();
    let near = |from: OffsetDateTime| from >= at - EARLIEST && from <= at + LATEST;
    match actions.iter().all(|action| begin(action).is_some_and(near)) {
        true => Ok(()),
        false => Err(unlike("the certificate would begin more than a day ago, or more than an hour from now".into())),
    }
}

fn check_retire(nodes: &[NodeId], actions: &[Action]) -> Result<(), Unlike> {
    check_count(actions.len(), 1)?;
    for action in actions {
        let args = exact_args(action, REMOVE, &["node_id"])?;
        let id = node_id(args.get("node_id").and_then(Value::as_str).unwrap_or_default())?;
        if !nodes.contains(&id) {
            return Err(unlike(format!("node {} is not one to be removed now", id.short())));
        }
    }
    Ok(())
}

/// The arguments of an action that has this name and exactly these arguments.
fn exact_args<'a>(
    action: &'a Action,
    name: &str,
    wanted: &[&str],
) -> Result<&'a serde_json::Map<String, Value>, Unlike> {
    if action.name != name {
        return Err(unlike(format!("it has an action {:?}, and {name} is needed", action.name)));
    }
    let args = action.args.as_ref().and_then(Value::as_object);
    let args = args.ok_or_else(|| unlike(format!("its {name} has no arguments")))?;
    let exact = args.len() == wanted.len() && wanted.iter().all(|name| args.contains_key(*name));
    if exact { Ok(args) } else { Err(unlike(format!("its {name} has other arguments than {}", wanted.join(", ")))) }
}

fn node_id(text: &str) -> Result<NodeId, Unlike> {
    text.parse().map_err(|_| unlike("it names a node by something that is no node id".into()))
}

fn unlike(text: String) -> Unlike {
    Unlike(crate::text::visible(&text))
}

#[cfg(test)]
mod tests {
    use super::super::forecast::testing::{id, service, virtual_code};
    use super::*;

    #[test]
    fn a_moment_that_ccf_reads_otherwise_is_not_what_is_needed() {
        let (plan, at) = (Plan::of(virtual_code(1), 3), service(&virtual_code(1), 1).at);
        let intended = Intended::Trust { nodes: vec![id(4)], most: 1 };
        let check = |valid_from: &str| {
            let args = json!({"node_id": id(4), "valid_from": valid_from, "validity_period_days": 90});
            intended.check(&plan, at, &Proposal::of(vec![Action::new(TRUST, Some(args))]))
        };
        // It is 2024-10-04 00:00.
        for good in ["241004000000Z", "2024-10-04T00:30:00Z", "2024-10-03T21:00:00-03:00"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        // Half past midnight, and by CCF's reading half past eleven or half past one.
        assert!(check("2024-10-03T23:40:00-00:50").is_err());
        assert!(check("2024-10-04T01:00:01Z").is_err());
    }
}
