//! `ballot new`: a vote on a proposal.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::guards::Guards;
use crate::cli::commands::proposal::ProposalSource;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::files::Readers;
use ccf_gov::proposal::ballot;

/// Write a ballot.
#[derive(Args)]
#[command(after_help = "\
Examples:
  ccf-gov ballot new accept -o ballot.json
  ccf-gov ballot new exact --proposal proposal.json -o ballot.json
  ccf-gov ballot new guarded --proposal 71af4505 --guard members -o ballot.json

An exact ballot holds the whole proposal, and votes yes only on that: whatever else is submitted under \
the proposal's id gets a no. The order of keys does not matter.

A guarded ballot votes yes only while the service, too, is as it is now: its certificate, its constitution, and what \
the actions touch (the join policy for registrations; with it the nodes for transition_node_to_trusted, the nodes for \
remove_node, the active members for set_member and remove_member). Nodes run it again at every later ballot.")]
pub struct New {
    /// How it votes
    #[arg(value_enum)]
    vote: Vote,
    /// The proposal that an exact or guarded ballot is for: a file, what `proposal show --output json` printed, or an id
    #[arg(long, value_name = "FILE|ID", required_if_eq_any([("vote", "exact"), ("vote", "guarded")]))]
    proposal: Option<ProposalSource>,
    #[command(flatten)]
    guards: Guards,
    /// Where to write it [default: standard output]
    #[arg(long, short, value_name = "FILE", default_value = "-", hide_default_value = true)]
    out: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Vote {
    /// Yes, whatever the proposal is
    Accept,
    /// No, whatever the proposal is
    Reject,
    /// Yes on this proposal, no on any other
    Exact,
    /// Yes on this proposal while the service is as it is now, no otherwise; asks the service
    Guarded,
}

impl New {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        if self.vote != Vote::Guarded && !self.guards.is_empty() {
            return Err(CliError::usage("only a guarded ballot has guards").hint("use `guarded`, or omit --guard"));
        }
        let ballot = match (self.vote, &self.proposal) {
            (Vote::Exact, Some(proposal)) => ballot::exact(&proposal.read(context).await?)
                .map_err(|e| CliError::from(e).doing("cannot make an exact ballot"))?,
            (Vote::Guarded, Some(proposal)) => {
                let needs = "a guarded ballot rests on the service as it is now, and needs --service";
                let service = context.connect().await.map_err(|e| e.doing(needs))?;
                self.guards.ballot(context, &service, &proposal.read(context).await?).await?
            }
            (Vote::Accept, None) => ballot::accept(),
            (Vote::Reject, None) => ballot::reject(),
            (Vote::Exact | Vote::Guarded, None) => {
                return Err(CliError::usage("an exact or guarded ballot needs --proposal FILE or ID"));
            }
            (_, Some(_)) => {
                return Err(CliError::usage("only an exact or guarded ballot is for one proposal")
                    .hint("use `exact` or `guarded`, or omit --proposal"));
            }
        };
        context.output.file(&self.out, &ballot.payload(), Readers::Shared, self.force)?;
        Ok(Exit::Done)
    }
}
