//! A service's governance state, read through its API into tables as its constitution sees them.
//!
//! The sandbox's handlers do the reverse. What the API does not tell is named by [`why_not_known`].

mod file;
mod progress;
mod read;
mod rebuild;
mod seen;
#[cfg(test)]
mod tests;
mod unknown;

use time::OffsetDateTime;

use crate::ccf_version::CcfVersion;
use crate::digest::{Sha256Digest, sha256};
use crate::id::{MemberId, ProposalId, TransactionId};
use crate::kv::Tables;
use crate::review::simulate::{BallotTest, SimulateError, Simulator};

pub use file::StateFileError;
pub use progress::Reading;
pub use unknown::{unknown, why_not_known};

/// A service's governance state at one moment.
#[derive(Clone, Debug)]
pub struct State {
    /// The service's certificate, PEM: its identity.
    pub certificate: String,
    /// The newest transaction that it shows; everything up to it was committed when it was read, or `committed` says otherwise.
    pub transaction: Option<TransactionId>,
    /// Whether it was committed when it was read.
    pub committed: bool,
    /// When it was read.
    pub read_at: OffsetDateTime,
    /// The version that a node says it runs.
    pub version: Option<CcfVersion>,
    /// The tables.
    pub tables: Tables,
}

impl State {
    /// A simulator on these tables, which knows what they lack.
    pub fn simulator(&self) -> Simulator {
        Simulator::new(self.tables.clone(), self.version).lacking(why_not_known)
    }

    /// Runs the ballot `script` of `member` on an open proposal.
    ///
    /// # Errors
    /// The proposal is not open in this state, or there are no rules to judge by.
    pub fn test_ballot(&self, id: ProposalId, member: MemberId, script: &str) -> Result<BallotTest, SimulateError> {
        let simulator = self.simulator();
        simulator.test_ballot(&simulator.open_proposal(id)?, member, script)
    }

    /// The SHA-256 of the service's certificate (DER); `None` if that is no PEM.
    pub fn identity(&self) -> Option<Sha256Digest> {
        let block = pem::parse(&self.certificate).ok()?;
        Some(Sha256Digest::from_bytes(sha256(block.contents())))
    }

    /// How old it is, in words, and at which transaction.
    pub fn age(&self, now: OffsetDateTime) -> String {
        let seconds = (now - self.read_at).whole_seconds();
        let old = match seconds {
            ..0 => "from the future, by this machine's clock".to_owned(),
            0..120 => format!("{seconds} seconds old"),
            120..7200 => format!("{} minutes old", seconds / 60),
            7200..172_800 => format!("{} hours old", seconds / 3600),
            _ => format!("{} days old", seconds / 86_400),
        };
        let at = self.transaction.map(|id| format!(", at transaction {id}")).unwrap_or_default();
        let committed = if self.committed { "" } else { " (not known to be committed)" };
        format!("{old}{at}{committed}")
    }
}
