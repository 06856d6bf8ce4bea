//! `verify`: attestations, proposals, nodes and whole services, checked here.

pub mod attestation;
pub mod node;
pub mod proposal;
pub mod service;

use clap::{Args, Subcommand};

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;

/// Check attestations, proposals, nodes and the whole service against artefacts
#[derive(Args)]
pub struct Verify {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[command(defer = true)]
enum Command {
    /// Verify a node's attestation from its files
    Attestation(attestation::Attestation),
    /// Check that a proposal registers exactly these artefacts
    Proposal(proposal::Proposal),
    /// Verify a node of the service before it is trusted
    Node(node::Node),
    /// Compare every registered value and every node with the artefacts
    Service(service::Service),
}

impl Verify {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.command {
            Command::Attestation(args) => args.run(context),
            Command::Proposal(args) => args.run(context).await,
            Command::Node(args) => args.run(context).await,
            Command::Service(args) => args.run(context).await,
        }
    }
}
