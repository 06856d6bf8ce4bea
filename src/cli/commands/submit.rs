//! `submit`: carry envelopes that were signed before.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::guard::{Guard, Guarded};
use crate::cli::interrupt::unless_interrupted;
use crate::cli::object::beside;
use crate::cli::private_keys;
use crate::cli::sign_and_submit;
use ccf_gov::cose::{Envelope, MAX_ENVELOPE, MessageType};
use ccf_gov::files;
use ccf_gov::id::MemberId;
use ccf_gov::review::still_votable;
use ccf_gov::service::{Service, Submission};
use ccf_gov::upgrade::NetworkChange;

/// Send signed envelopes to the service; safe to repeat
///
/// All of them are read and checked before the first is sent; then they are sent in the given order, each after
/// the one before is committed. If one is refused, those before it stay accepted: they are printed, and the rest is not sent.
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov submit ballot.cose
  ccf-gov submit register.cose && ccf-gov submit ballot0.cose ballot1.cose")]
pub struct Submit {
    /// The envelopes, as `sign` and `finish` write them; - for standard input
    #[arg(value_name = "ENVELOPE", required = true)]
    envelopes: Vec<PathBuf>,
    #[command(flatten)]
    guard: Guard,
}

/// An envelope that was sent, and what became of it.
struct Sent {
    envelope: Envelope,
    submission: Submission,
    guard: Option<NetworkChange>,
}

impl Submit {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let envelopes = self.envelopes.iter().map(|path| read(context, path)).collect::<Result<Vec<_>, _>>()?;
        let service = context.connect().await?;
        let mut done: Vec<Sent> = Vec::new();
        for (path, envelope) in self.envelopes.iter().zip(envelopes) {
            match send(context, &service, &envelope, self.guard).await {
                Ok((submission, guard)) => done.push(Sent { envelope, submission, guard }),
                Err(mut error) => {
                    error.message = format!("{}: {}", files::shown(path), error.message);
                    if !done.is_empty() {
                        // What was taken is not undone by what was not.
                        print_all(context, &done)?;
                        let note = match done.len() {
                            1 => "1 earlier envelope was accepted".into(),
                            several => format!("{several} earlier envelopes were accepted"),
                        };
                        error.hint =
                            Some(error.hint.map_or(note.clone(), |hint| format!("{note}. Of this one: {hint}")));
                    }
                    return Err(error);
                }
            }
        }
        match &done[..] {
            [Sent { envelope, submission, guard }] => {
                let id = envelope.message().proposal_id();
                sign_and_submit::print(context, id, submission, guard.as_ref())?;
            }
            all => print_all(context, all)?,
        }
        Ok(Exit::Done)
    }
}

/// Sends it; not an exact ballot that would vote no, nor what stops the service.
async fn send(
    context: &Context,
    service: &Service,
    envelope: &Envelope,
    guard: Guard,
) -> Result<(Submission, Option<NetworkChange>), CliError> {
    if let Some(ahead) = envelope.message().created_at().ahead(OffsetDateTime::now_utc()) {
        context.output.warn(ahead);
    }
    let unsent = |error: CliError| error.prefixed("it was not sent");
    let votable = still_votable(service, envelope.message()).await.map_err(|error| unsent(error.into()))?;
    votable.map_err(|why| unsent(why.into()))?;
    let found = guard.judge_signed(context, service, envelope.message()).await.map_err(unsent)?;
    match unless_interrupted(service.submit(envelope)).await {
        Some(sent) => Ok((sent?, found)),
        None => Err(interrupted()),
    }
}

fn interrupted() -> CliError {
    let message = "interrupted while it was sent: the service may have taken it".to_owned();
    CliError::unreachable(message).hint("send the same file again, which is safe; do not sign again")
}

fn read(context: &Context, path: &Path) -> Result<Envelope, CliError> {
    let bytes = files::read(path, MAX_ENVELOPE)?;
    let name = files::shown(path);
    let (envelope, forms) = Envelope::from_any_form(&bytes)
        .map_err(|e| CliError::from(e).doing(format!("{name} is not a signed governance request")))?;
    for form in forms {
        context.output.warn(format!("{name}: {form}; it is sent in the form that CCF's tools write"));
    }
    let message = envelope.message();
    private_keys::refuse(&name, message.kind(), message.payload())?;
    Ok(envelope)
}

fn print_all(context: &Context, all: &[Sent]) -> Result<(), CliError> {
    let submitted = all.iter().map(object);
    let several = Several { submitted: submitted.collect::<Result<_, CliError>>()? };
    context.output.result(&several, || all.iter().map(line).collect())
}

fn line(Sent { envelope, submission, .. }: &Sent) -> String {
    let what = submission.proposal.as_ref();
    let what = what.map_or_else(String::new, |p| format!("  proposal {} is {}", p.proposal_id, p.proposal_state));
    let what = if submission.repeated.is_some() { format!("{what}  (taken before)") } else { what };
    let seen = if submission.is_own { "" } else { "seen at " };
    let kind = envelope.message().kind().name();
    format!("{kind:10}  {seen}{}{what}\n{}", submission.transaction, sign_and_submit::message(submission))
}

/// Several envelopes as they are printed.
#[derive(Serialize)]
struct Several {
    submitted: Vec<Value>,
}

/// What each of several envelopes has beside what became of it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OneOf {
    #[serde(rename = "type")]
    kind: MessageType,
    member_id: MemberId,
}

fn object(Sent { envelope, submission, guard }: &Sent) -> Result<Value, CliError> {
    let one = OneOf { kind: envelope.message().kind(), member_id: envelope.member() };
    let taken = beside(&sign_and_submit::taken(submission)?, &Guarded { guard: guard.as_ref() })?;
    beside(&taken, &one)
}
