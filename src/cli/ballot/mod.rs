//! `ballot`: one file per command.

mod new;

use clap::{Args, Subcommand};

use super::common::Context;
use super::error::CliError;
use super::exit::Exit;

/// Write ballots, and carry them to the service
#[derive(Args)]
pub struct Ballot {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write a ballot
    New(new::New),
}

impl Ballot {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.command {
            Command::New(args) => args.run(context),
        }
    }
}
