//! `ballot`: one file per command.

mod guards;
mod new;
pub mod show;
mod submit;
pub mod test;
mod verified;

use clap::{Args, Subcommand};

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::proposal::ballot;

/// Write ballots and submit them
#[derive(Args)]
pub struct Ballot {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[command(defer = true)]
enum Command {
    /// Write a ballot
    New(new::New),
    /// Say in words what ballots do
    Show(show::Show),
    /// Sign a ballot on a proposal and send it
    Submit(Box<submit::Submit>),
    /// Run a ballot on the service as it is, and say what it answers
    Test(test::Test),
}

impl Ballot {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.command {
            Command::New(args) => args.run(context).await,
            Command::Show(args) => args.run(context).await,
            Command::Submit(args) => args.run(context).await,
            Command::Test(args) => args.run(context).await,
        }
    }
}

/// What a ballot's script does, in a word: `accept`, `reject`, `exact`, `guarded` or `other`.
pub fn kind(script: &str) -> &'static str {
    match ballot::kind(script) {
        ballot::BallotKind::Accept => "accept",
        ballot::BallotKind::Reject => "reject",
        ballot::BallotKind::Exact => "exact",
        ballot::BallotKind::Guarded => "guarded",
        ballot::BallotKind::Other => "other",
    }
}
