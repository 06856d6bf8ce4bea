//! What a ballot does, recognised by its text.

use std::fmt;

use super::{exact, guarded};

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
    /// It votes yes on one proposal while the service is as it was seen, and no otherwise.
    Guarded,
    /// Something else: read it.
    Other,
}

impl BallotKind {
    /// What such a ballot does, in words that follow its name.
    pub fn words(self) -> &'static str {
        match self {
            Self::Accept => "votes yes, whatever the proposal is",
            Self::Reject => "votes no, whatever the proposal is",
            Self::Exact => "votes yes on exactly one proposal, and no on any other",
            Self::Guarded => "votes yes on exactly one proposal while the service is as it was seen, and no otherwise",
            Self::Other => "custom script: read it",
        }
    }
}

impl fmt::Display for BallotKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Exact => "exact",
            Self::Guarded => "guarded",
            Self::Other => "other",
        })
    }
}

/// What a ballot with this script does. Ours are known, and those that CCF's documentation and tools write:
/// `export function vote (proposal, proposerId) { return true }`.
pub fn kind(script: &str) -> BallotKind {
    match constant(script) {
        Some(true) => BallotKind::Accept,
        Some(false) => BallotKind::Reject,
        None if exact::read(script).is_some() => BallotKind::Exact,
        None if guarded::read(script).is_some() => BallotKind::Guarded,
        None => BallotKind::Other,
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
