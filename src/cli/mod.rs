//! The command line: [`commands`] read flags, call the library, and print through [`output`]; what they share stands beside them.

mod beside;
mod checks;
mod commands;
mod common;
mod completion;
mod config;
mod connect;
mod consent;
mod constitution_files;
mod envelopes;
mod error;
mod evidence;
mod exit;
mod guard;
mod images;
mod interrupt;
mod meant;
mod members;
mod message_args;
mod object;
mod open_key;
mod output;
mod pasted;
mod private_keys;
mod reports;
#[cfg(test)]
mod shapes;
mod sign_and_submit;
mod state_source;
mod table;
mod tested;
mod topology;
mod trials;
mod trust;
mod usage;

use clap::Parser;

use commands::Command;
use common::{Common, Context};
use error::CliError;

/// Govern and upgrade a service on the Confidential Consortium Framework (CCF).
#[derive(Parser)]
#[command(name = "ccf-gov", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
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
