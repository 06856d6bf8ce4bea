//! `submit`: carry envelopes that were signed before.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::ballot::live;
use super::carry;
use super::common::Context;
use super::error::{CliError, Kind};
use super::exit::Exit;
use super::interrupt::unless_interrupted;
use super::private_keys;
use ccf_gov::cose::{Envelope, MAX_ENVELOPE};
use ccf_gov::files;
use ccf_gov::service::{Service, Submission};

/// Send signed envelopes, each to the call that its own headers name; safe to repeat
///
/// All of them are read and checked before the first is sent; then they are sent in the given order, each after
/// the one before is committed.
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov submit ballot.cose
  ccf-gov submit register.cose && ccf-gov submit ballot0.cose ballot1.cose")]
pub struct Submit {
    /// The envelopes, as `sign` and `finish` write them; - for standard input
    #[arg(value_name = "ENVELOPE", required = true)]
    envelopes: Vec<PathBuf>,
}

impl Submit {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let mut envelopes = Vec::new();
        for path in &self.envelopes {
            let bytes = files::read(path, MAX_ENVELOPE)?;
            let envelope = Envelope::from_bytes(&bytes).map_err(|e| {
                CliError::new(
                    Kind::Usage,
                    format!("{} is no signed governance request", ccf_gov::files::shown(path)),
                    e,
                )
            })?;
            let message = envelope.message();
            private_keys::refuse(files::shown(path), message.kind(), message.payload())?;
            envelopes.push(envelope);
        }
        let service = context.connect().await?;
        let mut done: Vec<(Envelope, Submission)> = Vec::new();
        for (path, envelope) in self.envelopes.iter().zip(envelopes) {
            let submission = send(context, &service, &envelope).await.map_err(|mut error| {
                error.message = format!("{}: {}", path.display(), error.message);
                if !done.is_empty() {
                    let note = match done.len() {
                        1 => "1 earlier envelope was taken".to_owned(),
                        n => format!("{n} earlier envelopes were taken"),
                    };
                    error.hint = Some(error.hint.map_or(note.clone(), |h| format!("{note}; {h}")));
                }
                error
            })?;
            done.push((envelope, submission));
        }
        match &done[..] {
            [(envelope, submission)] => carry::print(context, envelope.message().proposal_id(), submission)?,
            all => {
                let list: Vec<Value> = all.iter().map(|(envelope, submission)| object(envelope, submission)).collect();
                context.output.result(&json!({ "submitted": list }), || {
                    let line = |(envelope, submission): &(Envelope, Submission)| {
                        let what = submission.proposal.as_ref().map_or_else(String::new, |p| {
                            format!("  proposal {} is {}", p.proposal_id, p.proposal_state)
                        });
                        let what = if submission.repeated.is_some() { format!("{what}  (taken before)") } else { what };
                        let seen = if submission.is_own { "" } else { "seen at " };
                        let kind = envelope.message().kind().name();
                        let words = carry::message(submission);
                        format!("{kind:10}  {seen}{}{what}\n{words}", submission.transaction)
                    };
                    all.iter().map(line).collect()
                })?;
            }
        }
        Ok(Exit::Done)
    }
}

/// Sends it; not an exact ballot that would vote no.
async fn send(context: &Context, service: &Service, envelope: &Envelope) -> Result<Submission, CliError> {
    if let Some(ahead) = envelope.message().created_at().ahead(OffsetDateTime::now_utc()) {
        context.output.warn(ahead);
    }
    live::check(service, envelope.message()).await.map_err(|mut error| {
        error.message = format!("it was not sent: {}", error.message);
        error
    })?;
    match unless_interrupted(service.submit(envelope)).await {
        Some(sent) => Ok(sent?),
        None => Err(interrupted()),
    }
}

fn interrupted() -> CliError {
    let message = "interrupted while it was sent: the service may have taken it".to_owned();
    CliError { kind: Kind::Unreachable, message, source: None, hint: None }
        .hint("send the same file again, which is safe; do not sign anew")
}

fn object(envelope: &Envelope, submission: &Submission) -> Value {
    let mut object = carry::taken(submission);
    object["type"] = json!(envelope.message().kind());
    object["memberId"] = json!(envelope.member());
    object
}
