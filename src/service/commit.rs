//! A 200 is not yet done: waiting until a transaction is committed, by the word of more than one node.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::client::{Service, refused};
use super::error::ServiceError;
use super::http::{Bounds, Reply, Request};
use super::retry::{Deadline, Failures, Pause, SOON};
use super::{Answer, NodeAddress};
use crate::id::{NodeId, TransactionId};

/// `GET /gov/service/transactions/{transactionId}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub enum TransactionStatus {
    /// The node does not know it: not there yet, or lost.
    Unknown,
    /// Known, and not durable yet.
    Pending,
    /// Durable.
    Committed,
    /// Lost in an election; it never happened.
    Invalid,
}

impl TransactionStatus {
    /// What a transaction came to that was waited for ([`Service::wait_transaction`]): `Some(true)` if it is durable,
    /// `Some(false)` if it was lost or never was, and `None` while it may still become durable.
    pub const fn is_durable(self) -> Option<bool> {
        match self {
            Self::Committed => Some(true),
            Self::Invalid | Self::Unknown => Some(false),
            Self::Pending => None,
        }
    }
}

#[derive(Deserialize)]
struct Status {
    status: TransactionStatus,
}

/// How waiting for a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommitResult {
    Committed,
    /// It never happened; the same bytes can be sent again.
    Lost(TransactionStatus),
    /// The time is over.
    Open,
}

/// What a second node says of a commit.
enum Second {
    /// It knows of it as well, or no other node can be asked.
    Confirms,
    /// It does not, or not yet.
    Contradicts(NodeAddress, TransactionStatus),
}

/// How long other nodes have to confirm a commit. If none can be asked by then, there is nobody who contradicts.
const CONFIRM: Duration = Duration::from_secs(1);
/// After how long the next one is asked as well.
const NEXT: Duration = Duration::from_millis(200);
/// How long a transaction that no node knows is waited for. Sending the same bytes again is safe, so this may be wrong.
const UNKNOWN: Duration = Duration::from_secs(2);

impl Service {
    /// What the first node that answers knows of a transaction.
    pub async fn transaction_status(&self, id: TransactionId) -> Result<Answer<TransactionStatus>, ServiceError> {
        let answer: Answer<Status> =
            self.read_json("report a transaction's status", &self.path(id), Bounds::WORDS).await?;
        Ok(Answer { transaction: Some(id), ..answer.map(|status| status.status) })
    }

    /// Waits until `id` is committed or lost, as long as the service's patience lasts; returns what is known then.
    pub async fn wait_transaction(&self, id: TransactionId) -> Result<TransactionStatus, ServiceError> {
        let end = self.deadline().end;
        Ok(match self.commit_result(id, end).await? {
            CommitResult::Committed => TransactionStatus::Committed,
            CommitResult::Lost(status) => status,
            CommitResult::Open => TransactionStatus::Pending,
        })
    }

    /// Like `fate`, also when a node does not answer until `end`.
    pub(super) async fn result_until(&self, id: TransactionId, end: Instant) -> Result<CommitResult, ServiceError> {
        tokio::time::timeout_at(end, self.commit_result(id, end)).await.unwrap_or(Ok(CommitResult::Open))
    }

    /// Waits until `end`, unless it is known before what became of `id`. Committed is what a second node confirms.
    pub(super) async fn commit_result(&self, id: TransactionId, end: Instant) -> Result<CommitResult, ServiceError> {
        let doing = "report a transaction's status";
        let request = Request::get(self.path(id), Bounds::WORDS);
        let mut deadline = Deadline::at(end);
        let began = Instant::now();
        let mut pause = Pause::until_committed();
        let mut pending_at: Option<NodeAddress> = None;
        let mut contradiction = None;
        loop {
            let mut failures = Failures::new();
            match self.attempt(doing, &request, &mut deadline, &mut failures).await {
                Some(reply) if reply.status.is_success() => match status(&reply)? {
                    TransactionStatus::Committed => match self.second(&reply, &request, end).await {
                        Second::Confirms => {
                            self.remember_committed(id);
                            return Ok(CommitResult::Committed);
                        }
                        Second::Contradicts(other, status) => contradiction = Some((reply.node, other, status)),
                    },
                    status @ TransactionStatus::Invalid => return Ok(CommitResult::Lost(status)),
                    TransactionStatus::Pending => pending_at = Some(reply.node),
                    // A node that had it and has it no longer lost it; another may just not have it yet.
                    status @ TransactionStatus::Unknown if pending_at.as_ref() == Some(&reply.node) => {
                        return Ok(CommitResult::Lost(status));
                    }
                    status @ TransactionStatus::Unknown if began.elapsed() > UNKNOWN => {
                        return Ok(CommitResult::Lost(status));
                    }
                    TransactionStatus::Unknown => {}
                },
                Some(reply) => return Err(refused(doing, &reply)),
                None => self.look_around(end).await,
            }
            if !pause.ends_before(end) {
                return match contradiction {
                    Some((node, other, status)) => Err(contradicted(id, node, other, status)),
                    None => Ok(CommitResult::Open),
                };
            }
            if began.elapsed() > SOON {
                let quorum = self.lost_quorum().map_or_else(String::new, |quorum| format!(" ({quorum})"));
                self.say(&mut deadline, &format!("transaction {id} is not committed yet{quorum}"));
            }
            pause.wait().await;
        }
    }

    /// Whether the node that is asked second knows that `id` is committed, and is none of those who showed it: two nodes say so then.
    pub(super) async fn is_confirmed(&self, id: TransactionId, shown_by: &BTreeSet<Option<NodeId>>) -> bool {
        let Some(other) = self.addresses().into_iter().nth(1) else { return false };
        let request = Request::get(self.path(id), Bounds::WORDS);
        let Ok(reply) = self.http.hurried(NEXT).send(&other, &request).await else { return false };
        let another = reply.peer.is_some() && !shown_by.contains(&reply.peer) && self.is_trusted(reply.peer);
        let committed = another
            && reply.status.is_success()
            && status(&reply).is_ok_and(|status| status == TransactionStatus::Committed);
        if committed {
            self.remember_committed(id);
        }
        committed
    }

    /// Asks the other nodes whether they know of the commit that `first` reports.
    async fn second(&self, first: &Reply, request: &Request, end: Instant) -> Second {
        let mut others = self.addresses().into_iter().filter(|node| *node != first.node);
        let until = (Instant::now() + CONFIRM).min(end);
        let mut asked = JoinSet::new();
        let mut contradicts = None;
        loop {
            let next = others.next();
            let more = next.is_some();
            if let Some(node) = next {
                let (http, request) = (self.http.hurried(CONFIRM), request.clone());
                asked.spawn(async move { http.send(&node, &request).await });
            }
            let wake = if more { until.min(Instant::now() + NEXT) } else { until };
            match timeout_at(wake, asked.join_next()).await {
                Ok(Some(Ok(Ok(reply)))) if reply.status.is_success() => {
                    let same = reply.peer.is_some() && reply.peer == first.peer;
                    match status(&reply) {
                        Ok(TransactionStatus::Committed) if !same && self.is_trusted(reply.peer) => {
                            return Second::Confirms;
                        }
                        Ok(status) if !same && self.is_trusted(reply.peer) => contradicts = Some((reply.node, status)),
                        _ => {}
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) if Instant::now() >= until => break,
                Err(_) => {}
            }
        }
        match contradicts {
            Some((node, status)) => Second::Contradicts(node, status),
            None => Second::Confirms,
        }
    }

    fn path(&self, id: TransactionId) -> String {
        self.gov(&format!("/service/transactions/{id}"))
    }
}

fn status(reply: &Reply) -> Result<TransactionStatus, ServiceError> {
    Ok(Answer::<Status>::read("report a transaction's status", reply)?.value.status)
}

fn contradicted(id: TransactionId, node: NodeAddress, other: NodeAddress, status: TransactionStatus) -> ServiceError {
    let sides = vec![(node, "that it is Committed".into()), (other, format!("that it is {status:?}"))];
    ServiceError::Contradiction { about: format!("transaction {id}"), sides }
}

#[cfg(test)]
mod tests {
    use super::TransactionStatus::{Committed, Invalid, Pending, Unknown};

    #[test]
    fn only_a_committed_transaction_is_durable() {
        assert_eq!(Committed.is_durable(), Some(true));
        assert_eq!([Invalid, Unknown].map(|status| status.is_durable()), [Some(false); 2]);
        assert_eq!(Pending.is_durable(), None);
    }
}
