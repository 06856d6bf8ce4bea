//! The commands: a file each, or a folder where a command has commands of its own.

pub mod ballot;
mod completions;
pub mod constitution;
mod finish;
pub mod inspect;
pub mod keys;
mod man;
pub mod measure;
pub mod member;
pub mod node;
pub mod policy;
mod prepare;
pub mod proposal;
pub mod sandbox;
pub mod service;
mod sign;
pub mod simulate;
pub mod state;
pub mod submit;
pub mod upgrade;
pub mod verify;

use clap::Subcommand;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;

#[derive(Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Compute the values to register from artefacts
    Measure(measure::Measure),
    /// Show what a security policy admits
    Policy(policy::Policy),
    /// Check attestations, proposals, nodes and the whole service against artefacts
    Verify(verify::Verify),
    /// Make a member's keys, and show what a key or certificate is
    Keys(keys::Keys),
    /// Write proposals, check them, and submit them
    Proposal(proposal::Proposal),
    /// Write ballots and submit them
    Ballot(ballot::Ballot),
    /// Sign a governance request
    Sign(sign::Sign),
    /// Write a signing request for a key that is elsewhere
    Prepare(prepare::Prepare),
    /// Combine a request with a signature that was made elsewhere
    Finish(finish::Finish),
    /// Show what an envelope contains, who signed it, and whether it is valid
    Inspect(inspect::Inspect),
    /// Send signed envelopes to the service; safe to repeat
    Submit(submit::Submit),
    /// List the members, or activate yourself
    Member(member::Member),
    /// List, show, await and delete the service's nodes
    Node(node::Node),
    /// Show the service: its state, its rules, its application
    Service(service::Service),
    /// Show what proposals would do, under the rules in force
    Simulate(simulate::Simulate),
    /// Check a constitution before it is proposed
    Constitution(constitution::Constitution),
    /// Keep a service's governance state in a file
    State(state::State),
    /// Run a CCF service in this process, for tests and rehearsals
    Sandbox(sandbox::SandboxCommand),
    /// Rehearse a code upgrade
    Upgrade(upgrade::Upgrade),
    /// Write a shell completion script for commands, options and ids
    Completions(completions::Completions),
    /// Write manual pages into a folder
    Man(man::Man),
}

impl Command {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        if context.output.is_mermaid() && !matches!(&self, Self::Upgrade(upgrade) if upgrade.draws()) {
            return Err(CliError::usage("only `upgrade plan` prints a Mermaid flowchart")
                .hint("give --output human or --output json"));
        }
        match self {
            Self::Measure(args) => args.run(context).await,
            Self::Policy(args) => args.run(context),
            Self::Verify(args) => args.run(context).await,
            Self::Keys(args) => args.run(context).await,
            Self::Proposal(args) => args.run(context).await,
            Self::Ballot(args) => args.run(context).await,
            Self::Sign(args) => args.run(context).await,
            Self::Prepare(args) => args.run(context).await,
            Self::Finish(args) => args.run(context).await,
            Self::Inspect(args) => args.run(context).await,
            Self::Submit(args) => args.run(context).await,
            Self::Member(args) => args.run(context).await,
            Self::Node(args) => args.run(context).await,
            Self::Service(args) => args.run(context).await,
            Self::Simulate(args) => args.run(context).await,
            Self::State(args) => args.run(context).await,
            Self::Constitution(args) => args.run(context),
            Self::Sandbox(args) => args.run(context).await,
            Self::Upgrade(args) => args.run(context).await,
            Self::Completions(args) => args.run(context),
            Self::Man(args) => args.run(context),
        }
    }
}
