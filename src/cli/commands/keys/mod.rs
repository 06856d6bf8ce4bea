//! `keys`: make a member's keys, and show what a key or certificate is.

pub mod generate;
pub mod list;
pub mod show;

use clap::{Args, Subcommand};

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;

/// Make a member's keys, and show what a key or certificate is.
#[derive(Args)]
pub struct Keys {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Subcommand)]
#[command(defer = true)]
enum KeysCommand {
    /// Make a member's key and certificate, and an encryption key if wanted
    Generate(generate::Generate),
    /// Show whose a key or certificate is, until when, and whether they belong together
    Show(show::Show),
    /// List the keys behind a PKCS#11 module, as key URIs to paste
    List(list::List),
}

impl Keys {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.command {
            KeysCommand::Generate(args) => args.run(context),
            KeysCommand::Show(args) => args.run(context).await,
            KeysCommand::List(args) => args.run(context).await,
        }
    }
}
