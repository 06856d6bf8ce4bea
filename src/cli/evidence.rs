//! `--evidence`: artefacts on the command line.

use std::path::PathBuf;

use time::OffsetDateTime;

use super::commands::measure::LaunchArgs;
use super::error::CliError;
use ccf_gov::ccf_version::CcfVersion;
use ccf_gov::check::Verdict;
use ccf_gov::evidence::node::Trust;
use ccf_gov::evidence::recognise::{self, Evidence, EvidenceKind};

/// Reads the evidence at `paths`, judged by the pinned roots at this moment.
pub fn read(paths: &[PathBuf], ccf: Option<CcfVersion>) -> Result<Vec<Evidence>, CliError> {
    read_trusting(paths, ccf, &Trust::pinned(OffsetDateTime::now_utc()))
}

/// Reads the evidence at `paths`, judged by `trust`.
pub fn read_trusting(paths: &[PathBuf], ccf: Option<CcfVersion>, trust: &Trust) -> Result<Vec<Evidence>, CliError> {
    Ok(recognise::read(paths, ccf, trust)?)
}

/// The guest's launch that options describe, as evidence; none if they describe none.
pub fn launch(args: &LaunchArgs) -> Result<Option<Evidence>, CliError> {
    let Some(measured) = args.measure()? else { return Ok(None) };
    let kind = match measured.checks.iter().find(|c| c.verdict == Verdict::Fail) {
        Some(check) => EvidenceKind::Unusable(format!("{}: {}", check.name, check.detail)),
        None => EvidenceKind::Launch(measured.measurement),
    };
    Ok(Some(Evidence { name: "the launch".to_owned(), kind, digest: None }))
}
