//! `proposal list`: what the service holds.

use clap::Args;

use crate::cli::common::Context;
use crate::cli::connect::with_committed;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;

/// List the proposals that the service holds: the open ones, and those that were resolved last
#[derive(Args)]
#[command(after_help = "Example:
  ccf-gov proposal list --service https://127.0.0.1:8000 --service-cert service_cert.pem")]
pub struct List {}

impl List {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let service = context.connect().await?;
        let (proposals, committed) = context.read(&service, async || Ok(service.proposals().await?)).await?;
        let json = with_committed(proposals.raw.clone(), committed);
        context.output.result(&json, || {
            if proposals.is_empty() {
                return "The service holds no proposal.\n".into();
            }
            let row = |p: &ccf_gov::service::Proposal| {
                format!(
                    "{}  {:9}  {} ballots  proposed by {}\n",
                    p.proposal_id,
                    p.proposal_state.to_string(),
                    p.ballot_count,
                    p.proposer_id
                )
            };
            proposals.iter().map(row).collect()
        })?;
        Ok(Exit::Done)
    }
}
