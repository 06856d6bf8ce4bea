//! A 200 is not yet done: waiting until a transaction is committed.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

use super::client::{Service, refused};
use super::error::ServiceError;
use super::http::Request;
use super::{Answer, NodeAddress};
use crate::id::TransactionId;

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

#[derive(Deserialize)]
struct Status {
    status: TransactionStatus,
}

/// How waiting for a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Committed,
    /// It never happened; the same bytes can be sent again.
    Lost(TransactionStatus),
    /// The time is over.
    Open,
}

/// How long a transaction that no node knows is waited for. Sending the same bytes again is safe, so this may be wrong.
const UNKNOWN: Duration = Duration::from_secs(2);

impl Service {
    /// What the first node that answers knows of a transaction.
    pub async fn transaction_status(&self, id: TransactionId) -> Result<Answer<TransactionStatus>, ServiceError> {
        let path = self.gov(&format!("/service/transactions/{id}"));
        let answer: Answer<Status> = self.read_json("tell a transaction's status", &path).await?;
        Ok(Answer { transaction: Some(id), ..answer.map(|status| status.status) })
    }

    /// Waits until `id` is committed or lost, as long as the service's patience lasts; returns what is known then.
    pub async fn wait_transaction(&self, id: TransactionId) -> Result<TransactionStatus, ServiceError> {
        let end = self.deadline().end;
        Ok(match self.fate(id, end).await? {
            Fate::Committed => TransactionStatus::Committed,
            Fate::Lost(status) => status,
            Fate::Open => TransactionStatus::Pending,
        })
    }

    /// Like `fate`, also when a node does not answer until `end`.
    pub(super) async fn fate_until(&self, id: TransactionId, end: Instant) -> Result<Fate, ServiceError> {
        tokio::time::timeout_at(end, self.fate(id, end)).await.unwrap_or(Ok(Fate::Open))
    }

    pub(super) async fn fate(&self, id: TransactionId, end: Instant) -> Result<Fate, ServiceError> {
        let request = Request::get(self.gov(&format!("/service/transactions/{id}")));
        let began = Instant::now();
        let mut pause = Duration::from_millis(10);
        let mut pending_at: Option<NodeAddress> = None;
        loop {
            match self.attempt(&request, &mut Vec::new()).await {
                Some(reply) if reply.status.is_success() => {
                    let status = Answer::<Status>::read("a transaction's status", &reply)?.value.status;
                    match status {
                        TransactionStatus::Committed => {
                            self.remember_committed(id);
                            return Ok(Fate::Committed);
                        }
                        TransactionStatus::Invalid => return Ok(Fate::Lost(status)),
                        TransactionStatus::Pending => pending_at = Some(reply.node),
                        // A node that had it and has it no longer lost it; another may just not have it yet.
                        TransactionStatus::Unknown if pending_at.as_ref() == Some(&reply.node) => {
                            return Ok(Fate::Lost(status));
                        }
                        TransactionStatus::Unknown if began.elapsed() > UNKNOWN => return Ok(Fate::Lost(status)),
                        TransactionStatus::Unknown => {}
                    }
                }
                Some(reply) => return Err(refused("tell a transaction's status", &reply)),
                None => self.look_around().await,
            }
            if Instant::now() + pause >= end {
                return Ok(Fate::Open);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(250));
        }
    }
}
