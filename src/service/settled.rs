//! What was read is a fact once it is committed: until then an election can undo it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::client::Service;
use super::commit::CommitResult;
use super::error::ServiceError;
use super::http::Reply;
use super::retry::Pause;
use crate::id::{NodeId, TransactionId};

/// How long the commit of what was read is waited for: a healthy service signs about once a second.
const COMMIT: Duration = Duration::from_secs(5);

tokio::task_local! {
    /// What the read that is under way was shown: each read has its own.
    static SEEN: RefCell<Seen>;
}

/// What a read was shown.
#[derive(Debug, Default)]
struct Seen {
    /// The newest seqno of each view.
    newest: BTreeMap<u64, u64>,
    /// The nodes that showed it, by their keys.
    by: BTreeSet<Option<NodeId>>,
}

/// What was read, and whether it can still be undone.
#[derive(Clone, Debug)]
pub struct Settled<T> {
    /// What was read.
    pub value: T,
    /// Everything that it shows is committed.
    pub committed: bool,
    /// The newest transaction that it shows, if the service named one.
    pub transaction: Option<TransactionId>,
}

impl Service {
    /// Reads, and waits at most 5 s (and the patience) until what was read is committed. What an election undid is read again.
    ///
    /// Costs one request for all that `read` asks for, if a node that showed nothing of it knows of the commit already, and otherwise
    /// one more: the commit of a transaction is that of every earlier one of its view.
    pub async fn settled<T, E: From<ServiceError>>(
        &self,
        read: impl AsyncFn() -> Result<T, E>,
    ) -> Result<Settled<T>, E> {
        let mut end = None;
        loop {
            let (value, seen) = SEEN
                .scope(RefCell::default(), async {
                    let value = read().await;
                    (value, SEEN.with(RefCell::take))
                })
                .await;
            let value = value?;
            let end = *end.get_or_insert_with(|| Instant::now() + COMMIT.min(self.patience));
            let transaction =
                seen.newest.last_key_value().map(|(view, seqno)| TransactionId { view: *view, seqno: *seqno });
            let commit_result = self.common_fate(&seen, end).await?;
            if matches!(commit_result, CommitResult::Lost(_)) && Pause::for_catching_up().ends_before(end) {
                self.report("what was read was undone by an election; reading it again");
                Pause::for_catching_up().wait().await;
                self.look_around(end).await;
                continue;
            }
            return Ok(Settled { value, committed: commit_result == CommitResult::Committed, transaction });
        }
    }

    /// Committed only if the newest of each view is. Where no transaction was named, nobody can tell.
    async fn common_fate(&self, seen: &Seen, end: Instant) -> Result<CommitResult, ServiceError> {
        for (view, seqno) in &seen.newest {
            let id = TransactionId { view: *view, seqno: *seqno };
            if self.is_confirmed(id, &seen.by).await {
                continue;
            }
            let commit_result = match self.result_until(id, end).await {
                // It is not called committed then, and that is said.
                Err(contradiction @ ServiceError::Contradiction { .. }) => {
                    self.report(&contradiction.to_string());
                    CommitResult::Open
                }
                commit_result => commit_result?,
            };
            if commit_result != CommitResult::Committed {
                return Ok(commit_result);
            }
        }
        Ok(if seen.newest.is_empty() { CommitResult::Open } else { CommitResult::Committed })
    }
}

/// Remembers what a read showed, if somebody wants to know whether it is committed.
pub(super) fn remember_seen(reply: &Reply) {
    let _ = SEEN.try_with(|seen| {
        let mut seen = seen.borrow_mut();
        seen.by.insert(reply.peer);
        let Some(TransactionId { view, seqno }) = reply.transaction else { return };
        let newest = seen.newest.entry(view).or_insert(seqno);
        *newest = seqno.max(*newest);
    });
}
