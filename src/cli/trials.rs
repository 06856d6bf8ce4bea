//! What is tried on a service's state: a proposal, and in whose name.

use std::path::Path;

use super::commands::proposal::ProposalSource;
use super::error::CliError;
use ccf_gov::files;
use ccf_gov::id::{MemberId, ProposalId};
use ccf_gov::json;
use ccf_gov::proposal::{MAX_PROPOSAL, shown};
use ccf_gov::review::simulate::{Simulator, Trial};
use ccf_gov::service::Reference;

/// The proposal of `source`: one that is open in this state, or one in a file, which `proposer` would make.
pub fn trial(
    source: &ProposalSource,
    simulator: &Simulator,
    proposer: impl FnOnce() -> Result<MemberId, CliError>,
) -> Result<Trial, CliError> {
    match source {
        ProposalSource::File(path) => Ok(Trial::new(&text(path)?, proposer()?)),
        ProposalSource::Id(reference) => open(simulator, reference),
    }
}

fn open(simulator: &Simulator, reference: &Reference<ProposalId>) -> Result<Trial, CliError> {
    let open = simulator.open_proposals();
    let meant: Vec<_> = open.iter().filter(|id| id.to_string().starts_with(reference.text())).collect();
    match meant[..] {
        [id] => simulator.open_proposal(*id).map_err(CliError::usage),
        [] => Err(CliError::refused(format!("there is no open proposal {reference}"))
            .hint("`ccf-gov proposal list` shows the open ones; give a file for one that is not submitted")),
        _ => Err(CliError::usage(format!("several open proposals begin with {reference}")).hint("give more digits")),
    }
}

/// A proposal's text as it would be signed; it need not be a proposal.
pub fn text(path: &Path) -> Result<String, CliError> {
    let bytes = files::read(path, MAX_PROPOSAL)?;
    let is_shown = json::parse(&bytes).is_ok_and(|value| shown::is_shown(&value));
    let inner = if is_shown { shown::read(&bytes).ok() } else { None };
    let bytes = inner.map_or(bytes, |proposal| proposal.bytes().to_vec());
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
