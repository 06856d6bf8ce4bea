//! `proposal lint`: what can be checked with nothing but the proposal.

use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use super::ProposalSource;
use crate::cli::checks;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::ccf_version::CcfVersion;
use ccf_gov::check::{Checks, Conclusion};
use ccf_gov::proposal::{Proposal, ProposalError};
use ccf_gov::review::rules;

/// Check a proposal for common mistakes.
///
/// Needs nothing but the proposal. Exit code 0 if all checks pass, else 3; a warning passes, and what could not be
/// checked does not. A file that is not a proposal at all gives exit code 2.
#[derive(Args)]
#[command(after_help = "\
Examples:
  ccf-gov proposal lint proposal.json
  ccf-gov proposal lint proposal.json --ccf-version 6.0.9 --output json")]
pub struct Lint {
    /// The proposal: a file (- for standard input), what `proposal show --output json` printed, or an id
    #[arg(value_name = "FILE|ID")]
    file: ProposalSource,
    /// The version of CCF that the service runs: checks what depends on it, too
    #[arg(long, value_name = "VERSION")]
    ccf_version: Option<CcfVersion>,
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Linted<'a> {
    verdict: Conclusion,
    checks: &'a Checks,
}

impl Lint {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let bytes = self.file.bytes(context).await?;
        if let Some(error) = Proposal::parse(&bytes).err().filter(ProposalError::is_no_proposal) {
            return Err(self.file.not_a_proposal(error));
        }
        let found = rules::lint(&bytes, &context.catalogue, self.ccf_version, OffsetDateTime::now_utc());
        let json = Linted { verdict: found.verdict(), checks: &found };
        context.output.result(&json, || checks::lines(&found))?;
        Ok(checks::exit(&found))
    }
}
