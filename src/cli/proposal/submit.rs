//! `proposal submit`: sign a proposal and send it.

use clap::Args;

use crate::cli::carry;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::proposal::ProposalSource;
use ccf_gov::cose::MessageType;
use ccf_gov::evidence::check::Verdict;
use ccf_gov::proposal::lint;

/// Sign a proposal and send it; prints the proposal that the service made of it
///
/// What `proposal lint` finds is shown first; the service's own constitution has the last word.
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov proposal submit register.json --key alice_privk.pem --cert alice_cert.pem
  ccf-gov proposal submit register.json --yes --output json | jq -r .proposalId")]
pub struct Submit {
    /// The proposal: a file (- for standard input), what `proposal show --output json` printed, or an id, to propose it again
    #[arg(value_name = "FILE|ID")]
    file: ProposalSource,
}

impl Submit {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let proposal = self.file.read(context).await?;
        for finding in lint::lint(proposal.bytes(), None).iter().filter(|c| c.verdict != Verdict::Pass) {
            context.output.warn(format!("{} ({}): {}", finding.name, finding.verdict, finding.detail));
        }
        let signer = context.signer().await?;
        let service = context.connect().await?;
        let payload = proposal.bytes().to_vec();
        let submission =
            carry::sign_and_submit(context, &service, &*signer, MessageType::Proposal, None, payload).await?;
        carry::print(context, None, &submission)?;
        Ok(Exit::Done)
    }
}
