//! The exact ballot: yes on one proposal.

use super::literal::{check_numbers, literal};
use super::{Ballot, BallotError};
use crate::json;
use crate::proposal::Proposal;

pub(super) const EXACT: &str = include_str!("../../../templates/ballots/exact.js");
/// Where the proposal stands in it.
pub(super) const PLACE: &str = "PROPOSAL";

/// Votes yes on this proposal, whole and exactly, and no on any other; the order of keys does not matter.
///
/// The proposal stands in the script as a string of ASCII that is parsed there, so no content of it can become code.
///
/// # Errors
/// A number that JavaScript cannot hold exactly.
pub fn exact(proposal: &Proposal) -> Result<Ballot, BallotError> {
    check_numbers(proposal.value())?;
    Ok(Ballot { script: EXACT.replacen(PLACE, &literal(&proposal.value().to_string()), 1) })
}

/// The proposal in an exact ballot. One with a number that JavaScript rounds is none: it accepts others, too.
pub(super) fn read(script: &str) -> Option<Proposal> {
    let (before, after) = EXACT.split_once(PLACE)?;
    proposal_of(script.strip_prefix(before)?.strip_suffix(after)?)
}

/// The proposal that a string literal holds.
pub(super) fn proposal_of(literal: &str) -> Option<Proposal> {
    let text = json::parse(literal.as_bytes()).ok()?;
    let proposal = Proposal::parse(text.as_str()?.as_bytes()).ok()?;
    check_numbers(proposal.value()).is_ok().then_some(proposal)
}
