//! What was read is a fact once it is committed: until then an election can undo it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::client::Service;
use super::commit::CommitResult;
use super::error::ServiceError;
use super::retry::Pause;
use crate::id::TransactionId;

/// How long the commit of what was read is waited for: a healthy service signs about once a second.
const COMMIT: Duration = Duration::from_secs(5);

tokio::task_local! {
    /// The newest seqno of each view that the read that is under way was shown: each read has its own.
    static SEEN: RefCell<BTreeMap<u64, u64>>;
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
    /// Costs one request for all that `read` asks for (and its confirmation by a second node): the commit of a transaction is that
    /// of every earlier one of its view.
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
            let transaction = seen.last_key_value().map(|(view, seqno)| TransactionId { view: *view, seqno: *seqno });
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
    async fn common_fate(&self, seen: &BTreeMap<u64, u64>, end: Instant) -> Result<CommitResult, ServiceError> {
        for (view, seqno) in seen {
            let id = TransactionId { view: *view, seqno: *seqno };
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
        Ok(if seen.is_empty() { CommitResult::Open } else { CommitResult::Committed })
    }
}

/// Remembers what a read showed, if somebody wants to know whether it is committed.
pub(super) fn remember_seen(transaction: Option<TransactionId>) {
    let Some(TransactionId { view, seqno }) = transaction else { return };
    let _ = SEEN.try_with(|seen| {
        let mut seen = seen.borrow_mut();
        let newest = seen.entry(view).or_insert(seqno);
        *newest = seqno.max(*newest);
    });
}
