//! `constitution`: rules before they are proposed.

pub mod check;

use clap::{Args, Subcommand};

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;

/// Check a constitution before it is proposed
#[derive(Args)]
pub struct Constitution {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[command(defer = true)]
enum Command {
    /// Check that a service could go on with these rules
    Check(check::Check),
}

impl Constitution {
    pub fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.command {
            Command::Check(args) => args.run(context),
        }
    }
}
