//! Why a walk stopped.

use crate::cose::{CreatedAtError, EnvelopeError, MessageError, RequestError};
use crate::id::{NodeId, ProposalId};
use crate::proposal::ballot::BallotError;
use crate::service::{ProposalState, ServiceError};
use crate::signer::SignerError;

use super::operator::OperatorError;
use super::quorum::GuardError;

/// Why a walk stopped. What was done before it stays done.
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
    /// The clock is out of range.
    #[error(transparent)]
    Clock(#[from] CreatedAtError),
    /// A node could not be started or stopped.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The step could stop the service.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// All members voted, and it was not enough.
    #[error("proposal {id} is {state} after the ballots of all members")]
    NotAccepted {
        /// The proposal.
        id: ProposalId,
        /// How it stands.
        state: ProposalState,
    },
    /// A node's attestation is not of the code that it should run.
    #[error("node {node} is not trusted: {reason}")]
    Attestation {
        /// The node.
        node: NodeId,
        /// What is wrong.
        reason: String,
    },
    /// A step was done, and what it claims is not so.
    #[error("{0}")]
    Claim(String),
    /// Something did not happen in time.
    #[error("timed out after {seconds} s waiting until {what}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// For how long.
        seconds: u64,
    },
}
