//! How many nodes there are, how many may fail, and whether a step leaves enough.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::id::{NodeId, TransactionId};
use crate::service::{Service, ServiceError};

/// A node that was not heard of for this long is not counted as live, in milliseconds: a live one is heard of
/// several times a second.
const SILENT_MS: u64 = 1000;

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

/// When the primary heard of a node last, and how much that node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// For how long it was not heard of, in milliseconds.
    pub silent_ms: u64,
    /// It said that it has everything that is committed.
    pub has_everything: bool,
}

impl Heard {
    /// Whether it counts as live.
    pub fn is_live(&self) -> bool {
        self.silent_ms < SILENT_MS
    }
}

/// The primary's view of its network at one moment.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The primary.
    pub primary: NodeId,
    /// The view.
    pub view: Option<u64>,
    /// What was committed.
    pub commit: TransactionId,
    /// The nodes of the newest configuration.
    pub configured: BTreeSet<NodeId>,
    /// Those of them that are heard of and have everything that is committed.
    pub caught_up: BTreeSet<NodeId>,
    /// What the primary knows of each other node of the newest configuration.
    pub heard: BTreeMap<NodeId, Heard>,
    /// Whether the newest configuration is the only one: no change is under way.
    pub settled: bool,
}

/// Why a step is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// An earlier change of the configuration is not committed.
    #[error("the last change of the network is not committed yet; another one on top of it could stop the service")]
    NotSettled,
    /// Too few nodes would be live and caught up.
    #[error(
        "{doing} would leave {live} live nodes that are caught up, and the new majority is {majority} of {n}: nothing could be committed"
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

impl Sight {
    /// Asks the primary. The commit is asked for first, so that whoever acknowledged that much is not behind.
    pub async fn take(service: &Service) -> Result<Option<Self>, ServiceError> {
        let commit = service.commit().await?;
        let consensus = service.consensus().await?;
        let (Some(primary), Some(newest)) = (consensus.primary_id, consensus.configs.last()) else { return Ok(None) };
        let configured: BTreeSet<NodeId> = newest.nodes.keys().copied().collect();
        let heard = |id: &NodeId| {
            let ack = consensus.acks.get(id)?;
            let has_everything = ack.seqno >= commit.seqno;
            Some((*id, Heard { silent_ms: ack.last_received_ms, has_everything }))
        };
        let heard: BTreeMap<NodeId, Heard> = configured.iter().filter_map(heard).collect();
        let up = |id: &NodeId| *id == primary || heard.get(id).is_some_and(|h| h.has_everything && h.is_live());
        let caught_up = configured.iter().copied().filter(up).collect();
        let settled = consensus.configs.len() == 1;
        Ok(Some(Self { primary, view: consensus.current_view, commit, configured, caught_up, heard, settled }))
    }

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

    fn id(n: u8) -> NodeId {
        NodeId::from_bytes([n; 32])
    }

    fn sight(configured: u8, caught_up: u8) -> Sight {
        Sight {
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
        assert!(sight(3, 3).check_adding().is_ok());
        // With one of three dead, the other two are no majority of four.
        assert!(matches!(sight(3, 2).check_adding(), Err(GuardError::NoMajority { live: 2, majority: 3, .. })));
        // Three that are caught up are no majority of six.
        assert!(matches!(sight(5, 3).check_adding(), Err(GuardError::NoMajority { .. })));
        assert!(sight(4, 4).check_removing(id(1)).is_ok());
        // Removing a live node when another is dead: two of three remain, which is a majority; of two of two not.
        assert!(sight(4, 3).check_removing(id(1)).is_ok());
        assert!(sight(3, 2).check_removing(id(1)).is_err());
        assert!(sight(3, 2).check_removing(id(3)).is_ok());
        assert!(matches!(sight(1, 1).check_removing(id(1)), Err(GuardError::NoMajority { .. })));
        assert_eq!(sight(3, 3).check_removing(id(9)), Err(GuardError::NotThere(id(9))));
        let changing = Sight { settled: false, ..sight(3, 3) };
        assert_eq!(changing.check_adding(), Err(GuardError::NotSettled));
    }
}
