//! `verify proposal`: does it register exactly what these artefacts are?

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::cli::checks;
use crate::cli::commands::measure::LaunchArgs;
use crate::cli::commands::proposal::ProposalSource;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::evidence;
use crate::cli::exit::Exit;
use ccf_gov::ccf_version::CcfVersion;
use ccf_gov::check::{Checks, Conclusion};
use ccf_gov::files;
use ccf_gov::review::rules::{self, Registered, Terms};
use ccf_gov::service::JoinPolicy;

/// The largest proposal that is read.
const MAX_PROPOSAL: u64 = 32 << 20;

/// Check that a proposal registers exactly these artefacts
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov verify proposal proposal.json --evidence js_generic --evidence template.json reference-info-base64
  ccf-gov verify proposal proposal.json --ovmf OVMF.fd --vcpus 4 --vcpu-type EPYC-Milan

Evidence is recognised by its contents: executables, enclaves, security policies and deployments that carry them, \
UVM endorsements, IGVM files, reports with their endorsements, and folders of these. Exit code 3 unless every value that the \
proposal would register or remove is backed, none is dangerous, and it does nothing else. Name what else it may do with \
--also: that is reported as named by you, not as backed.")]
pub struct Proposal {
    /// The proposal: a file (- for standard input), what `proposal show --output json` printed, or an id
    #[arg(value_name = "FILE|ID")]
    file: ProposalSource,
    /// The artefacts; repeat, or give several
    #[arg(long, required_unless_present_any = ["ovmf", "igvm"], num_args = 1.., value_name = "FILE")]
    evidence: Vec<PathBuf>,
    #[command(flatten, next_help_heading = "A guest's launch, as an artefact")]
    launch: LaunchArgs,
    /// An action that the proposal may hold although no evidence can back it, such as remove_node; repeat
    #[arg(long, value_name = "ACTION", value_delimiter = ',', value_parser = also)]
    also: Vec<String>,
    /// What is registered now, as `service join-policy --output json` prints it, to report what the proposal lowers
    #[arg(long, value_name = "FILE")]
    join_policy: Option<PathBuf>,
    /// The version of CCF that the service runs
    #[arg(long, value_name = "VERSION")]
    ccf_version: Option<CcfVersion>,
}

impl Proposal {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let proposal = self.file.read(context).await?;
        let mut evidence = evidence::read(&self.evidence, self.ccf_version)?;
        evidence.extend(evidence::launch(&self.launch)?);
        let registered = self.join_policy.as_deref().map(join_policy).transpose()?;
        let terms = Terms {
            ccf: self.ccf_version,
            also: self.also.into_iter().collect(),
            catalogue: context.catalogue.clone(),
        };
        let outcome = Verified::from(rules::verify(&proposal, &evidence, &terms, registered.as_ref()));
        context.output.result(&outcome, || checks::lines(&outcome.checks))?;
        Ok(checks::exit(&outcome.checks))
    }
}

/// What verifying a proposal comes to, as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verified {
    pub verdict: Conclusion,
    pub checks: Checks,
    /// Every value that the proposal registers or removes.
    values: Vec<Registered>,
}

impl From<rules::Verified> for Verified {
    fn from(rules::Verified { checks, values }: rules::Verified) -> Self {
        Self { verdict: checks.verdict(), checks, values }
    }
}

/// What registers a value can be backed, so naming it is no substitute.
pub fn also(name: &str) -> Result<String, String> {
    if rules::registers(name) {
        return Err(format!("{name} registers or removes a value: give the evidence that backs it with --evidence"));
    }
    Ok(name.to_owned())
}

fn join_policy(path: &Path) -> Result<JoinPolicy, CliError> {
    JoinPolicy::parse(&files::read(path, MAX_PROPOSAL)?).map_err(|error| {
        CliError::usage(format!("{} is not a join policy: {error}", path.display()))
            .hint("`ccf-gov service join-policy --output json` writes it")
    })
}
