//! Ballots: JavaScript that decides how a member votes.
//!
//! A ballot is a module that exports `vote(proposal, proposerId)`. A node calls it with the proposal's text as it was
//! signed and the proposer's id, at every later ballot again; only `true` is a yes. The scripts are those of
//! `templates/ballots/`.

use crate::text::clip;
use std::fmt;

use serde_json::{Value, json};

use super::{Proposal, ProposalError};
use crate::json::{self, JsonError};

const ACCEPT: &str = include_str!("../../templates/ballots/accept.js");
const REJECT: &str = include_str!("../../templates/ballots/reject.js");
const EXACT: &str = include_str!("../../templates/ballots/exact.js");
/// Where the proposal stands in the exact ballot.
const PLACE: &str = "PROPOSAL";

/// The largest ballot that is read, in bytes: an exact one holds a whole proposal.
pub const MAX_BALLOT: u64 = 2 * super::MAX_PROPOSAL;

/// A vote on a proposal, as a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ballot {
    script: String,
}

/// What a ballot does, as far as its text tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum BallotKind {
    /// It votes yes, whatever the proposal is.
    Accept,
    /// It votes no, whatever the proposal is.
    Reject,
    /// It votes yes on one proposal, and no on any other.
    Exact,
    /// Something else: read it.
    Other,
}

impl fmt::Display for BallotKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Exact => "exact",
            Self::Other => "other",
        })
    }
}

/// Why there is no ballot.
#[derive(Debug, thiserror::Error)]
pub enum BallotError {
    /// Not JSON.
    #[error("a ballot is JSON")]
    Json(#[from] JsonError),
    /// JSON of another shape.
    #[error("a ballot is {{\"ballot\": \"<a JavaScript module that exports vote>\"}}")]
    Shape,
    /// A number that JavaScript rounds, so that two different proposals would be the same to it.
    #[error("an exact ballot cannot distinguish the number {written} from its neighbours: JavaScript reads {read}")]
    Number {
        /// The number.
        written: String,
        /// What JavaScript makes of it.
        read: String,
    },
}

impl Ballot {
    /// Reads a ballot's payload, `{"ballot": "<script>"}`.
    pub fn parse(payload: &[u8]) -> Result<Self, BallotError> {
        let value = json::parse(payload)?;
        let script = value.get("ballot").and_then(Value::as_str).ok_or(BallotError::Shape)?;
        Ok(Self { script: script.into() })
    }

    /// The script.
    pub fn script(&self) -> &str {
        &self.script
    }

    /// What is signed: `{"ballot": "<script>"}`, indented, with a final newline.
    pub fn payload(&self) -> Vec<u8> {
        format!("{:#}\n", json!({ "ballot": self.script })).into_bytes()
    }

    /// What it does.
    pub fn kind(&self) -> BallotKind {
        kind(&self.script)
    }
}

/// Votes yes.
pub fn accept() -> Ballot {
    Ballot { script: ACCEPT.into() }
}

/// Votes no.
pub fn reject() -> Ballot {
    Ballot { script: REJECT.into() }
}

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

/// What a ballot with this script does. Ours are known, and those that CCF's documentation and tools write:
/// `export function vote (proposal, proposerId) { return true }`.
pub fn kind(script: &str) -> BallotKind {
    match constant(script) {
        Some(true) => BallotKind::Accept,
        Some(false) => BallotKind::Reject,
        None if exact_proposal(script).is_some() => BallotKind::Exact,
        None => BallotKind::Other,
    }
}

/// The one proposal that this script accepts, if it is an exact ballot. One with a number that JavaScript rounds is none: it
/// accepts others, too.
pub fn exact_proposal(script: &str) -> Option<Proposal> {
    let (before, after) = EXACT.split_once(PLACE)?;
    let literal = script.strip_prefix(before)?.strip_suffix(after)?;
    let text = json::parse(literal.as_bytes()).ok()?;
    let proposal: Result<_, ProposalError> = Proposal::parse(text.as_str()?.as_bytes());
    proposal.ok().filter(|proposal| check_numbers(proposal.value()).is_ok())
}

/// `text` as a JavaScript string literal of ASCII characters.
fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    for c in Value::from(text).to_string().chars() {
        if c.is_ascii() {
            literal.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                literal += &format!("\\u{unit:04x}");
            }
        }
    }
    literal
}

fn check_numbers(value: &Value) -> Result<(), BallotError> {
    match value {
        Value::Number(number) if json::is_exact(number) => Ok(()),
        Value::Number(number) => {
            let written = clip(number.as_str(), 80);
            Err(BallotError::Number { written, read: json::read_as(number) })
        }
        Value::Array(list) => list.iter().try_for_each(check_numbers),
        Value::Object(object) => object.values().try_for_each(check_numbers),
        _ => Ok(()),
    }
}

/// The answer of a script that is nothing but `export function vote(…) { return true|false }`.
fn constant(script: &str) -> Option<bool> {
    let rest = word(script, "export")?;
    let rest = word(rest, "function")?;
    let rest = word(rest, "vote")?;
    let (parameters, rest) = mark(rest, '(')?.split_once(')')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || matches!(c, '_' | '$' | ',');
    if !parameters.chars().all(plain) {
        return None;
    }
    let rest = mark(rest, '{')?.trim_ascii_start().strip_prefix("return")?;
    // A line break after `return` would end the statement, and nothing would be returned.
    let rest = rest.strip_prefix([' ', '\t'])?.trim_start_matches([' ', '\t']);
    let (answer, rest) = match rest.strip_prefix("true") {
        Some(rest) => (true, rest),
        None => (false, rest.strip_prefix("false")?),
    };
    let rest = rest.trim_ascii_start();
    let rest = mark(rest.strip_prefix(';').unwrap_or(rest), '}')?.trim_ascii();
    matches!(rest, "" | ";").then_some(answer)
}

/// What follows a word and at least one blank or sign after it.
fn word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let rest = text.trim_ascii_start().strip_prefix(word)?;
    (!rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '$'))).then_some(rest)
}

/// What follows a sign.
fn mark(text: &str, mark: char) -> Option<&str> {
    text.trim_ascii_start().strip_prefix(mark)
}

#[cfg(test)]
#[path = "ballot_tests.rs"]
mod tests;
