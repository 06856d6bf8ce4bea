//! `verify proposal`: does it register exactly what these artefacts are?

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::evidence;
use crate::cli::checks;
use crate::cli::common::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::exit::Exit;
use ccf_gov::evidence::backing;
use ccf_gov::evidence::snp::version::CcfVersion;
use ccf_gov::files;

/// The largest proposal that is read.
const MAX_PROPOSAL: u64 = 32 << 20;

/// Does a proposal register exactly what these artefacts are?
#[derive(Args)]
#[command(after_help = "Example:
  ccf-gov verify proposal proposal.json --evidence js_generic --evidence template.json reference-info-base64

Evidence is recognised by its contents: executables, enclaves, security policies and deployments that carry them,
UVM endorsements, IGVM files, reports with their endorsements, and folders of these. Exit code 3 unless every value that the
proposal would register or remove is backed, and none is dangerous.")]
pub struct Proposal {
    /// The proposal; - for standard input
    file: PathBuf,
    /// The artefacts; repeat, or give several
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    evidence: Vec<PathBuf>,
    /// The version of CCF that the service runs
    #[arg(long, value_name = "VERSION")]
    ccf_version: Option<CcfVersion>,
}

impl Proposal {
    pub fn run(self, context: &Context) -> Result<Exit, CliError> {
        let bytes = files::read(&self.file, MAX_PROPOSAL)?;
        let proposal = ccf_gov::proposal::Proposal::parse(&bytes).map_err(|e| {
            CliError::new(Kind::Usage, format!("cannot read the proposal {}", ccf_gov::files::shown(&self.file)), e)
        })?;
        let evidence = evidence::read(&self.evidence, self.ccf_version)?;
        let (found, values) = backing::verify(&proposal, &evidence, self.ccf_version);
        let result = json!({"verdict": found.verdict(), "checks": found, "values": values});
        context.output.result(&result, || checks::lines(&found))?;
        Ok(checks::exit(&found))
    }
}
