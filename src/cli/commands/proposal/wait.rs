//! `proposal wait`: until a proposal is resolved.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::votes;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::object::beside;
use crate::cli::sign_and_submit;
use ccf_gov::id::ProposalId;
use ccf_gov::service::{Outcome, Reference};

/// Wait until a proposal is resolved
///
/// Says at once how many members have voted and who is missing, and again when the time is over: a minute, unless --timeout
/// gives another.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 Accepted; 3 Rejected, Dropped, Withdrawn, Failed, or purged (resolved, and no longer \
held, so that nobody but the ledger can say how); 6 still open, or resolved and \
not committed yet, when the time is over; 4 no such proposal.

Example:
  ccf-gov proposal wait 71af4505 --timeout 3600"
)]
pub struct Wait {
    /// The proposal: its id, or the first digits of it; without it, the only open one
    #[arg(value_name = "ID")]
    id: Option<Reference<ProposalId>>,
    /// How many seconds to wait
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
}

/// What is printed beside a proposal that is not resolved, or not committed so.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StillOpen<'a> {
    /// False if it is resolved, and not committed so yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    committed: Option<bool>,
    /// Whose votes are missing, if it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Vec<votes::Line<'a>>>,
}

/// What is printed of a proposal that was seen and is no longer held.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Purged {
    proposal_id: ProposalId,
    proposal_state: PurgedState,
    /// The proposal when it was last seen; null if it never was.
    last_seen: Value,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
enum PurgedState {
    Purged,
}

impl Wait {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let you = context.member().ok();
        let service = context.connect().await?;
        let id = context.proposal(&service, self.id.as_ref()).await?;
        let Some(proposal) = service.find_proposal(id).await? else { return Err(super::not_held(id)) };
        if self.timeout > 0 && !proposal.proposal_state.is_final() {
            let votes = service.votes(&proposal).await?.describe();
            context.output.note(format!("Waiting, at most {} s, for proposal {id}: {votes}.", self.timeout));
        }
        let outcome = service.wait_proposal(id, Duration::from_secs(self.timeout)).await?;
        let Some(outcome) = outcome else { return Err(super::not_held(id)) };
        let exit = match outcome.accepted() {
            Some(true) => Exit::Done,
            Some(false) => Exit::No,
            None => Exit::Waiting,
        };
        let (json, human) = match outcome {
            Outcome::Resolved(proposal) => (
                sign_and_submit::with_transaction(&proposal.raw, proposal.transaction),
                sign_and_submit::describe(&proposal),
            ),
            Outcome::StillOpen(proposal) => {
                let state = proposal.proposal_state;
                let mut open = StillOpen { committed: None, missing: None };
                let votes;
                if state.is_final() {
                    let why = "but not committed yet: an election may still undo it";
                    context.output.note(format!("{state} after {} s, {why}.", self.timeout));
                    open.committed = Some(false);
                } else {
                    votes = service.votes(&proposal).await?;
                    context.output.note(format!("Still open after {} s: {}.", self.timeout, votes.describe()));
                    open.missing = Some(votes.missing().map(|v| votes::Line::of(v, you)).collect());
                }
                let json = beside(&sign_and_submit::with_transaction(&proposal.raw, proposal.transaction), &open)?;
                (json, sign_and_submit::describe(&proposal))
            }
            Outcome::Purged { last_seen } => {
                let seen = last_seen
                    .as_ref()
                    .map_or(Value::Null, |p| sign_and_submit::with_transaction(&p.raw, p.transaction));
                let purged = Purged { proposal_id: id, proposal_state: PurgedState::Purged, last_seen: seen };
                let json = beside(&Value::Null, &purged)?;
                let human = format!(
                    "Proposal  {}\nState     purged: it was resolved or withdrawn, and then removed when another proposal was resolved.\n          The ledger alone says how it ended.\n",
                    id
                );
                (json, human)
            }
        };
        context.output.result(&json, || human)?;
        Ok(exit)
    }
}
