//! `proposal`: one file per command.

pub mod lint;
pub mod list;
mod merge;
mod new;
mod review;
pub mod show;
mod source;
mod submit;
pub mod templates;
pub mod votes;
pub mod wait;
pub mod watch;
mod withdraw;

use clap::{Args, Subcommand};

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;

pub use self::source::ProposalSource;

/// Write proposals, check them, and submit them
#[derive(Args)]
pub struct Proposal {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[command(defer = true)]
enum Command {
    /// List what can be proposed, with parameters
    Templates(templates::Templates),
    /// Write a proposal from a template
    New(new::New),
    /// Make one proposal of several
    Merge(merge::Merge),
    /// Check a proposal for common mistakes
    Lint(lint::Lint),
    /// Put everything about a proposal on one page, for a member who is about to vote
    Review(Box<review::Review>),
    /// Sign and send a proposal; prints the proposal that the service created
    Submit(submit::Submit),
    /// List the proposals that the service holds
    List(list::List),
    /// Show a proposal: its state, what it would do, who voted
    Show(show::Show),
    /// Wait until a proposal is resolved
    Wait(wait::Wait),
    /// Watch what waits for your vote, now and as it comes
    Watch(watch::Watch),
    /// Withdraw your own proposal
    Withdraw(withdraw::Withdraw),
}

/// The error for a proposal that the service does not hold.
pub fn not_held(id: ccf_gov::id::ProposalId) -> CliError {
    CliError::refused(format!("the service holds no proposal {id}"))
        .hint("it never was, or it was resolved and then removed when another proposal was resolved; `ccf-gov proposal list` shows what there is")
}

impl Proposal {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.command {
            Command::Templates(args) => args.run(context),
            Command::New(args) => args.run(context).await,
            Command::Merge(args) => args.run(context).await,
            Command::Lint(args) => args.run(context).await,
            Command::Review(args) => args.run(context).await,
            Command::Submit(args) => args.run(context).await,
            Command::List(args) => args.run(context).await,
            Command::Show(args) => args.run(context).await,
            Command::Wait(args) => args.run(context).await,
            Command::Watch(args) => args.run(context).await,
            Command::Withdraw(args) => args.run(context).await,
        }
    }
}
