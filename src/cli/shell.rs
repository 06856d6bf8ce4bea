//! `completions` and `man`: help for the shell and for `man`.

use std::path::PathBuf;

use clap::{Args, CommandFactory};

use super::common::Context;
use super::error::CliError;
use super::exit::Exit;

/// Write shell completions to standard output.
#[derive(Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

impl Completions {
    pub fn run(self, context: &Context) -> Result<Exit, CliError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Cli::command(), "ccf-gov", &mut script);
        context.output.bytes(&script)?;
        Ok(Exit::Done)
    }
}

/// Write manual pages into a folder.
#[derive(Args)]
pub struct Man {
    /// The folder; it must exist
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Man {
    pub fn run(self, _context: &Context) -> Result<Exit, CliError> {
        clap_mangen::generate_to(super::Cli::command(), &self.folder)
            .map_err(|e| CliError::failed(format!("cannot write manual pages into {}", self.folder.display()), e))?;
        Ok(Exit::Done)
    }
}
