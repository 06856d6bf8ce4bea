//! `upgrade`: one file per command.

pub mod rehearse;

use clap::{Args, Subcommand};

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;

/// Rehearse a code upgrade
#[derive(Args)]
pub struct Upgrade {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[command(defer = true)]
enum Command {
    /// Rehearse a whole code upgrade on the embedded sandbox
    Rehearse(rehearse::Rehearse),
}

impl Upgrade {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.command {
            Command::Rehearse(args) => args.run(context).await,
        }
    }
}
