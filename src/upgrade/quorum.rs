//! How many nodes there are, how many may fail, and whether a step leaves enough.

use serde::Serialize;

use crate::id::NodeId;
use crate::service::Replication;

/// n trusted nodes, of which a majority commits, so that f may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Quorum {
    /// Trusted nodes.
    pub n: usize,
    /// ⌊n/2⌋ + 1.
    pub majority: usize,
    /// n − majority.
    pub f: usize,
}

impl Quorum {
    /// Of `n` nodes.
    pub const fn of(n: usize) -> Self {
        let majority = n / 2 + 1;
        Self { n, majority, f: n.saturating_sub(majority) }
    }
}

/// Why a step is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// An earlier change of the configuration is not committed.
    #[error("the last change of the network is not committed yet; another one on top of it could stop the service")]
    NotSettled,
    /// Too few nodes would be live and caught up.
    #[error(
        "{doing} would leave {live} live nodes that are caught up, but the new majority is {majority} of {n}: nothing could be committed"
    )]
    NoMajority {
        /// The step.
        doing: String,
        /// Live and caught up after it.
        live: usize,
        /// The majority after it.
        majority: usize,
        /// The nodes after it.
        n: usize,
    },
    /// The node is not one that the step is about.
    #[error("node {0} is not part of the network")]
    NotThere(NodeId),
}

impl Replication {
    /// How many nodes there are and may fail now.
    pub fn quorum(&self) -> Quorum {
        Quorum::of(self.configured.len())
    }

    /// Whether one more node can be trusted. It is not caught up at first, so the others alone must be a majority.
    pub fn check_adding(&self) -> Result<Quorum, GuardError> {
        self.check(Quorum::of(self.configured.len() + 1), self.caught_up.len(), "trusting one more node".into())
    }

    /// Whether `node` can be retired.
    pub fn check_removing(&self, node: NodeId) -> Result<Quorum, GuardError> {
        if !self.configured.contains(&node) {
            return Err(GuardError::NotThere(node));
        }
        let live = self.caught_up.iter().filter(|id| **id != node).count();
        self.check(Quorum::of(self.configured.len() - 1), live, format!("retiring node {node}"))
    }

    fn check(&self, after: Quorum, live: usize, doing: String) -> Result<Quorum, GuardError> {
        if !self.settled {
            return Err(GuardError::NotSettled);
        }
        if live < after.majority {
            return Err(GuardError::NoMajority { doing, live, majority: after.majority, n: after.n });
        }
        Ok(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TransactionId;
    use std::collections::BTreeMap;

    fn id(n: u8) -> NodeId {
        NodeId::from_bytes([n; 32])
    }

    fn replication(configured: u8, caught_up: u8) -> Replication {
        Replication {
            primary: id(1),
            view: Some(2),
            commit: TransactionId { view: 2, seqno: 9 },
            configured: (1..=configured).map(id).collect(),
            caught_up: (1..=caught_up).map(id).collect(),
            heard: BTreeMap::new(),
            settled: true,
        }
    }

    #[test]
    fn the_documented_walk_has_the_documented_tolerance() {
        let walk = [3, 6, 5, 4, 3].map(|n| Quorum::of(n).f);
        assert_eq!(walk, [1, 2, 2, 1, 1]);
        assert_eq!(Quorum::of(4).majority, 3);
        assert_eq!(Quorum::of(1).f, 0);
    }

    #[test]
    fn a_step_that_could_stop_the_service_is_refused() {
        assert!(replication(3, 3).check_adding().is_ok());
        // With one of three dead, the other two are no majority of four.
        assert!(matches!(replication(3, 2).check_adding(), Err(GuardError::NoMajority { live: 2, majority: 3, .. })));
        // Three that are caught up are no majority of six.
        assert!(matches!(replication(5, 3).check_adding(), Err(GuardError::NoMajority { .. })));
        assert!(replication(4, 4).check_removing(id(1)).is_ok());
        // Removing a live node when another is dead: two of three remain, which is a majority; of two of two not.
        assert!(replication(4, 3).check_removing(id(1)).is_ok());
        assert!(replication(3, 2).check_removing(id(1)).is_err());
        assert!(replication(3, 2).check_removing(id(3)).is_ok());
        assert!(matches!(replication(1, 1).check_removing(id(1)), Err(GuardError::NoMajority { .. })));
        assert_eq!(replication(3, 3).check_removing(id(9)), Err(GuardError::NotThere(id(9))));
        let changing = Replication { settled: false, ..replication(3, 3) };
        assert_eq!(changing.check_adding(), Err(GuardError::NotSettled));
    }
}
