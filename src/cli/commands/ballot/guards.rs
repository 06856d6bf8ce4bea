//! What a guarded ballot rests on: `ballot new guarded` and `ballot submit --guarded`.

use clap::Args;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use ccf_gov::proposal::Proposal;
use ccf_gov::proposal::ballot::{self, Ballot, Watched};
use ccf_gov::service::Service;

/// Guards beside those that the proposal's actions call for.
#[derive(Args)]
pub struct Guards {
    /// With a guarded ballot: what else it rests on (join-policy, nodes, node=ID, members, member=ID); repeat
    #[arg(long = "guard", value_name = "GUARD")]
    more: Vec<Watched>,
}

impl Guards {
    /// Whether none was given.
    pub fn is_empty(&self) -> bool {
        self.more.is_empty()
    }

    /// A ballot for this proposal, guarded by what the service is now.
    pub async fn ballot(&self, context: &Context, service: &Service, proposal: &Proposal) -> Result<Ballot, CliError> {
        let (seen, _) = context.read(service, async || Ok(service.seen().await?)).await?;
        let watched = Watched::by(proposal).into_iter().chain(self.more.iter().copied());
        let watched: std::collections::BTreeSet<_> = watched.collect();
        let unguarded = |e: CliError| e.doing("cannot make a guarded ballot");
        let guards = seen.guards(watched).map_err(|e| unguarded(CliError::refused(e)))?;
        let ballot = ballot::guarded(proposal, &guards).map_err(|e| unguarded(e.into()))?;
        let lines: String = guards.iter().map(|guard| format!("  while {guard}\n")).collect();
        context.output.note(format!("This ballot votes yes on exactly this proposal\n{lines}"));
        Ok(ballot)
    }
}
