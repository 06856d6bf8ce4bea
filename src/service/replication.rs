//! The primary's view of its network: who is part of it, and who has what is committed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Service, ServiceError};
use crate::id::{NodeId, TransactionId};

/// A node that was not heard of for this long is not counted as live, in milliseconds: a live one is heard of
/// several times a second.
const SILENT_MS: u64 = 1000;

/// A node that was silent for less than this may be back at once: after an election the new primary has heard of nobody yet.
const LOST_MS: u64 = 5000;

/// When the primary heard of a node last, and how much that node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follower {
    /// For how long it was not heard of, in milliseconds.
    pub silent_ms: u64,
    /// It said that it has everything that is committed.
    pub has_everything: bool,
}

impl Follower {
    /// Whether it counts as live.
    pub fn is_live(&self) -> bool {
        self.silent_ms < SILENT_MS
    }

    /// Whether it was silent for so long that another node is to be started in its place.
    pub fn is_lost(&self) -> bool {
        self.silent_ms >= LOST_MS
    }
}

/// The primary's view of its network at one moment.
#[derive(Clone, Debug)]
pub struct Replication {
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
    pub heard: BTreeMap<NodeId, Follower>,
    /// Whether the newest configuration is the only one: no change is under way.
    pub settled: bool,
}

impl Replication {
    /// Asks the primary. The commit is asked for first, so that whoever acknowledged that much is not behind.
    pub async fn take(service: &Service) -> Result<Option<Self>, ServiceError> {
        let commit = service.commit().await?;
        Self::since(service, commit).await
    }

    /// Asks the primary. Whoever acknowledged `commit`, which is known to be committed, is not behind.
    pub async fn since(service: &Service, commit: TransactionId) -> Result<Option<Self>, ServiceError> {
        let consensus = service.consensus().await?;
        let (Some(primary), Some(newest)) = (consensus.primary_id, consensus.configs.last()) else { return Ok(None) };
        let configured: BTreeSet<NodeId> = newest.nodes.keys().copied().collect();
        let heard = |id: &NodeId| {
            let ack = consensus.acks.get(id)?;
            let has_everything = ack.seqno >= commit.seqno;
            Some((*id, Follower { silent_ms: ack.last_received_ms, has_everything }))
        };
        let heard: BTreeMap<NodeId, Follower> = configured.iter().filter_map(heard).collect();
        let up = |id: &NodeId| *id == primary || heard.get(id).is_some_and(|h| h.has_everything && h.is_live());
        let caught_up = configured.iter().copied().filter(up).collect();
        let settled = consensus.configs.len() == 1;
        Ok(Some(Self { primary, view: consensus.current_view, commit, configured, caught_up, heard, settled }))
    }
}
