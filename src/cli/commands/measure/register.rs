//! `--proposal`: the one proposal that registers what was measured, or with `--remove` deregisters it.

use std::path::PathBuf;

use clap::Args;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use ccf_gov::files::Readers;
use ccf_gov::proposal::MeasuredValues;

#[derive(Args)]
pub struct Register {
    /// Also write the one proposal that registers these values
    #[arg(long, value_name = "FILE")]
    proposal: Option<PathBuf>,
    /// Let that proposal deregister them instead (but never the virtual measurement, which all virtual nodes share)
    #[arg(long, requires = "proposal")]
    pub remove: bool,
    /// Replace FILE if it exists
    #[arg(long, requires = "proposal")]
    force: bool,
}

impl Register {
    /// Writes the proposal, if one was asked for. `refusal` is why the values must not be registered, if so.
    pub fn write(&self, context: &Context, values: &MeasuredValues, refusal: Option<&str>) -> Result<(), CliError> {
        let Some(path) = &self.proposal else { return Ok(()) };
        if let (false, Some(why)) = (self.remove, refusal) {
            return Err(CliError::no(format!("{} was not written: {why}", path.display()))
                .hint("register values only of artefacts that are what they should be"));
        }
        let proposal = if self.remove { values.deregistered() } else { values.registered() };
        let proposal = proposal.ok_or_else(|| CliError::usage("there is nothing to register in what was measured"))?;
        context.output.file(path, proposal.bytes(), Readers::Shared, self.force)?;
        Ok(())
    }

    /// Whether the proposal goes to standard output, where nothing else may then be printed.
    pub fn to_stdout(&self) -> bool {
        self.proposal.as_ref().is_some_and(|path| path.as_os_str() == "-")
    }
}
