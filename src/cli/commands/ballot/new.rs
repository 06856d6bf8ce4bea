//! `ballot new`: a vote on a proposal.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

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

An exact ballot holds the whole proposal, and votes yes only on that: whatever else is submitted under \
the proposal's id gets a no. The order of keys does not matter.")]
pub struct New {
    /// How it votes
    #[arg(value_enum)]
    vote: Vote,
    /// The proposal that an exact ballot is for: a file, what `proposal show --output json` printed, or an id
    #[arg(long, value_name = "FILE|ID", required_if_eq("vote", "exact"))]
    proposal: Option<ProposalSource>,
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
}

impl New {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let ballot = match (self.vote, &self.proposal) {
            (Vote::Exact, Some(proposal)) => ballot::exact(&proposal.read(context).await?)
                .map_err(|e| CliError::from(e).doing("cannot make an exact ballot"))?,
            (Vote::Accept, None) => ballot::accept(),
            (Vote::Reject, None) => ballot::reject(),
            (Vote::Exact, None) => return Err(CliError::usage("an exact ballot needs --proposal FILE or ID")),
            (_, Some(_)) => {
                return Err(
                    CliError::usage("only an exact ballot is for one proposal").hint("use `exact`, or omit --proposal")
                );
            }
        };
        context.output.file(&self.out, &ballot.payload(), Readers::Shared, self.force)?;
        Ok(Exit::Done)
    }
}
