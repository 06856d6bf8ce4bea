//! Why files make no attestation.

use crate::digest::HexError;
use crate::evidence::sgx::QuoteError;
use crate::id::NodeId;

/// Why files make no attestation.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A file of another kind.
    #[error(
        "this is not part of an attestation. These are read, raw, in hexadecimal or base64: an SNP report (1184 bytes); AMD's \
         certificates (PEM, DER, host-amd-cert-base64, a certificate table of the GHCB protocol); a UVM endorsement \
         (reference-info-base64, hash-envelope-reference-info-base64); a revocation list; an SGX quote and its endorsements; a \
         virtual attestation. And JSON with these: of a service (/node/attestations, /node/quotes) or its ledger (quote_info), \
         of the attestation sidecar (/attest/raw, /attest/combined), of key management applications and clean rooms"
    )]
    Unknown,
    /// Evidence of a kind that CCF has no use for.
    #[error("this is {0}")]
    Foreign(&'static str),
    /// Something that it should be, and is not whole, or of a form that is not known.
    #[error("the {what} in it cannot be read: {why}")]
    Damaged {
        /// What it should be.
        what: &'static str,
        /// Why it cannot be read.
        why: String,
    },
    /// A member of the service's JSON that holds no part of an attestation.
    #[error("its member {0} holds no part of an attestation")]
    Member(String),
    /// A list of no nodes.
    #[error("its list of attestations is empty")]
    Nobody,
    /// Files about different nodes.
    #[error("it is about node {0}, not node {1}, which was asked for or which another file is about")]
    OtherNode(NodeId, NodeId),
    /// A list of nodes, and none is asked for.
    #[error("the file describes several nodes; choose one with --node-id")]
    Several,
    /// A list of other nodes.
    #[error("it is about other nodes than the one that was asked for")]
    NotListed,
    /// Two of one kind.
    #[error("there is a second {0}; give the files of one node only")]
    Twice(&'static str),
    /// More lists of revoked certificates than AMD has products.
    #[error("there are more than {0} revocation lists; give those of the report's product")]
    Lists(usize),
    /// Parts of several platforms, or none that says anything.
    #[error("{0}")]
    Incomplete(&'static str),
    /// What is expected cannot be this platform's.
    #[error("the expected measurement is not a measurement of this platform")]
    Measurement(#[source] HexError),
    /// A quote that cannot be read.
    #[error(transparent)]
    Quote(#[from] QuoteError),
}
