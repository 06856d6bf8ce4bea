//! What is for the operator to do.

use super::{CodeKind, Observed, ObservedNode, Plan, Way};
use crate::id::NodeId;

/// What the operator can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Start so many nodes that run the new code, and let them join.
    Start(usize),
    /// Give everybody the attestation of a node that waits, of which the service shows none.
    Provide(NodeId),
    /// Stop the process of a node whose retirement is committed, and delete it.
    Delete(NodeId),
    /// See to a node that is not heard of, for the walk cannot go on without it.
    Restore(NodeId),
    /// See to a new node that is not heard of, for it is replaced unless it is heard of again.
    Replace(NodeId),
}

impl Task {
    /// What it is, for a person.
    pub fn says(&self, plan: &Plan, seen: &Observed) -> String {
        let code = plan.wanted_code();
        let title = |id: &NodeId| seen.node(*id).map_or_else(|| id.short(), ObservedNode::title);
        let from = if plan.joins_from_snapshot(seen) { " from the newest committed snapshot" } else { "" };
        match self {
            Task::Start(1) => format!("start a node that runs {code}{from}, and let it join"),
            Task::Start(count) => format!("start {count} nodes that run {code}{from}, and let them join"),
            Task::Delete(id) => format!("stop node {}, whose retirement is committed, and delete it", title(id)),
            Task::Provide(id) => format!(
                "give everybody the report and endorsements of node {}, which waits: they take them with --report",
                title(id)
            ),
            Task::Restore(id) => format!(
                "see to node {}, which is not heard of: the walk goes on when it is heard of again{}",
                title(id),
                match plan.way {
                    Way::Forward => " or, if it is not to come back, is named under [old] nodes",
                    Way::Back => "",
                }
            ),
            Task::Replace(id) => {
                let (word, node) = (plan.word(CodeKind::New), title(id));
                format!("see to {word} node {node}, which is not heard of: unless it is heard of again, it is replaced")
            }
        }
    }
}
