//! Signing one request and carrying it to the service; printing what became of a proposal.

use std::path::PathBuf;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Serialize;
use serde_json::{Value, json};

use super::beside::show;
use super::common::Context;
use super::error::CliError;
use super::guard::Guarded;
use super::interrupt::unless_interrupted;
use super::object::beside;
use super::private_keys;
use ccf_gov::cose::{Beside, CreatedAt, Envelope, Message, MessageType};
use ccf_gov::files::Readers;
use ccf_gov::id::{ProposalId, TransactionId};
use ccf_gov::service::{Answer, Proposal, Repeated, Service, ServiceError, Submission};
use ccf_gov::signer::{self, Signer};
use ccf_gov::text::visible;
use ccf_gov::upgrade::NetworkChange;

/// Shows `payload` and what is known beside it, signs it when that is consented to, and submits it. If it is not known whether the service took it, the envelope is kept in a file.
pub async fn sign_and_submit(
    context: &Context,
    service: &Service,
    signer: &dyn Signer,
    kind: MessageType,
    proposal: Option<ProposalId>,
    payload: Vec<u8>,
    beside: &Beside,
) -> Result<Submission, CliError> {
    let envelope = sign(context, signer, kind, proposal, payload, beside).await?;
    submit(context, service, &envelope).await
}

/// Shows `payload` and what is known beside it, and signs it when that is consented to.
pub async fn sign(
    context: &Context,
    signer: &dyn Signer,
    kind: MessageType,
    proposal: Option<ProposalId>,
    payload: Vec<u8>,
    beside: &Beside,
) -> Result<Envelope, CliError> {
    private_keys::refuse(format!("this {kind}"), kind, &payload)?;
    let created_at = CreatedAt::now().map_err(|e| CliError::failed("cannot read the clock", e))?;
    let message = Message::new(kind, created_at, proposal, payload)
        .map_err(|e| CliError::from(e).doing(format!("cannot sign this {kind}")))?;
    context.consent(&[show(&message, signer.certificate().member_id(), signer.algorithm(), beside)])?;
    signer::sign(signer, message)
        .await
        .map_err(|e| CliError::from(e).doing(format!("cannot sign as member {}", signer.certificate().member_id())))
}

/// Sends what was signed. If it is not known whether the service took it, or the command is interrupted, the envelope is kept in a file.
pub async fn submit(context: &Context, service: &Service, envelope: &Envelope) -> Result<Submission, CliError> {
    sent(context, envelope, unless_interrupted(service.submit(envelope)).await)
}

/// What became of a sending; `None` if it was interrupted.
pub fn sent(
    context: &Context,
    envelope: &Envelope,
    result: Option<Result<Submission, ServiceError>>,
) -> Result<Submission, CliError> {
    // The digest is a new one each time, so these bytes are of no use later.
    let is_new_each_time = matches!(envelope.message().kind(), MessageType::StateDigest | MessageType::Ack);
    match result {
        None => {
            let message = "interrupted while it was sent: the service may have taken it".to_owned();
            let error = CliError::unreachable(message);
            Err(if is_new_each_time { error.hint(ACTIVATE) } else { keep(context, envelope, error) })
        }
        Some(Ok(submission)) => Ok(submission),
        Some(Err(error @ ServiceError::Undecided { .. })) if is_new_each_time => {
            Err(CliError::from(error).hint(ACTIVATE))
        }
        Some(Err(
            error @ (ServiceError::Undecided { .. }
            | ServiceError::Unreachable { .. }
            | ServiceError::NotUnderstood { .. }),
        )) if !is_new_each_time => Err(keep(context, envelope, error.into())),
        Some(Err(error)) => Err(error.into()),
    }
}

const ACTIVATE: &str = "run `ccf-gov member activate` again, which is safe";

/// Keeps what was signed, so that the same bytes can be sent again.
fn keep(context: &Context, envelope: &Envelope, error: CliError) -> CliError {
    let message = envelope.message();
    let member = envelope.member().short();
    let path = PathBuf::from(format!("{}-{member}-{}.cose", message.kind(), message.created_at().seconds()));
    match context.output.file(&path, &envelope.to_bytes(), Readers::Shared, false) {
        Ok(()) => error.hint(format!(
            "what was signed is kept in {path}: send it again with `ccf-gov submit {path}`, which is safe to repeat; do not sign again",
            path = path.display()
        )),
        Err(unkept) => error.hint(format!(
            "what was signed could not be kept in a file ({}); save it and send it again with `ccf-gov submit`, do not sign anew. In base64: {}",
            unkept.message,
            BASE64_STANDARD.encode(envelope.to_bytes())
        )),
    }
}

/// What became of a request, beside the service's answer.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Taken<'a> {
    /// The transaction that did it, which is committed; null if the service held it before.
    transaction_id: Option<TransactionId>,
    /// A committed transaction at which it was seen, where that is not known to be the one that did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen_at: Option<TransactionId>,
    /// Why the service held it before: `answer-lost`, `same-bytes`, `same-ballot` or `withdrawn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    repeated: Option<&'a str>,
}

/// What is printed, beside [`Taken`], of a withdrawal of a proposal that the service does not hold.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct NotHeld {
    proposal_id: ProposalId,
    proposal_state: NotHeldState,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum NotHeldState {
    NotHeld,
}

/// The service's answer to a request, with the transaction that did it, if that is known.
pub fn taken(submission: &Submission) -> Result<Value, CliError> {
    let taken = Taken {
        transaction_id: submission.repeated.is_none().then_some(submission.transaction),
        seen_at: (!submission.is_own).then_some(submission.transaction),
        repeated: submission.repeated.map(word),
    };
    beside(&submission.raw, &taken)
}

fn word(repeated: Repeated) -> &'static str {
    match repeated {
        Repeated::AnswerLost => "answer-lost",
        Repeated::SameBytes => "same-bytes",
        Repeated::SameBallot => "same-ballot",
        Repeated::Withdrawn => "withdrawn",
    }
}

/// Where it is committed, for people.
fn committed(submission: &Submission) -> String {
    let transaction = submission.transaction;
    match submission.is_own {
        true => format!("Committed in transaction {transaction}."),
        false => format!("Committed, as seen at transaction {transaction}."),
    }
}

/// The service's own proposal object, with the transaction that showed it.
pub fn with_transaction(raw: &Value, transaction: Option<TransactionId>) -> Value {
    let mut object = raw.as_object().cloned().unwrap_or_default();
    if let Some(transaction) = transaction {
        object.insert("transactionId".into(), json!(transaction));
    }
    Value::Object(object)
}

/// A proposal for people.
pub fn describe(proposal: &Proposal) -> String {
    let mut text = head(proposal);
    for (member, vote) in proposal.final_votes.iter().flatten() {
        text += &format!("Vote      {member} {}\n", if *vote { "yes" } else { "no" });
    }
    for (member, failure) in proposal.vote_failures.iter().flatten() {
        text += &format!("Vote      {member} failed: {}\n", visible(&failure.reason));
    }
    text
}

/// The same without the votes.
pub fn head(proposal: &Proposal) -> String {
    let mut text = format!(
        "Proposal  {}\nState     {}\nProposer  {}\nBallots   {}\n",
        proposal.proposal_id, proposal.proposal_state, proposal.proposer_id, proposal.ballot_count
    );
    if let Some(failure) = &proposal.failure {
        text += &format!("Failure   {}\n", visible(&failure.reason));
    }
    text
}

/// Prints what became of a proposal that was made, voted on or withdrawn, with the guard's judgement.
pub fn print(
    context: &Context,
    id: Option<ProposalId>,
    submission: &Submission,
    guard: Option<&NetworkChange>,
) -> Result<(), CliError> {
    match submission.repeated {
        None => {}
        Some(Repeated::AnswerLost) => context
            .output
            .note("The answer to an earlier sending was lost, and the service had taken it: this is what it did."),
        Some(Repeated::SameBytes) => {
            context.output.note("The service had taken this request at an earlier sending; this one changed nothing.");
        }
        Some(Repeated::SameBallot) => {
            context.output.note("The service holds this ballot already; this sending changed nothing.");
        }
        Some(Repeated::Withdrawn) => {
            context.output.note("The proposal was withdrawn already; this sending changed nothing.");
        }
    }
    let Some(proposal) = &submission.proposal else {
        let mut json = taken(submission)?;
        if let Some(id) = id {
            json = beside(&json, &NotHeld { proposal_id: id, proposal_state: NotHeldState::NotHeld })?;
        }
        return context.output.result(&json, || match id {
            Some(id) => format!(
                "The service holds no proposal {id}: it never was, or it was resolved or withdrawn, and removed since.\n"
            ),
            None => format!("Taken in transaction {}.\n{}", submission.transaction, message(submission)),
        });
    };
    let json = beside(&taken(submission)?, &Guarded { guard })?;
    context.output.result(&json, || format!("{}{}\n", describe(proposal), committed(submission)))
}

/// A proposal that was made, and where it is committed, for people.
pub fn became(submission: &Submission) -> String {
    let proposal = submission.proposal.as_ref().map(describe).unwrap_or_default();
    format!("{proposal}{}\n", committed(submission))
}

/// Prints a proposal for which nothing was signed, because the service holds already what would have been.
pub fn print_held(context: &Context, proposal: &Answer<Proposal>, repeated: &str, why: &str) -> Result<(), CliError> {
    context.output.note(format!("Nothing was signed: {why}."));
    let taken = Taken { transaction_id: None, seen_at: proposal.transaction, repeated: Some(repeated) };
    context.output.result(&beside(&proposal.raw, &taken)?, || describe(proposal))
}

/// What the service says in words, as it does of a recovery share.
pub fn message(submission: &Submission) -> String {
    let message = submission.raw.get("message").and_then(Value::as_str);
    message.map_or_else(String::new, |message| format!("The service says: {}\n", visible(message)))
}
