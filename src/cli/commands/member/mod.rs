//! `member`: who the members are, and becoming an active one.

pub mod activate;
pub mod list;

use clap::{Args, Subcommand};

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;

/// List the members, or activate yourself
#[derive(Args)]
pub struct Member {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[command(defer = true)]
enum Command {
    /// List the members
    List(list::List),
    /// Acknowledge the service's state, which makes an accepted member active
    Activate(activate::Activate),
}

impl Member {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.command {
            Command::List(args) => args.run(context).await,
            Command::Activate(args) => args.run(context).await,
        }
    }
}
