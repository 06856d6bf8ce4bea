//! `ballot submit --verified`: a proposal is verified as `verify proposal` does it, and only what passes is voted on.

use std::path::PathBuf;

use clap::Args;

use crate::cli::commands::verify::proposal::{Verified, also};
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::{checks, evidence};
use ccf_gov::ccf_version::CcfVersion;
use ccf_gov::proposal::Proposal;
use ccf_gov::review::node::running_version;
use ccf_gov::review::rules::{self, Terms};
use ccf_gov::review::{Subject, votable};
use ccf_gov::service::Service;

/// The other ways to vote, to which no evidence belongs.
const OTHERS: [&str; 5] = ["accept", "reject", "ballot", "exact", "guarded"];

/// What `--verified` goes by.
#[derive(Args)]
pub struct Basis {
    /// With --verified: the artefacts; repeat, or give several
    #[arg(long, num_args = 1.., value_name = "FILE", requires = "verified", conflicts_with_all = OTHERS)]
    evidence: Vec<PathBuf>,
    /// With --verified: an action that the proposal may hold although no evidence can back it, such as remove_node; repeat
    #[arg(long, value_name = "ACTION", value_delimiter = ',', value_parser = also, requires = "verified", conflicts_with_all = OTHERS)]
    also: Vec<String>,
    /// With --verified: the version of CCF whose rules count; by default the one that the service runs
    #[arg(long, value_name = "VERSION", requires = "verified", conflicts_with_all = OTHERS)]
    ccf_version: Option<CcfVersion>,
}

impl Basis {
    /// The proposal, if the evidence backs it; what is registered now is taken from the service.
    pub async fn backed(&self, context: &Context, service: &Service, subject: &Subject) -> Result<Proposal, CliError> {
        let (id, content) = (subject.proposal.proposal_id, &subject.content.raw);
        votable(id, None, content).map_err(|why| CliError::from(why).unsigned())?;
        let proposal = Proposal::of_value(content.clone())
            .map_err(|e| CliError::no(format!("nothing was signed: proposal {id} cannot be read")).because(e))?;
        let ccf = running_version(self.ccf_version, service).await?;
        let evidence = evidence::read(&self.evidence, ccf)?;
        let policy = service.join_policy().await?;
        let terms = Terms { ccf, also: self.also.iter().cloned().collect(), catalogue: context.catalogue.clone() };
        let verified = rules::verify(&proposal, &evidence, &terms, Some(&policy));
        let passes = verified.passes();
        let outcome = Verified::from(verified);
        if passes {
            context.output.note(format!("Proposal {id}, against the evidence:\n{}", checks::lines(&outcome.checks)));
            return Ok(proposal);
        }
        context.output.note(format!("Proposal {id}:\n{}", context.subject_actions(subject)));
        context.output.result(&outcome, || checks::lines(&outcome.checks))?;
        let what = format!("nothing was signed: the evidence does not back proposal {id} ({})", outcome.verdict);
        Err(CliError::no(what).hint("the checks say why"))
    }
}
