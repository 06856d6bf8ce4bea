//! The guarded ballot: yes on one proposal, while the service is what it was seen to be.

use serde_json::{Value, json};

use super::exact::{PLACE, proposal_of};
use super::literal::{check_numbers, literal};
use super::{Ballot, BallotError, Guard};
use crate::json;
use crate::proposal::Proposal;

const GUARDED: &str = include_str!("../../../templates/ballots/guarded.js");
/// Where the guards stand in it, after the proposal.
const GUARDS: &str = "GUARDS";

/// Votes yes on this proposal, whole and exactly, while every guard holds, and no otherwise. What the script cannot read is a no.
///
/// The script reads the tables with the functions of CCF 6 and 7 alone. Proposal and guards stand in it as strings of ASCII that are
/// parsed there, so no content of them can become code.
///
/// # Errors
/// No guard, and numbers that JavaScript cannot hold exactly.
pub fn guarded(proposal: &Proposal, guards: &[Guard]) -> Result<Ballot, BallotError> {
    if guards.is_empty() {
        return Err(BallotError::NoGuard);
    }
    let guards = json!(guards);
    check_numbers(proposal.value())?;
    check_numbers(&guards)?;
    // The guards first: their place follows the proposal's, and a proposal may hold any word.
    let script = GUARDED.replacen(GUARDS, &literal(&guards.to_string()), 1);
    Ok(Ballot { script: script.replacen(PLACE, &literal(&proposal.value().to_string()), 1) })
}

/// The proposal and the guards in a guarded ballot of ours.
pub(super) fn read(script: &str) -> Option<(Proposal, Vec<Guard>)> {
    let (before, rest) = GUARDED.split_once(PLACE)?;
    let (between, after) = rest.split_once(GUARDS)?;
    let literals = script.strip_prefix(before)?.strip_suffix(after)?;
    // A literal has no line break, and what stands between the two has one.
    let (proposal, guards) = literals.split_once(between)?;
    let text = json::parse(guards.as_bytes()).ok()?;
    let written = json::parse(text.as_str()?.as_bytes()).ok()?;
    let guards: Vec<Guard> = serde_json::from_value(written.clone()).ok()?;
    let exact = !guards.is_empty() && check_numbers(&written).is_ok() && is_canonical(&guards, &written);
    exact.then_some((proposal_of(proposal)?, guards))
}

/// Whether the guards are written as we write them: then they mean to the script what they say here.
fn is_canonical(guards: &[Guard], written: &Value) -> bool {
    serde_json::to_value(guards).is_ok_and(|ours| json::same(&ours, written))
}
