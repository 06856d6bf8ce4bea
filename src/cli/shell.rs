//! `completions` and `man`: help for the shell and for `man`.

use std::path::PathBuf;

use clap::{Args, CommandFactory};

use super::common::Context;
use super::error::CliError;
use super::exit::Exit;
use ccf_gov::files::{self, Access, NewFile};

/// Write shell completions to standard output.
#[derive(Args)]
#[command(after_help = "Example:\n  ccf-gov completions bash > ~/.local/share/bash-completion/completions/ccf-gov")]
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
#[command(after_help = "Example:\n  ccf-gov man ~/.local/share/man/man1")]
pub struct Man {
    /// The folder; it must exist
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Man {
    pub fn run(self, _context: &Context) -> Result<Exit, CliError> {
        let failed = |e| CliError::failed("cannot make the manual pages", e);
        let made = tempfile::tempdir().map_err(failed)?;
        clap_mangen::generate_to(super::Cli::command(), made.path()).map_err(failed)?;
        let mut pages = Vec::new();
        for page in std::fs::read_dir(made.path()).map_err(failed)? {
            let page = page.map_err(failed)?;
            pages.push((self.folder.join(page.file_name()), files::read(&page.path(), files::MAX_FILE)?));
        }
        pages.sort();
        // All or none: a full disk leaves no half of a page.
        let pages: Vec<_> = pages.iter().map(|(path, text)| NewFile::new(path, text, Access::Shared)).collect();
        files::write_set(&pages, true)?;
        Ok(Exit::Done)
    }
}
