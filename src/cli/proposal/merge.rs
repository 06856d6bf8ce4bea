//! `proposal merge`: one proposal of several.

use std::path::PathBuf;

use clap::Args;

use super::super::common::Context;
use super::super::error::{CliError, Kind};
use super::super::exit::Exit;
use super::read_proposal;
use ccf_gov::files::Access;
use ccf_gov::proposal::merge::{MergeError, merge};

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
    /// The proposals
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Where to write it [default: standard output]
    #[arg(long, short, value_name = "FILE", default_value = "-", hide_default_value = true)]
    out: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

impl Merge {
    pub fn run(self, context: &Context) -> Result<Exit, CliError> {
        let proposals = self.files.iter().map(|path| read_proposal(path)).collect::<Result<Vec<_>, _>>()?;
        let merged = merge(&proposals).map_err(|error| self.refused(error))?;
        context.output.file(&self.out, merged.bytes(), Access::Shared, self.force)?;
        Ok(Exit::Done)
    }

    fn refused(&self, error: MergeError) -> CliError {
        let file = |at: usize| self.files.get(at).map(|p| p.display().to_string()).unwrap_or_default();
        let (doing, hint) = match &error {
            MergeError::Conflict { first, second, .. } if first.0 == second.0 => {
                (format!("{} contradicts itself", file(first.0)), "leave one of the two actions out")
            }
            MergeError::Conflict { first, second, .. } => (
                format!("{} and {} cannot be merged", file(first.0), file(second.0)),
                "decide which of the two is meant, and leave the other out",
            ),
            MergeError::Surplus { proposal, .. } => {
                (format!("{} cannot be merged", file(*proposal)), "remove the key, or submit that proposal alone")
            }
        };
        CliError::new(Kind::Usage, doing, error).hint(hint)
    }
}
