//! `completions`: help for the shell.

use clap::Args;

use crate::cli::common::Context;
use crate::cli::completion;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;

/// Write the script by which a shell completes commands, options, template names, and the ids of proposals and nodes
///
/// The script runs `ccf-gov`, which must be in PATH, each time. For ids it asks the service that ccf-gov.toml or the
/// environment specifies, for at most 1.5 s.
#[derive(Args)]
#[command(after_help = "Examples:
  echo 'source <(ccf-gov completions bash)' >> ~/.bashrc
  echo 'source <(ccf-gov completions zsh)' >> ~/.zshrc
  echo 'ccf-gov completions fish | source' >> ~/.config/fish/config.fish")]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

impl Completions {
    pub fn run(self, context: &Context) -> Result<Exit, CliError> {
        let script = completion::script(&self.shell.to_string())
            .map_err(|e| CliError::failed("cannot write the shell's script", e))?;
        context.output.bytes(&script)?;
        Ok(Exit::Done)
    }
}
