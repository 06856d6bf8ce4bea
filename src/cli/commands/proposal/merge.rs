//! `proposal merge`: one proposal of several.

use std::path::PathBuf;

use clap::Args;

use super::ProposalSource;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::files::Readers;
use ccf_gov::proposal::{MergeError, merge};

/// Make one proposal of several.
///
/// Registering code drops every other open proposal, so what belongs to one upgrade belongs in one proposal.
#[derive(Args)]
#[command(after_help = "\
Example:
  ccf-gov proposal merge host-data.json uvm.json tcb.json -o register.json

Actions that are the same stand once; actions that contradict each other are refused. The order: the service's \
identity is asserted first; then members, users and tokens; what is registered to join before what is removed; \
nodes trusted before nodes removed; certificates and the application; actions that are not CCF's own, as they \
stood; new secrets and snapshots; the constitution last, so that everything else is judged by the rules under \
which members voted.")]
pub struct Merge {
    /// The proposals: files, what `proposal show --output json` printed, or ids
    #[arg(value_name = "FILE|ID", required = true)]
    files: Vec<ProposalSource>,
    /// Where to write it [default: standard output]
    #[arg(long, short, value_name = "FILE", default_value = "-", hide_default_value = true)]
    out: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

impl Merge {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let mut proposals = Vec::new();
        for file in &self.files {
            proposals.push(file.read(context).await?);
        }
        let merged = merge(&proposals, &context.catalogue).map_err(|error| self.refused(error))?;
        context.output.file(&self.out, merged.bytes(), Readers::Shared, self.force)?;
        Ok(Exit::Done)
    }

    fn refused(&self, error: MergeError) -> CliError {
        let file = |at: usize| self.files.get(at).map(ToString::to_string).unwrap_or_default();
        let doing = match &error {
            MergeError::Conflict { first, second, .. } if first.0 == second.0 => {
                format!("{} contradicts itself", file(first.0))
            }
            MergeError::Conflict { first, second, .. } => {
                format!("{} and {} cannot be merged", file(first.0), file(second.0))
            }
            MergeError::PrivateKey { proposal, .. } | MergeError::Surplus { proposal, .. } => {
                format!("{} cannot be merged", file(*proposal))
            }
        };
        CliError::from(error).doing(doing)
    }
}
