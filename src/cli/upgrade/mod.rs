//! `upgrade`: one file per command.

pub mod rehearse;

use clap::{Args, Subcommand};

use super::common::Context;
use super::error::CliError;
use super::exit::Exit;

/// Walk a code upgrade
#[derive(Args)]
pub struct Upgrade {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[command(defer = true)]
enum Command {
    /// Walk a whole code upgrade on the embedded sandbox
    Rehearse(rehearse::Rehearse),
}

impl Upgrade {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.command {
            Command::Rehearse(args) => args.run(context).await,
        }
    }
}
