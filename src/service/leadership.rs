//! Who leads the service, or why nobody does.

use std::fmt;

use super::{LostQuorum, Network, Service};
use crate::id::NodeId;

/// Who leads the service, or why nobody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// This node is the primary.
    Primary(NodeId),
    /// Nobody, and enough nodes answer to elect a primary.
    Election,
    /// Nobody, and too few nodes answer to elect one.
    LostQuorum(LostQuorum),
}

impl fmt::Display for Leadership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Primary(node) => write!(f, "{node}"),
            Self::Election => f.write_str("none (an election is under way)"),
            Self::LostQuorum(quorum) => write!(f, "none: {quorum}"),
        }
    }
}

impl Leadership {
    /// How many nodes answer, if those are too few.
    pub const fn lost_quorum(self) -> Option<LostQuorum> {
        match self {
            Self::LostQuorum(quorum) => Some(quorum),
            _ => None,
        }
    }

    fn of(primary: Option<NodeId>, lost: Option<LostQuorum>) -> Self {
        match (primary, lost) {
            (Some(primary), _) => Self::Primary(primary),
            (None, Some(quorum)) => Self::LostQuorum(quorum),
            (None, None) => Self::Election,
        }
    }
}

impl Service {
    /// Who leads the service by `network`; if nobody does, its nodes are counted again to say why.
    pub async fn leadership(&self, network: &Network) -> Leadership {
        if network.primary_id.is_none() {
            self.refresh().await;
        }
        Leadership::of(network.primary_id, self.lost_quorum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_primary_an_election_is_told_from_a_lost_quorum() {
        let quorum = LostQuorum { trusted: 3, answering: 1 };
        let node: NodeId = "ab".repeat(32).parse().unwrap();
        assert_eq!(Leadership::of(Some(node), Some(quorum)).lost_quorum(), None);
        assert_eq!(Leadership::of(None, Some(quorum)).lost_quorum(), Some(quorum));
        assert_eq!(Leadership::of(None, None).to_string(), "none (an election is under way)");
        assert!(Leadership::of(None, Some(quorum)).to_string().starts_with("none: 1 of 3 trusted nodes answers"));
    }
}
