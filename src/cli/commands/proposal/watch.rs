//! `proposal watch`: what waits for your vote, now and as it comes.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::{Instant, sleep};

use super::list::More;
use crate::cli::common::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::exit::Exit;
use crate::cli::object::beside;
use ccf_gov::review::{Inbox, Listed, News, vain};
use ccf_gov::service::Service;
use ccf_gov::text::visible;

/// How often the service is asked whether anything was committed.
const ASK: Duration = Duration::from_secs(2);

/// Watch what waits for your vote: what does now, and new proposals as they come
///
/// For the member whose certificate --cert gives. A proposal is told when it begins to wait for your vote, and again when it no longer
/// does: you have voted, or it was resolved without you. Only what is committed is told. With --output json each is one line of
/// JSON. Goes on until it is interrupted, or the time of --timeout is over; 0 looks once.
#[derive(Args)]
#[command(
    after_help = "Exit codes, when the time of --timeout is over: 0 something waits for your vote; 6 nothing does.

Examples:
  ccf-gov proposal watch --cert alice_cert.pem
  ccf-gov proposal watch --cert alice_cert.pem --timeout 0
  ccf-gov proposal watch --cert alice_cert.pem --output json | while read -r line; do …; done"
)]
pub struct Watch {
    /// End after so many seconds; 0 looks once [default: go on]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

/// One line of `--output json`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Told {
    event: Event,
    /// When it was seen, RFC 3339.
    at: String,
    #[serde(flatten)]
    more: More,
}

/// What is told.
#[derive(Clone, Copy, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Event {
    /// It waits for your vote.
    Waits,
    /// It is open, and you have voted or may no longer vote.
    NoLongerWaits,
    /// It was resolved or withdrawn without your vote.
    Resolved,
    /// It was resolved or withdrawn without your vote, and is no longer held: as it was last seen.
    Purged,
}

/// The line of `--output json` when no node answers, and when one does again.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reached {
    event: Reach,
    /// When, RFC 3339.
    at: String,
    /// Why no node answers; null if one does.
    message: Option<String>,
}

#[derive(Clone, Copy, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Reach {
    Unreachable,
    Reachable,
}

impl Watch {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let you = context.member()?;
        let service = context.connect().await?;
        vain::active(&service.members().await?, you)?;
        let end = self.timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let mut watching = Watching { context, service: &service, inbox: Inbox::new(you), is_reached: true };
        let (mut seen, mut is_first) = (None, true);
        loop {
            let commit = watching.reached(service.commit().await.map_err(CliError::from))?;
            if commit.is_some() && commit != seen && watching.look().await? {
                seen = commit;
                if std::mem::take(&mut is_first) && watching.inbox.is_empty() && self.timeout != Some(0) {
                    context.output.note("Nothing waits for your vote. Watching; Ctrl-C ends it.");
                }
            }
            match end {
                Some(end) if Instant::now() + ASK > end => {
                    sleep(end.saturating_duration_since(Instant::now())).await;
                    return watching.end(seen.is_some());
                }
                _ => sleep(ASK).await,
            }
        }
    }
}

struct Watching<'a> {
    context: &'a Context,
    service: &'a Service,
    inbox: Inbox,
    is_reached: bool,
}

impl Watching<'_> {
    /// Looks, and tells what has changed; false if it is to be looked again, because what was seen is not committed yet.
    async fn look(&mut self) -> Result<bool, CliError> {
        let read = async || Ok::<_, CliError>(self.inbox.look(self.service).await?);
        let settled = self.context.settled_quietly(self.service, read).await;
        let Some(settled) = self.reached(settled)?.filter(|settled| settled.committed) else { return Ok(false) };
        let mut inbox = self.inbox.clone();
        let mut lines = Vec::new();
        for news in inbox.update(settled.value) {
            let line = self.line(&news).await;
            let Some(line) = self.reached(line)? else { return Ok(false) };
            lines.push(line);
        }
        // All or nothing: nothing is told twice.
        self.inbox = inbox;
        lines.into_iter().try_for_each(|(json, text)| self.context.output.line(&json, || text))?;
        Ok(true)
    }

    async fn line(&self, news: &News) -> Result<(Value, String), CliError> {
        let (event, listed) = match news {
            News::Waits(listed) => (Event::Waits, listed),
            News::NoLongerWaits(listed) => (Event::NoLongerWaits, listed),
            News::Resolved(listed) => (Event::Resolved, listed),
            News::Purged(listed) => (Event::Purged, listed),
        };
        let names = self.service.names().await?;
        let more = More::of(self.service, &names, &listed.proposal, Some(matches!(event, Event::Waits)), true).await?;
        let text = text(event, listed, &more);
        Ok((beside(&listed.raw, &Told { event, at: now(), more })?, text))
    }

    /// What was asked for; `None` if no node answers, which is told once.
    fn reached<T>(&mut self, asked: Result<T, CliError>) -> Result<Option<T>, CliError> {
        let (event, message, answer) = match asked {
            Err(error) if error.kind == Kind::Unreachable => (Reach::Unreachable, Some(error.message), None),
            asked => (Reach::Reachable, None, Some(asked?)),
        };
        if std::mem::replace(&mut self.is_reached, answer.is_some()) != self.is_reached {
            let text = match &message {
                Some(message) => format!("{message}; trying again."),
                None => "The service answers again.".into(),
            };
            match self.context.output.is_json() {
                true => self.context.output.line(&Reached { event, at: now(), message }, String::new)?,
                false => self.context.output.note(text),
            }
        }
        Ok(answer)
    }

    fn end(&self, is_looked: bool) -> Result<Exit, CliError> {
        if !is_looked {
            let what = "what waits for your vote is not known: the service committed nothing of what it showed in time";
            return Err(CliError { kind: Kind::Unreachable, ..CliError::usage(what) }.hint("repeat the command"));
        }
        if !self.inbox.is_empty() {
            return Ok(Exit::Done);
        }
        self.context.output.note("Nothing waits for your vote.");
        Ok(Exit::Waiting)
    }
}

fn text(event: Event, Listed { proposal, .. }: &Listed, more: &More) -> String {
    let id = proposal.proposal_id;
    let proposer = more.proposer_name.clone().unwrap_or_else(|| proposal.proposer_id.to_string());
    let title = more.title.as_deref().map(visible).unwrap_or_default();
    match event {
        Event::Waits => format!(
            "{} waits for your vote: {title}\n  proposed by {}, {} ballots so far; look at it with `ccf-gov proposal review {}`",
            id.short(),
            visible(&proposer),
            proposal.ballot_count,
            id.short()
        ),
        Event::NoLongerWaits => format!("{} no longer waits for your vote: {title}", id.short()),
        Event::Resolved => format!("{} was {} without your vote: {title}", id.short(), proposal.proposal_state),
        Event::Purged => {
            format!("{} was resolved or withdrawn without your vote; the ledger alone says how: {title}", id.short())
        }
    }
}

fn now() -> String {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0).unwrap_or(now).format(&Rfc3339).unwrap_or_default()
}
