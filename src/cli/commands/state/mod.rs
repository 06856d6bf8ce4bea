//! `state`: a service's governance state as a file.

pub mod export;

use clap::{Args, Subcommand};

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;

/// Keep a service's governance state in a file
#[derive(Args)]
pub struct State {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[command(defer = true)]
enum Command {
    /// Read the governance state of the service and write it to a file
    Export(export::Export),
}

impl State {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.command {
            Command::Export(args) => args.run(context).await,
        }
    }
}
