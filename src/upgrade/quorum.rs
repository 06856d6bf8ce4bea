//! The quorum guard: how many nodes there are, how many may fail, and whether a change of the network leaves enough.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::NodeId;
use crate::service::Replication;

/// n trusted nodes, of which a majority commits, so that f may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
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

/// What a proposal changes in the network: which nodes become part of it, and which cease to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Nodes that are trusted by it.
    pub added: BTreeSet<NodeId>,
    /// Nodes that are removed by it.
    pub removed: BTreeSet<NodeId>,
}

impl Change {
    /// Trusting these nodes.
    pub fn adding(nodes: impl IntoIterator<Item = NodeId>) -> Self {
        Self { added: nodes.into_iter().collect(), removed: BTreeSet::new() }
    }

    /// Removing these nodes.
    pub fn removing(nodes: impl IntoIterator<Item = NodeId>) -> Self {
        Self { added: BTreeSet::new(), removed: nodes.into_iter().collect() }
    }

    /// Whether it leaves the network as it is.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = |nodes: &BTreeSet<NodeId>| {
            let names: Vec<String> = nodes.iter().map(|id| id.short()).collect();
            format!("node{} {}", if names.len() == 1 { "" } else { "s" }, names.join(", "))
        };
        match (self.added.is_empty(), self.removed.is_empty()) {
            (false, true) => write!(f, "trusting {}", nodes(&self.added)),
            (true, false) => write!(f, "removing {}", nodes(&self.removed)),
            (false, false) => write!(f, "trusting {} and removing {}", nodes(&self.added), nodes(&self.removed)),
            (true, true) => f.write_str("no change"),
        }
    }
}

/// The network now and after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Assessment {
    /// Now.
    pub before: Quorum,
    /// Live nodes that are caught up now.
    pub live_before: usize,
    /// After the change.
    pub after: Quorum,
    /// Those of the live nodes that are caught up now which remain: what commits until the new ones are caught up.
    pub live_after: usize,
}

/// Why a change is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// So few nodes live that nothing can be committed, whatever is proposed.
    #[error(
        "{live} of {n} nodes are live, and {majority} are needed to commit anything: more nodes have failed than the service \
         tolerates; this is no upgrade any more but disaster recovery"
    )]
    Disaster {
        /// Live nodes.
        live: usize,
        /// Nodes.
        n: usize,
        /// The majority of them.
        majority: usize,
    },
    /// An earlier change of the configuration is not committed.
    #[error("the last change of the network is not committed yet; another one on top of it could stop the service")]
    NotSettled,
    /// Too few nodes would be live and caught up.
    #[error(
        "{doing} would leave too few live nodes that are caught up ({live}): the new majority is {majority} of {n}, and nothing could be committed"
    )]
    NoMajority {
        /// The change.
        doing: String,
        /// Live and caught up after it.
        live: usize,
        /// The majority after it.
        majority: usize,
        /// The nodes after it.
        n: usize,
    },
    /// Fewer nodes could fail than are to be able to.
    #[error("{doing} would leave a service that tolerates {f} failed nodes, and the minimum is {minimum}")]
    BelowMinimum {
        /// The change.
        doing: String,
        /// How many nodes could fail after it, those that have failed already among them.
        f: usize,
        /// How many are to be able to.
        minimum: usize,
    },
    /// The primary is removed while another node could be.
    #[error(
        "node {0} is the primary, and is removed last: its removal is an election, and writes pause until it is over"
    )]
    Primary(NodeId),
    /// The node is not one that the step is about.
    #[error("node {0} is not part of the network")]
    NotThere(NodeId),
}

impl GuardError {
    /// Whether nothing could be committed after the change, for good: then no vote may help it.
    pub fn stops_the_service(&self) -> bool {
        matches!(self, Self::Disaster { .. } | Self::NoMajority { .. })
    }
}

impl Replication {
    /// How many nodes there are and may fail now.
    pub fn quorum(&self) -> Quorum {
        Quorum::of(self.configured.len())
    }

    /// The nodes that are heard of, caught up or not, the primary among them.
    pub fn live(&self) -> BTreeSet<NodeId> {
        let heard = |id: &&NodeId| **id == self.primary || self.heard.get(id).is_some_and(|h| h.is_live());
        self.configured.iter().filter(heard).copied().collect()
    }

    /// The network before and after `change`, whether it is allowed or not.
    pub fn assess(&self, change: &Change) -> Assessment {
        let after: BTreeSet<NodeId> = self.after(change);
        let live_after = self.caught_up.intersection(&after).filter(|id| self.configured.contains(id)).count();
        Assessment {
            before: self.quorum(),
            live_before: self.caught_up.len(),
            after: Quorum::of(after.len()),
            live_after,
        }
    }

    fn after(&self, change: &Change) -> BTreeSet<NodeId> {
        let stays = |id: &&NodeId| !change.removed.contains(id);
        self.configured.union(&change.added).filter(stays).copied().collect()
    }

    /// Whether `change` leaves a service that can commit, during and after it, and that tolerates `minimum_f` failures.
    ///
    /// A node that is trusted has to catch up first, so those that are caught up now must be a majority of the new
    /// configuration by themselves. A change that needs both majorities, of the old configuration and of the new one, commits
    /// only if both have it. This holds before and after the commit rule of CCF 7.0.25, which only lets *earlier*
    /// transactions commit without the new configuration.
    ///
    /// # Errors
    /// Why not. More than one reason: the gravest.
    pub fn check(&self, change: &Change, minimum_f: usize) -> Result<Assessment, GuardError> {
        let now = self.quorum();
        let live = self.live();
        if live.len() < now.majority {
            return Err(GuardError::Disaster { live: live.len(), n: now.n, majority: now.majority });
        }
        if let Some(gone) = change.removed.iter().find(|id| !self.configured.contains(id)) {
            return Err(GuardError::NotThere(*gone));
        }
        let found = self.assess(change);
        let doing = || change.to_string();
        let (majority, n) = (found.after.majority, found.after.n);
        if found.live_after < majority || found.live_before < now.majority {
            return Err(GuardError::NoMajority { doing: doing(), live: found.live_after, majority, n });
        }
        if !self.settled {
            return Err(GuardError::NotSettled);
        }
        // How many may still fail, of those that live: removing a node that has failed already takes nothing away.
        let spare = |live: usize, quorum: Quorum| live.saturating_sub(quorum.majority);
        let new = change.added.iter().filter(|id| !self.configured.contains(id)).count();
        let after = spare(found.live_after + new, found.after);
        if after < minimum_f && after < spare(found.live_before, now) {
            return Err(GuardError::BelowMinimum { doing: doing(), f: after, minimum: minimum_f });
        }
        Ok(found)
    }

    /// Whether `change` is how a service of one node begins to grow. [`Replication::check`] refuses it, for the second node is needed for every
    /// majority from then on: until it has caught up, nothing is committed.
    pub fn is_second_node(&self, change: &Change) -> bool {
        let alone = self.settled && self.configured.len() == 1 && self.caught_up == self.configured;
        alone && change.removed.is_empty() && change.added.len() == 1
    }

    /// How many nodes can be trusted in one proposal: those that are caught up now must stay a majority.
    pub fn most_added(&self) -> usize {
        let most = (2 * self.caught_up.len()).saturating_sub(1);
        if self.settled { most.saturating_sub(self.configured.len()) } else { 0 }
    }
}
