//! `verify`: attestations and proposals, checked here.

mod attestation;
mod evidence;
mod proposal;

use clap::{Args, Subcommand};

use super::common::Context;
use super::error::CliError;
use super::exit::Exit;

/// Check attestations and proposals against artefacts
#[derive(Args)]
pub struct Verify {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Verify a node's attestation from its files
    Attestation(attestation::Attestation),
    /// Does a proposal register exactly what these artefacts are?
    Proposal(proposal::Proposal),
}

impl Verify {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.command {
            Command::Attestation(args) => args.run(context),
            Command::Proposal(args) => args.run(context),
        }
    }
}
