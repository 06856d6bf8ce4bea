//! What a member wants to say, before it is signed.

use crate::text::clip;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::payload::{self, PayloadError};
use super::{Algorithm, CreatedAt, sign1};
use crate::id::{MemberId, ProposalId};

/// The kinds of governance request: the protected header's `ccf.gov.msg.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MessageType {
    /// A new proposal.
    Proposal,
    /// A vote on a proposal.
    Ballot,
    /// Taking back one's own proposal.
    Withdrawal,
    /// A member's acknowledgement of the service's state, which activates the member.
    Ack,
    /// Asking for a fresh state digest.
    StateDigest,
    /// A decrypted recovery share.
    RecoveryShare,
    /// Asking for one's encrypted recovery share.
    EncryptedRecoveryShare,
}

impl MessageType {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Proposal,
        Self::Ballot,
        Self::Withdrawal,
        Self::Ack,
        Self::StateDigest,
        Self::RecoveryShare,
        Self::EncryptedRecoveryShare,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proposal => "proposal",
            Self::Ballot => "ballot",
            Self::Withdrawal => "withdrawal",
            Self::Ack => "ack",
            Self::StateDigest => "state_digest",
            Self::RecoveryShare => "recovery_share",
            Self::EncryptedRecoveryShare => "encrypted_recovery_share",
        }
    }

    /// Whether the request carries anything.
    pub const fn has_payload(self) -> bool {
        !matches!(self, Self::Withdrawal | Self::StateDigest | Self::EncryptedRecoveryShare)
    }

    /// Whether the request is about one proposal and names it.
    pub const fn names_proposal(self) -> bool {
        matches!(self, Self::Ballot | Self::Withdrawal)
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for MessageType {
    type Err = MessageError;

    fn from_str(text: &str) -> Result<Self, MessageError> {
        Self::ALL.into_iter().find(|t| t.name() == text).ok_or_else(|| MessageError::UnknownType(clip(text, 80)))
    }
}

/// A governance request that is complete and checked, but not signed.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    kind: MessageType,
    created_at: CreatedAt,
    proposal_id: Option<ProposalId>,
    payload: Vec<u8>,
}

impl fmt::Debug for Message {
    /// Without the payload, which may be a recovery share.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("kind", &self.kind)
            .field("created_at", &self.created_at)
            .field("proposal_id", &self.proposal_id)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}

/// Why a request is not one that CCF could take.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// A type that CCF does not have.
    #[error(
        "{0:?} is not a message type; the types are proposal, ballot, withdrawal, ack, state_digest, recovery_share and encrypted_recovery_share"
    )]
    UnknownType(String),
    /// A ballot or withdrawal without its proposal.
    #[error("type {0} needs a proposal id, but none was given")]
    ProposalIdMissing(MessageType),
    /// A proposal id where none belongs.
    #[error("type {0} has no proposal id, but one was given")]
    ProposalIdSurplus(MessageType),
    /// The payload is not what the type needs.
    #[error("the content is not what type {kind} needs")]
    Payload {
        /// The type that was asked for.
        kind: MessageType,
        /// What is wrong.
        #[source]
        source: PayloadError,
    },
}

impl Message {
    /// A request of this kind; checks that the proposal id and the payload are what the kind needs.
    pub fn new(
        kind: MessageType,
        created_at: CreatedAt,
        proposal_id: Option<ProposalId>,
        payload: Vec<u8>,
    ) -> Result<Self, MessageError> {
        match (kind.names_proposal(), proposal_id) {
            (true, None) => return Err(MessageError::ProposalIdMissing(kind)),
            (false, Some(_)) => return Err(MessageError::ProposalIdSurplus(kind)),
            _ => {}
        }
        payload::check(kind, &payload).map_err(|source| MessageError::Payload { kind, source })?;
        Ok(Self { kind, created_at, proposal_id, payload })
    }

    /// Its kind.
    pub fn kind(&self) -> MessageType {
        self.kind
    }

    /// When it says that it was made.
    pub fn created_at(&self) -> CreatedAt {
        self.created_at
    }

    /// The proposal that it is about, for ballots and withdrawals.
    pub fn proposal_id(&self) -> Option<ProposalId> {
        self.proposal_id
    }

    /// The payload, as it is signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The protected header, encoded: deterministic CBOR (RFC 8949, 4.2.1), the same bytes as CCF's own signer writes.
    pub fn protected(&self, algorithm: Algorithm, member: MemberId) -> Vec<u8> {
        let proposal_id = self.proposal_id.map(|id| id.to_string());
        sign1::protected(
            algorithm.cose_id(),
            &member.to_string(),
            self.kind.name(),
            self.created_at.seconds(),
            proposal_id.as_deref(),
        )
    }
}

pub(super) const TYPE: &str = "ccf.gov.msg.type";
pub(super) const CREATED_AT: &str = "ccf.gov.msg.created_at";
pub(super) const PROPOSAL_ID: &str = "ccf.gov.msg.proposal_id";
