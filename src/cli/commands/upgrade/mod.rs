//! `upgrade`: one file per command.

pub mod plan;
mod planned;
pub mod rehearse;
pub mod report;
mod start_nodes;
pub mod status;
pub mod step;
mod waiting;
mod watch;

use clap::{Args, Subcommand};

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;

/// Upgrade a service's code: plan it, walk it step by step, rehearse it
#[derive(Args)]
pub struct Upgrade {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[command(defer = true)]
enum Command {
    /// Show what the upgrade will be, before anybody takes a step
    Plan(plan::PlanCommand),
    /// Do what is yours to do now, or say whom it waits for
    Step(step::Step),
    /// Walk back, while old nodes live
    Rollback(step::Rollback),
    /// Show where the service stands
    Status(status::Status),
    /// Write the report: one page of HTML
    Report(report::Report),
    /// Rehearse a whole code upgrade on the embedded sandbox
    Rehearse(rehearse::Rehearse),
}

impl Upgrade {
    /// Whether the command can print a flowchart.
    pub fn draws(&self) -> bool {
        matches!(self.command, Command::Plan(_))
    }

    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.command {
            Command::Plan(args) => args.run(context).await,
            Command::Step(args) => args.run(context).await,
            Command::Rollback(args) => args.run(context).await,
            Command::Status(args) => args.run(context).await,
            Command::Report(args) => args.run(context).await,
            Command::Rehearse(args) => args.run(context).await,
        }
    }
}
