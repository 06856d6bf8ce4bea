//! Writes: the same bytes, again and again, until they are committed or refused.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::time::Instant;

use super::answer::Answer;
use super::client::{Service, refused};
use super::commit::CommitResult;
use super::error::ServiceError;
use super::http::{Bounds, Reply, Request};
use super::retry::{Deadline, Failures, Pause};
use super::{Proposal, ProposalState, Refusal, TransactionStatus};
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
    /// The proposal was withdrawn already; nobody can tell whether the same bytes did it.
    Withdrawn,
}

/// How a write ended, short of errors.
pub(super) enum Sent {
    /// Taken and committed; and whether an earlier sending had no sure answer.
    Committed(Reply, TransactionId, bool),
    /// Answered with a refusal; and the same.
    Refused(Reply, bool),
}

/// How long it is asked, before a ballot or withdrawal is sent, whether the service holds it already.
const BEFORE: Duration = Duration::from_secs(10);

impl Service {
    /// Sends a signed request to the call that its headers name, and waits until it is committed.
    ///
    /// Elections, lost connections and lost transactions are waited out by sending the same bytes again, which
    /// is safe: a proposal that is there already and a ballot that was counted already are successes.
    pub async fn submit(&self, envelope: &Envelope) -> Result<Submission, ServiceError> {
        let kind = envelope.message().kind();
        let doing = format!("take the {kind}");
        let (path, body) = (self.call(envelope)?, Some(envelope.to_bytes()));
        let request = Request { method: Method::POST, path, body, bounds: Bounds::LIST };
        let mut deadline = self.deadline();
        let mut silence = false;
        // A service takes the same ballot or withdrawal again, and answers with another transaction than that which did it.
        let held = self.held_before(envelope, &mut deadline).await;
        loop {
            let reply = match self.write(&doing, &request, &mut deadline).await? {
                Sent::Committed(reply, transaction, unsure) => {
                    let unsure = silence || unsure;
                    let is_own = held.is_none() && (kind == MessageType::Proposal || !unsure);
                    return submission(envelope, &reply, Taken { transaction, is_own, repeated: held });
                }
                Sent::Refused(reply, unsure) => {
                    silence |= unsure;
                    reply
                }
            };
            let Some(mut refusal) = reply.refusal() else { return Err(refused(&doing, &reply)) };
            let earlier = match (kind, refusal.code.as_str()) {
                (MessageType::Proposal, "ProposalReplay") => self.replayed(envelope, &refusal, &mut deadline).await?,
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
            match self.fate_of_write(&doing, transaction, &deadline).await? {
                CommitResult::Committed => {
                    let Answer { value, raw, .. } = proposal;
                    let repeated = Some(match kind {
                        MessageType::Ballot if held.is_some() || !silence => Repeated::SameBallot,
                        _ if silence => Repeated::AnswerLost,
                        _ => Repeated::SameBytes,
                    });
                    return Ok(Submission { kind, proposal: Some(value), raw, transaction, is_own: false, repeated });
                }
                CommitResult::Lost(_) => {}
                CommitResult::Open => return Err(self.undecided(&doing, transaction)),
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
            let mut nodes = Failures::new();
            let reply = self.attempt(doing, request, deadline, &mut nodes).await;
            silence |= nodes.iter().any(|(_, failure)| failure.may_have_arrived());
            let Some(reply) = reply else {
                if self.pause(deadline, &nodes).await {
                    continue;
                }
                let (doing, quorum) = (doing.to_owned(), self.lost_quorum());
                let reason = "no node gave an answer to it in time".into();
                return Err(match silence {
                    true => ServiceError::Undecided { doing, reason, transaction: None, nodes, quorum },
                    false => ServiceError::Unreachable { doing, nodes, quorum },
                });
            };
            if !reply.status.is_success() {
                return Ok(Sent::Refused(reply, silence));
            }
            let Some(transaction) = reply.transaction else { return Err(no_transaction(&reply, doing)) };
            match self.fate_of_write(doing, transaction, deadline).await? {
                CommitResult::Committed => return Ok(Sent::Committed(reply, transaction, silence)),
                CommitResult::Lost(status) if !deadline.is_over() => {
                    silence |= status != TransactionStatus::Invalid;
                    self.report(&format!(
                        "transaction {transaction} was lost in an election ({status:?}); sending the same bytes again"
                    ));
                    self.look_around(deadline.end).await;
                }
                CommitResult::Lost(_) | CommitResult::Open => return Err(self.undecided(doing, transaction)),
            }
        }
    }

    /// What became of the transaction of a write. Whatever goes wrong then, the write may have been done.
    async fn fate_of_write(
        &self,
        doing: &str,
        transaction: TransactionId,
        deadline: &Deadline,
    ) -> Result<CommitResult, ServiceError> {
        self.commit_result(transaction, deadline.end).await.map_err(|error| ServiceError::Undecided {
            doing: doing.to_owned(),
            reason: error.to_string(),
            transaction: Some(transaction),
            nodes: Vec::new(),
            quorum: self.lost_quorum(),
        })
    }

    fn undecided(&self, doing: &str, transaction: TransactionId) -> ServiceError {
        let reason = format!("its transaction {transaction} was not committed in time");
        let (doing, quorum) = (doing.to_owned(), self.lost_quorum());
        ServiceError::Undecided { doing, reason, transaction: Some(transaction), nodes: Vec::new(), quorum }
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

    /// The proposal that a `ProposalReplay` names, if its actions are those that were sent. A node that lags may not have it yet.
    async fn replayed(
        &self,
        envelope: &Envelope,
        refusal: &Refusal,
        deadline: &mut Deadline,
    ) -> Result<Option<Answer<Proposal>>, ServiceError> {
        let words = refusal.message.split(|c: char| !c.is_ascii_alphanumeric());
        let Some(id) = words.filter_map(|w| w.parse::<ProposalId>().ok()).next_back() else { return Ok(None) };
        for _ in 0..8 {
            if let (Some(proposal), Some(actions)) = (self.find_proposal(id).await?, self.actions(id).await?) {
                let sent = json::parse(envelope.message().payload()).ok();
                return match sent.is_some_and(|sent| json::same(&sent, &actions.raw)) {
                    true => Ok(Some(proposal)),
                    false => Err(ServiceError::AnotherProposal(id)),
                };
            }
            if deadline.is_over() {
                break;
            }
            Pause::for_catching_up().wait().await;
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

    /// Whether the service holds this very ballot of this member, or the proposal is withdrawn, as far as one round of questions tells.
    async fn held_before(&self, envelope: &Envelope, deadline: &mut Deadline) -> Option<Repeated> {
        let id = envelope.message().proposal_id()?;
        let (path, repeated) = match envelope.message().kind() {
            MessageType::Ballot => {
                (format!("/members/proposals/{id}/ballots/{}", envelope.member()), Repeated::SameBallot)
            }
            MessageType::Withdrawal => (format!("/members/proposals/{id}"), Repeated::Withdrawn),
            _ => return None,
        };
        let doing = "show what it holds already";
        // It is of use, but not worth all the patience.
        let mut brief = Deadline::at(deadline.end.min(Instant::now() + BEFORE));
        let request = Request::get(self.gov(&path), Bounds::DOCUMENT);
        let reply = self.attempt(doing, &request, &mut brief, &mut Failures::new()).await?;
        let holds = reply.status.is_success()
            && match repeated {
                Repeated::SameBallot => script(envelope).is_some_and(|script| script.as_bytes() == reply.body),
                _ => Answer::<Proposal>::read(doing, &reply)
                    .is_ok_and(|p| p.proposal_id == id && p.proposal_state == ProposalState::Withdrawn),
            };
        holds.then_some(repeated)
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

fn submission(envelope: &Envelope, reply: &Reply, taken: Taken) -> Result<Submission, ServiceError> {
    let Taken { transaction, is_own, repeated } = taken;
    let kind = envelope.message().kind();
    let about_proposal = matches!(kind, MessageType::Proposal | MessageType::Ballot | MessageType::Withdrawal);
    let (proposal, raw) = if reply.body.is_empty() {
        (None, Value::Null)
    } else if about_proposal {
        let doing = format!("take the {kind}");
        let Answer { value, raw, .. } = Answer::<Proposal>::read(&doing, reply)?;
        if let Some(id) = envelope.message().proposal_id()
            && id != value.proposal_id
        {
            let reason = format!("it was about proposal {id}, and the answer is about {}", value.proposal_id);
            return Err(ServiceError::NotUnderstood { node: reply.node.clone(), what: doing, reason });
        }
        (Some(value), raw)
    } else {
        (None, reply.json().map_err(|e| reply.not_understood(kind.name(), &e))?)
    };
    Ok(Submission { kind, proposal, raw, transaction, is_own, repeated })
}

fn no_transaction(reply: &Reply, doing: &str) -> ServiceError {
    ServiceError::NotUnderstood {
        node: reply.node.clone(),
        what: doing.into(),
        reason: "it named no transaction, so it is not known when it is committed".into(),
    }
}
