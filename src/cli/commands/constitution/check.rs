//! `constitution check`: could a service go on with these rules?

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::checks;
use crate::cli::common::Context;
use crate::cli::constitution_files::{joined, place_in};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::ccf_version::CcfVersion;
use ccf_gov::check::{Checks, Conclusion};
use ccf_gov::review::review_constitution;
use ccf_gov::text::visible;

/// Check that a service could go on with these rules: that they parse, export what nodes call, take the proposals of every template,
/// and can be changed again.
///
/// Needs no service. Exit code 0 if all checks pass, else 3.
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov constitution check actions.js validate.js resolve.js apply.js
  ccf-gov constitution check constitution.js --ccf-version 6.0.17 --output json")]
pub struct Check {
    /// The constitution's files, joined in this order
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The version of CCF that the service runs: its functions, and no others, are there
    #[arg(long, value_name = "VERSION")]
    ccf_version: Option<CcfVersion>,
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Checked {
    verdict: Conclusion,
    checks: Checks,
    /// The templates whose example is refused.
    refused: Vec<Refused>,
    /// How many templates are taken.
    taken: usize,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Refused {
    template: String,
    reason: String,
}

impl Check {
    pub fn run(self, context: &Context) -> Result<Exit, CliError> {
        let source = joined(&self.files)?;
        let place = place_in(&self.files)?;
        let review = review_constitution(&source, &place, self.ccf_version, None, &context.catalogue);
        let refused = review
            .refused
            .iter()
            .map(|(template, reason)| Refused { template: template.clone(), reason: reason.clone() });
        let shown = Checked {
            verdict: review.checks.verdict(),
            refused: refused.collect(),
            taken: review.taken,
            checks: review.checks,
        };
        context.output.result(&shown, || {
            let each = shown.refused.iter().map(|one| format!("Refused: {}: {}\n", one.template, visible(&one.reason)));
            each.collect::<String>() + &checks::lines(&shown.checks)
        })?;
        Ok(checks::exit(&shown.checks))
    }
}
