//! Ballots: JavaScript that decides how a member votes.
//!
//! A ballot is a module that exports `vote(proposal, proposerId)`. A node calls it with the proposal's text as it was
//! signed and the proposer's id, at every later ballot again, on the tables as they are then; only `true` is a yes. The scripts
//! are those of `templates/ballots/`.
//!
//! - [`accept`], [`reject`], [`exact`] and [`guarded`] make them; [`kind`] recognises them, [`one_proposal`] and [`guards`] read
//!   them back.
//! - [`Guard`]: something of the service that a guarded ballot rests on; [`Seen`]: the service as it was looked at; [`Watched`]: what
//!   is to be guarded.

mod exact;
mod guard;
mod guarded;
mod join_policy;
mod kind;
mod literal;
mod seen;
mod watched;

use serde_json::{Value, json};

use super::Proposal;
use crate::json::{self, JsonError};

pub use exact::exact;
pub use guard::Guard;
pub use guarded::guarded;
pub use join_policy::{Registered, RegisteredSgx, RegisteredSnp, RegisteredVirtual};
pub use kind::{BallotKind, kind};
pub use seen::{NotSeen, Seen, SeenMember};
pub use watched::{Watched, WatchedError};

const ACCEPT: &str = include_str!("../../../templates/ballots/accept.js");
const REJECT: &str = include_str!("../../../templates/ballots/reject.js");

/// The largest ballot that is read, in bytes: an exact one holds a whole proposal.
pub const MAX_BALLOT: u64 = 2 * super::MAX_PROPOSAL;

/// A vote on a proposal, as a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ballot {
    script: String,
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
    /// A guarded ballot that guards nothing.
    #[error("a guarded ballot rests on something of the service, and this one on nothing")]
    NoGuard,
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

    /// The ballot with this script, as a service shows it.
    pub fn of_script(script: &str) -> Self {
        Self { script: script.into() }
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

    /// The one proposal that it accepts, if it is exact or guarded.
    pub fn proposal(&self) -> Option<Proposal> {
        one_proposal(&self.script)
    }

    /// What of the service it rests on, if it is guarded.
    pub fn guards(&self) -> Option<Vec<Guard>> {
        guards(&self.script)
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

/// The one proposal that this script accepts, if it is an exact or a guarded ballot.
pub fn one_proposal(script: &str) -> Option<Proposal> {
    exact::read(script).or_else(|| guarded::read(script).map(|(proposal, _)| proposal))
}

/// What of the service this script rests on, if it is a guarded ballot.
pub fn guards(script: &str) -> Option<Vec<Guard>> {
    guarded::read(script).map(|(_, guards)| guards)
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod guarded_tests;
