//! `proposal wait`: until a proposal is resolved.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::carry;
use crate::cli::common::Context;
use crate::cli::connect::with_committed;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::id::ProposalId;
use ccf_gov::service::{Outcome, ProposalState, Reference};

/// Wait until a proposal is resolved
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 Accepted; 3 Rejected, Dropped, Withdrawn, Failed, or purged (resolved, and no longer \
held, so that nobody but the ledger can say how); 6 still open, or resolved and \
not committed yet, when the time is over; 4 no such proposal.

Example:
  ccf-gov proposal wait 71af4505250701568dae25e5f7b47ae51810ade7248446c2c18d4ed31cbff965 --timeout 3600"
)]
pub struct Wait {
    /// The proposal: its id, or the first digits of it; without it, the only open one
    #[arg(value_name = "ID")]
    id: Option<Reference<ProposalId>>,
    /// How many seconds to wait
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
}

impl Wait {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let service = context.connect().await?;
        let id = context.proposal(&service, self.id.as_ref()).await?;
        let outcome = service.wait_proposal(id, Duration::from_secs(self.timeout)).await?;
        let Some(outcome) = outcome else { return Err(super::not_held(id)) };
        let (json, human, exit) = match outcome {
            Outcome::Resolved(proposal) => {
                let exit = if proposal.proposal_state == ProposalState::Accepted { Exit::Done } else { Exit::No };
                (carry::with_transaction(&proposal.raw, proposal.transaction), carry::describe(&proposal), exit)
            }
            Outcome::StillOpen(proposal) => {
                let state = proposal.proposal_state;
                context.output.note(match state.is_final() {
                    true => format!(
                        "{state}, but not committed yet after {} s: an election may still undo it.",
                        self.timeout
                    ),
                    false => format!("Still open after {} s.", self.timeout),
                });
                let json = carry::with_transaction(&proposal.raw, proposal.transaction);
                let json = if state.is_final() { with_committed(json, false) } else { json };
                (json, carry::describe(&proposal), Exit::Waiting)
            }
            Outcome::Purged { last_seen } => {
                let seen = last_seen.as_ref().map_or(Value::Null, |p| p.raw.clone());
                let json = json!({"proposalId": id, "proposalState": "Purged", "lastSeen": seen});
                let human = format!(
                    "Proposal  {}\nState     purged: it was resolved or withdrawn, and then removed when another proposal was resolved.\n          The ledger alone says how it ended.\n",
                    id
                );
                (json, human, Exit::No)
            }
        };
        context.output.result(&json, || human)?;
        Ok(exit)
    }
}
