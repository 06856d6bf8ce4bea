//! What an operator waits for, and what is missing until then.

use crate::review::ObservedNode;
use crate::service::NodeStatus;

/// How a node is to stand before the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Trusted, heard of, and it has everything that is committed: the next node can be trusted.
    CaughtUp,
    /// Retired by the members, which does not yet mean that it may be stopped.
    Retired,
    /// Its retirement is committed: it can be stopped and deleted.
    Removable,
}

/// How far away a goal is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distance {
    /// It is reached.
    Reached,
    /// This is missing.
    Missing(String),
    /// It cannot be reached any more, and why.
    Never(String),
}

/// Looks at one node, again and again, until it stands as the goal says.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    goal: Goal,
    was_listed: bool,
}

impl Watch {
    /// Nothing was seen yet.
    pub const fn new(goal: Goal) -> Self {
        Self { goal, was_listed: false }
    }

    /// How far `node` is from the goal, as the service lists it now; `committed` says whether that can no longer be undone.
    ///
    /// `None` if the service does not list the node and never did since the first look: that is no node that has gone.
    pub fn look(&mut self, node: Option<&ObservedNode>, committed: bool) -> Option<Distance> {
        self.was_listed |= node.is_some();
        self.was_listed.then(|| match self.goal.distance(node) {
            Distance::Reached if !committed => {
                Distance::Missing("that is not committed yet: an election may still undo it".into())
            }
            distance => distance,
        })
    }
}

impl Goal {
    /// How far `node` is from it; without one, the service does not list it any more.
    pub fn distance(self, node: Option<&ObservedNode>) -> Distance {
        let Some(standing) = node else {
            return match self {
                Self::CaughtUp => Distance::Never("the service does not list it any more".into()),
                Self::Retired | Self::Removable => Distance::Reached,
            };
        };
        let missing = |what: &str| Distance::Missing(what.into());
        match (self, standing.node.status) {
            (Self::CaughtUp, NodeStatus::Retired) => Distance::Never("it is Retired".into()),
            (Self::CaughtUp, NodeStatus::Pending) => missing("it is Pending: the members have not trusted it yet"),
            (Self::CaughtUp, NodeStatus::Trusted) => match standing.more.caught_up {
                Some(true) if standing.more.answers == Some(false) => {
                    missing("the primary heard of it a moment ago, but it does not answer at its address")
                }
                Some(true) => Distance::Reached,
                Some(false) => Distance::Missing(standing.describe()),
                None => missing("no primary says how far it is"),
            },
            (_, status @ (NodeStatus::Pending | NodeStatus::Trusted)) => {
                Distance::Missing(format!("it is {status}: the members have not removed it yet"))
            }
            (Self::Retired, NodeStatus::Retired) => Distance::Reached,
            (Self::Removable, NodeStatus::Retired) if standing.node.retired_committed => Distance::Reached,
            (Self::Removable, NodeStatus::Retired) => Distance::Missing(standing.describe()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::review::NodeDetails;

    fn node(status: &str, retired_committed: bool, caught_up: Option<bool>) -> ObservedNode {
        let raw = json!({"nodeId": "ab".repeat(32), "status": status, "retiredCommitted": retired_committed});
        let more = NodeDetails { caught_up, ..NodeDetails::default() };
        ObservedNode { node: serde_json::from_value(raw.clone()).unwrap(), raw, more }
    }

    #[test]
    fn what_is_reached_counts_once_it_is_committed() {
        let mut watch = Watch::new(Goal::Removable);
        let retired = node("Retired", true, None);
        assert!(matches!(watch.look(Some(&retired), false), Some(Distance::Missing(_))));
        assert_eq!(watch.look(Some(&retired), true), Some(Distance::Reached));
    }

    #[test]
    fn a_node_that_was_never_listed_has_not_gone() {
        let mut watch = Watch::new(Goal::Removable);
        assert_eq!(watch.look(None, true), None);
        watch.look(Some(&node("Retired", false, None)), true);
        assert_eq!(watch.look(None, true), Some(Distance::Reached));
        assert!(matches!(watch.look(None, false), Some(Distance::Missing(_))));
    }

    #[test]
    fn a_goal_is_reached_by_what_the_service_says_alone() {
        use Distance::{Missing, Never, Reached};
        let caught_up = |status, up| Goal::CaughtUp.distance(Some(&node(status, false, up)));
        assert_eq!(caught_up("Trusted", Some(true)), Reached);
        assert!(matches!(caught_up("Trusted", Some(false)), Missing(_)));
        assert!(matches!(caught_up("Trusted", None), Missing(_)));
        // What the primary says of a node that is not trusted counts for nothing.
        assert!(matches!(caught_up("Pending", Some(true)), Missing(_)));
        assert!(matches!(caught_up("Retired", Some(true)), Never(_)));
        // The primary's word is a second old; a node that has just died is not waited for as one that is there.
        let mut silent = node("Trusted", false, Some(true));
        silent.more.answers = Some(false);
        assert!(matches!(Goal::CaughtUp.distance(Some(&silent)), Missing(_)));
        assert!(matches!(Goal::CaughtUp.distance(None), Never(_)));
        assert_eq!(Goal::Retired.distance(Some(&node("Retired", false, None))), Reached);
        assert!(matches!(Goal::Removable.distance(Some(&node("Retired", false, None))), Missing(_)));
        assert_eq!(Goal::Removable.distance(Some(&node("Retired", true, None))), Reached);
        assert!(matches!(Goal::Removable.distance(Some(&node("Trusted", true, None))), Missing(_)));
        assert_eq!(Goal::Removable.distance(None), Reached);
    }
}
