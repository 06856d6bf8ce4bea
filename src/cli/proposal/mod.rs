//! `proposal`: one file per command.

mod new;
mod templates;

use std::path::Path;

use clap::{Args, Subcommand};

use super::common::Context;
use super::error::{CliError, Kind};
use super::exit::Exit;
use ccf_gov::files;
use ccf_gov::proposal::MAX_PROPOSAL;

/// Where to look when a template's name is not known.
const LIST: &str = "`ccf-gov proposal templates` lists them";

/// Write proposals, check them, and carry them to the service
#[derive(Args)]
pub struct Proposal {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List what can be proposed, with parameters
    Templates(templates::Templates),
    /// Write a proposal from a template
    New(new::New),
}

impl Proposal {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.command {
            Command::Templates(args) => args.run(context),
            Command::New(args) => args.run(context),
        }
    }
}

/// The proposal in a file.
pub fn read_proposal(path: &Path) -> Result<ccf_gov::proposal::Proposal, CliError> {
    let bytes = files::read(path, MAX_PROPOSAL)?;
    ccf_gov::proposal::Proposal::parse(&bytes)
        .map_err(|e| CliError::new(Kind::Usage, format!("{} is not a proposal", path.display()), e))
}
