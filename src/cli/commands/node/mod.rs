//! `node`: the nodes of the service.

pub mod can_stop;
pub mod delete;
pub mod list;
pub mod show;
pub mod trust;
pub mod wait;

use clap::{Args, Subcommand};

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::id::NodeId;

/// List, show, trust, await and delete the service's nodes
#[derive(Args)]
pub struct Node {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[command(defer = true)]
enum Command {
    /// List the nodes: the state of each, what it runs, and which one is the primary
    List(list::List),
    /// Show one node, with its attestation
    Show(show::Show),
    /// Wait until a node is caught up, retired, or can be stopped
    Wait(wait::Wait),
    /// Verify nodes that wait, and propose to trust those that pass
    Trust(trust::Trust),
    /// Say whether a node's process can be stopped
    CanStop(can_stop::CanStop),
    /// Delete a node whose retirement is committed
    Delete(delete::Delete),
}

impl Node {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.command {
            Command::List(args) => args.run(context).await,
            Command::Show(args) => args.run(context).await,
            Command::Wait(args) => args.run(context).await,
            Command::Trust(args) => args.run(context).await,
            Command::CanStop(args) => args.run(context).await,
            Command::Delete(args) => args.run(context).await,
        }
    }
}

/// The error for a node that the service does not have.
pub fn not_there(id: NodeId) -> CliError {
    CliError::refused(format!("the service has no node {id}"))
        .hint("`ccf-gov node list` shows those that it has; one that was deleted is gone")
}
