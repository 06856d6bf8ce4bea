//! The commands: one file each, which reads flags, calls the library, and prints through [`output`].

mod ballot;
mod beside;
mod carry;
mod checks;
mod common;
mod completion;
mod config;
mod connect;
mod consent;
mod envelopes;
mod error;
mod evidence;
mod exit;
mod finish;
mod images;
mod inspect;
mod interrupt;
mod key;
mod keys;
mod keys_list;
mod keys_show;
mod man;
mod meant;
mod measure;
mod member;
mod message_args;
mod node;
mod object;
mod output;
mod policy;
mod prepare;
mod private_keys;
mod proposal;
mod sandbox;
mod service;
#[cfg(test)]
mod shapes;
mod shell;
mod sign;
mod submit;
mod table;
mod upgrade;
mod usage;
mod verify;

use clap::{Parser, Subcommand};

use common::{Common, Context};
use error::CliError;
use exit::Exit;

/// Govern and upgrade a service on the Confidential Consortium Framework (CCF).
#[derive(Parser)]
#[command(name = "ccf-gov", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[command(defer = true)]
enum Command {
    /// Compute the values to register from artefacts
    Measure(measure::Measure),
    /// Show what a security policy admits
    Policy(policy::Policy),
    /// Check attestations, proposals, nodes and the whole service against artefacts
    Verify(verify::Verify),
    /// Make a member's keys, and show what a key or certificate is
    Keys(keys::Keys),
    /// Write proposals, check them, and carry them to the service
    Proposal(proposal::Proposal),
    /// Write ballots, and carry them to the service
    Ballot(ballot::Ballot),
    /// Sign a governance request
    Sign(sign::Sign),
    /// Write a signing request for a key that is elsewhere
    Prepare(prepare::Prepare),
    /// Put a signature that was made elsewhere to its request
    Finish(finish::Finish),
    /// Show what an envelope says, who signed it, and whether it is valid
    Inspect(inspect::Inspect),
    /// Send signed envelopes, each to the call that its own headers name; safe to repeat
    Submit(submit::Submit),
    /// List the members; become an active one
    Member(member::Member),
    /// List and show the service's nodes; delete those that are retired
    Node(node::Node),
    /// Show the service: its state, its rules, its application
    Service(service::Service),
    /// Run a CCF service in this process, for tests and rehearsals
    Sandbox(sandbox::SandboxCommand),
    /// Walk a code upgrade
    Upgrade(upgrade::Upgrade),
    /// Write the script by which a shell completes commands, options and ids
    Completions(shell::Completions),
    /// Write manual pages into a folder
    Man(man::Man),
}

impl Command {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
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
            Self::Sandbox(args) => args.run(context).await,
            Self::Upgrade(args) => args.run(context).await,
            Self::Completions(args) => args.run(context),
            Self::Man(args) => args.run(context),
        }
    }
}

/// Reads the command line, runs the command, reports an error in the one place that does. A shell that asks for completions is
/// answered first.
pub fn main() -> std::process::ExitCode {
    completion::answer();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error).into(),
    };
    let mut json = cli.common.wants_json();
    // Help for the shell is to be had in any folder, whatever its configuration file is like.
    let context = match cli.command {
        Command::Completions(_) | Command::Man(_) => Ok(Context::without_file(cli.common)),
        _ => Context::new(cli.common),
    };
    let result = context.and_then(|context| {
        json = context.output.is_json();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| CliError::failed("the asynchronous runtime cannot start", e))?;
        let exit = runtime.block_on(cli.command.run(&context))?;
        context.output.finish();
        Ok(exit)
    });
    match result {
        Ok(exit) => exit.into(),
        Err(error) => output::error(&error, json).into(),
    }
}
