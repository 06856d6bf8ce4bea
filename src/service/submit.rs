//! Writes: the same bytes, again and again, until they are committed or refused.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::answer::Answer;
use super::client::{Deadline, Service, refused};
use super::commit::Fate;
use super::error::ServiceError;
use super::http::{Reply, Request};
use super::{Proposal, Refusal, TransactionStatus};
use crate::cose::{Envelope, MessageType};
use crate::id::{ProposalId, TransactionId};
use crate::json;

/// What became of an envelope: the service took it, and its transaction is committed.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The kind of the envelope.
    pub kind: MessageType,
    /// The proposal that it made, voted on or took back. None for other kinds, and for the withdrawal of a
    /// proposal that the service does not hold.
    pub proposal: Option<Proposal>,
    /// The service's answer, `null` if it has no body.
    pub raw: Value,
    /// A committed transaction: the one that did it if [`Submission::is_own`], else one at which its effect was seen.
    pub transaction: TransactionId,
    /// Whether `transaction` is the one that did it. A sending that was taken twice is answered with another one.
    pub is_own: bool,
    /// The service held it before the last sending, which changed nothing.
    pub repeated: Option<Repeated>,
}

/// Why the service held already what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeated {
    /// An earlier sending by this very call was taken, and no sure answer to it came.
    AnswerLost,
    /// The same bytes were sent before.
    SameBytes,
    /// The member's ballot on the proposal is this one; nobody can tell whether the same bytes brought it.
    SameBallot,
}

/// How a write ended, short of errors.
pub(super) enum Sent {
    /// Taken and committed; and whether an earlier sending had no sure answer.
    Committed(Reply, TransactionId, bool),
    /// Answered with a refusal; and the same.
    Refused(Reply, bool),
}

impl Service {
    /// Sends a signed request to the call that its headers name, and waits until it is committed.
    ///
    /// Elections, lost connections and lost transactions are waited out by sending the same bytes again, which
    /// is safe: a proposal that is there already and a ballot that was counted already are successes.
    pub async fn submit(&self, envelope: &Envelope) -> Result<Submission, ServiceError> {
        let kind = envelope.message().kind();
        let doing = format!("take the {kind}");
        let request = Request { method: Method::POST, path: self.call(envelope)?, body: Some(envelope.to_bytes()) };
        let mut deadline = self.deadline();
        let mut silence = false;
        // A service takes the same ballot again, and answers with another transaction than that of the ballot.
        let held = kind == MessageType::Ballot && self.holds_ballot(envelope).await;
        loop {
            let reply = match self.write(&doing, &request, &mut deadline).await? {
                Sent::Committed(reply, transaction, unsure) => {
                    let is_own = !held && (kind != MessageType::Ballot || !(silence || unsure));
                    let repeated = held.then_some(Repeated::SameBallot);
                    return submission(kind, &reply, Taken { transaction, is_own, repeated });
                }
                Sent::Refused(reply, unsure) => {
                    silence |= unsure;
                    reply
                }
            };
            let Some(mut refusal) = reply.refusal() else { return Err(refused(&doing, &reply)) };
            let earlier = match (kind, refusal.code.as_str()) {
                (MessageType::Proposal, "ProposalReplay") => self.replayed(&refusal, &mut deadline).await?,
                (MessageType::Ballot, "ProposalNotOpen") => self.voted_before(envelope).await?,
                (MessageType::Ballot, "ProposalNotFound") if silence => match envelope.message().proposal_id() {
                    Some(id) => return Err(ServiceError::Purged(id)),
                    None => None,
                },
                _ => None,
            };
            let Some(proposal) = earlier else {
                refusal.after_silence = silence;
                return Err(ServiceError::Refused(Box::new(refusal)));
            };
            let Some(transaction) = proposal.transaction else { return Err(no_transaction(&reply, &doing)) };
            match self.fate(transaction, deadline.end).await? {
                Fate::Committed => {
                    let Answer { value, raw, .. } = proposal;
                    let repeated = Some(match kind {
                        MessageType::Ballot if held || !silence => Repeated::SameBallot,
                        _ if silence => Repeated::AnswerLost,
                        _ => Repeated::SameBytes,
                    });
                    return Ok(Submission { kind, proposal: Some(value), raw, transaction, is_own: false, repeated });
                }
                Fate::Lost(_) => {}
                Fate::Open => return Err(undecided(&doing, Some(transaction))),
            }
        }
    }

    /// Sends `request` until it is answered and, if it was taken, committed.
    pub(super) async fn write(
        &self,
        doing: &str,
        request: &Request,
        deadline: &mut Deadline,
    ) -> Result<Sent, ServiceError> {
        let mut silence = false;
        loop {
            let mut nodes = Vec::new();
            let reply = self.attempt(request, &mut nodes).await;
            silence |= nodes.iter().any(|(_, failure)| failure.may_have_arrived());
            let Some(reply) = reply else {
                if self.pause(deadline, &nodes).await {
                    continue;
                }
                let doing = doing.to_owned();
                let reason = "no node gave an answer to it in time".into();
                return Err(match silence {
                    true => ServiceError::Undecided { doing, reason, transaction: None, nodes },
                    false => ServiceError::Unreachable { doing, nodes },
                });
            };
            if !reply.status.is_success() {
                return Ok(Sent::Refused(reply, silence));
            }
            let Some(transaction) = reply.transaction else { return Err(no_transaction(&reply, doing)) };
            match self.fate(transaction, deadline.end).await? {
                Fate::Committed => return Ok(Sent::Committed(reply, transaction, silence)),
                Fate::Lost(status) if !deadline.is_over() => {
                    silence |= status != TransactionStatus::Invalid;
                    self.report(&format!(
                        "transaction {transaction} was lost in an election ({status:?}); sending the same bytes again"
                    ));
                    self.look_around().await;
                }
                Fate::Lost(_) | Fate::Open => return Err(undecided(doing, Some(transaction))),
            }
        }
    }

    fn call(&self, envelope: &Envelope) -> Result<String, ServiceError> {
        let member = envelope.member();
        let kind = envelope.message().kind();
        let proposal = envelope.message().proposal_id();
        Ok(self.gov(&match (kind, proposal) {
            (MessageType::Proposal, _) => "/members/proposals:create".into(),
            (MessageType::Ballot, Some(id)) => format!("/members/proposals/{id}/ballots/{member}:submit"),
            (MessageType::Withdrawal, Some(id)) => format!("/members/proposals/{id}:withdraw"),
            (MessageType::StateDigest, _) => format!("/members/state-digests/{member}:update"),
            (MessageType::Ack, _) => format!("/members/state-digests/{member}:ack"),
            (MessageType::RecoveryShare, _) => format!("/recovery/members/{member}:recover"),
            _ => return Err(ServiceError::NoSuchCall(kind)),
        }))
    }

    /// The proposal that a `ProposalReplay` names. A node that lags may not have it yet.
    async fn replayed(
        &self,
        refusal: &Refusal,
        deadline: &mut Deadline,
    ) -> Result<Option<Answer<Proposal>>, ServiceError> {
        let words = refusal.message.split(|c: char| !c.is_ascii_alphanumeric());
        let Some(id) = words.filter_map(|w| w.parse::<ProposalId>().ok()).next_back() else { return Ok(None) };
        for _ in 0..8 {
            if let Some(proposal) = self.find_proposal(id).await? {
                return Ok(Some(proposal));
            }
            if deadline.is_over() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        Err(ServiceError::Purged(id))
    }

    /// The proposal of a ballot, if it holds this very ballot of this member already.
    async fn voted_before(&self, envelope: &Envelope) -> Result<Option<Answer<Proposal>>, ServiceError> {
        let Some(id) = envelope.message().proposal_id() else { return Ok(None) };
        let held = self.ballot(id, envelope.member()).await?;
        if held.is_none() || held != script(envelope) {
            return Ok(None);
        }
        self.find_proposal(id).await
    }

    /// Whether the service holds this very ballot of this member, as far as one question tells.
    async fn holds_ballot(&self, envelope: &Envelope) -> bool {
        let Some(id) = envelope.message().proposal_id() else { return false };
        let path = self.gov(&format!("/members/proposals/{id}/ballots/{}", envelope.member()));
        let reply = self.attempt(&Request::get(path), &mut Vec::new()).await.filter(|r| r.status.is_success());
        reply.is_some_and(|reply| script(envelope).is_some_and(|script| script.as_bytes() == reply.body))
    }
}

/// The script in a ballot's envelope.
fn script(envelope: &Envelope) -> Option<String> {
    let payload = json::parse(envelope.message().payload()).ok()?;
    Some(payload.get("ballot")?.as_str()?.to_owned())
}

/// What is known of the transaction that was answered.
struct Taken {
    transaction: TransactionId,
    is_own: bool,
    repeated: Option<Repeated>,
}

fn submission(kind: MessageType, reply: &Reply, taken: Taken) -> Result<Submission, ServiceError> {
    let Taken { transaction, is_own, repeated } = taken;
    let about_proposal = matches!(kind, MessageType::Proposal | MessageType::Ballot | MessageType::Withdrawal);
    let (proposal, raw) = if reply.body.is_empty() {
        (None, Value::Null)
    } else if about_proposal {
        let Answer { value, raw, .. } = Answer::<Proposal>::read("what became of the proposal", reply)?;
        (Some(value), raw)
    } else {
        (None, json::parse(&reply.body).map_err(|e| reply.not_understood(kind.name(), &e))?)
    };
    Ok(Submission { kind, proposal, raw, transaction, is_own, repeated })
}

fn no_transaction(reply: &Reply, doing: &str) -> ServiceError {
    ServiceError::NotUnderstood {
        node: reply.node.clone(),
        what: doing.into(),
        reason: "it named no transaction, so nobody can tell when it is committed".into(),
    }
}

fn undecided(doing: &str, transaction: Option<TransactionId>) -> ServiceError {
    let reason = match transaction {
        Some(id) => format!("its transaction {id} was not committed in time"),
        None => "it was not committed in time".into(),
    };
    ServiceError::Undecided { doing: doing.into(), reason, transaction, nodes: Vec::new() }
}
