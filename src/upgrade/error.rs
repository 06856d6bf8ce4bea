//! Why a step was not taken.

use crate::cose::{CreatedAtError, EnvelopeError, MessageError, RequestError};
use crate::proposal::ballot::{BallotError, NotSeen};
use crate::proposal::time::TimeError;
use crate::sandbox::SandboxError;
use crate::service::ServiceError;
use crate::signer::SignerError;

/// Why a step was not taken. What was done before it stays done.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The service refused or cannot be reached.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// A member's key did not sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// A request could not be made.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// A request could not be finished after it was prepared.
    #[error("a prepared request cannot be finished")]
    Finish(#[from] EnvelopeError),
    /// The prepared request's file is none.
    #[error("a prepared request cannot be read back")]
    Prepared(#[from] RequestError),
    /// A ballot could not be made.
    #[error(transparent)]
    Ballot(#[from] BallotError),
    /// What a ballot would rest on is not there.
    #[error(transparent)]
    NotSeen(#[from] NotSeen),
    /// The clock is out of range.
    #[error(transparent)]
    Clock(#[from] CreatedAtError),
    /// The moment cannot be written into a certificate.
    #[error(transparent)]
    Moment(#[from] TimeError),
    /// A node of a rehearsal could not be started or stopped.
    #[error("a node of the sandbox cannot be started or stopped")]
    Sandbox(#[source] SandboxError),
    /// Something is not as the rehearsal claims.
    #[error("{0}")]
    Claim(String),
    /// What was accepted is not so afterwards.
    #[error(
        "to {0} was proposed and accepted, and the service does not show it: its constitution may do something else"
    )]
    NoEffect(String),
}
