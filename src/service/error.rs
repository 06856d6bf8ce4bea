//! What can go wrong between here and a service.

use std::fmt;

use crate::id::{ProposalId, TransactionId};

use super::tls::WrongCertificate;
use super::{LostQuorum, NodeAddress, ShownCertificate};

/// Why a service did not do, or could not be asked to do, something.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The service certificate cannot be used as a root.
    #[error("the service certificate is not usable: {0}")]
    Certificate(String),
    /// No address to begin with.
    #[error("no node's address was given")]
    NoAddress,
    /// The HTTP client could not be made.
    #[error("the HTTP client cannot start: {0}")]
    Client(String),
    /// No node answered.
    #[error("no node of the service could be reached to {doing}{}{}", but(*quorum), list(nodes))]
    Unreachable {
        /// What was asked, for example `list the members`.
        doing: String,
        /// Every node that was tried, and why it did not answer.
        nodes: Vec<(NodeAddress, NodeFailure)>,
        /// So few of the trusted nodes answer that the service cannot go on.
        quorum: Option<LostQuorum>,
    },
    /// Nodes contradict each other, and nobody whom both sides trust decides.
    #[error("the nodes of the service contradict each other about {about}:{}", claims(sides))]
    Contradiction {
        /// What it is about.
        about: String,
        /// Who reports what.
        sides: Vec<(NodeAddress, String)>,
    },
    /// A write was sent, and nobody can say whether it took effect.
    #[error("the request to {doing} was sent, but no node confirmed it; the service may or may not have done so: {reason}{}{}", but(*quorum), list(nodes))]
    Undecided {
        /// What was asked.
        doing: String,
        /// What is missing.
        reason: String,
        /// The transaction that was answered and is not committed, if there is one.
        transaction: Option<TransactionId>,
        /// What the nodes did.
        nodes: Vec<(NodeAddress, NodeFailure)>,
        /// So few of the trusted nodes answer that the service cannot go on.
        quorum: Option<LostQuorum>,
    },
    /// The service answered no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The proposal was resolved, and the service no longer holds it.
    #[error(
        "proposal {0} is no longer held by the service: it was resolved or withdrawn, and then removed when another proposal was resolved; only the ledger still has it"
    )]
    Purged(ProposalId),
    /// The service holds what was sent as a proposal with other actions than those that were sent.
    #[error("the service answers that the envelope is its proposal {0}, whose actions are not those that were sent")]
    AnotherProposal(ProposalId),
    /// A node answered something that is not of this API.
    #[error("cannot understand the answer of {node} to the request to {what}: {reason}")]
    NotUnderstood {
        /// The node.
        node: NodeAddress,
        /// What was asked for.
        what: String,
        /// Why it is not that.
        reason: String,
    },
    /// The envelope is of a kind that the API has no call for.
    #[error("the governance API has no call that accepts a signed {0}")]
    NoSuchCall(crate::cose::MessageType),
}

/// A service's refusal: `{"error": {"code", "message", "details"}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// CCF's error code, for example `ProposalNotFound`.
    pub code: String,
    /// CCF's message.
    pub message: String,
    /// One entry per authentication policy, where there are any: their messages.
    pub details: Vec<String>,
    /// An earlier sending of the same bytes had no answer: it may have taken effect.
    pub after_silence: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the service refused ({} {}): {}", self.status, self.code, self.message)?;
        for detail in &self.details {
            write!(f, "; {detail}")?;
        }
        if self.after_silence {
            f.write_str("; an earlier sending of the same bytes had no sure answer and may have taken effect")?;
        }
        Ok(())
    }
}

/// Why one node did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeFailure {
    /// No connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// It shows no certificate under the service's, for this host.
    #[error("its certificate does not prove that it is a node of the service: {0}")]
    Certificate(Box<WrongCertificate>),
    /// No whole answer within this many seconds.
    #[error("no answer within {0} s")]
    Timeout(u64),
    /// The connection ended before the answer did.
    #[error("the connection ended before the answer did: {0}")]
    Closed(String),
    /// Not HTTP.
    #[error("it does not answer in HTTP: {0}")]
    NotHttp(String),
    /// A longer answer than any of this API.
    #[error("its answer is longer than {0} bytes")]
    TooLarge(usize),
    /// A redirect that is not followed.
    #[error("it redirects {0}")]
    Redirect(String),
    /// It answered that it cannot serve now.
    #[error("it answered {status}: {message}")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// It shows an older state than what is committed.
    #[error("it lags: it shows transaction {shown}, but {committed} is committed")]
    Lags {
        /// The transaction at which it answered.
        shown: TransactionId,
        /// The newest one known to be committed.
        committed: TransactionId,
    },
    /// It is no longer part of the network.
    #[error("the other nodes report that it is not a trusted node, or no longer one")]
    NotTrusted,
}

impl NodeFailure {
    /// The certificate that the node showed, if that was the reason.
    pub fn shown_certificate(&self) -> Option<&ShownCertificate> {
        match self {
            Self::Certificate(wrong) => Some(&wrong.shown),
            _ => None,
        }
    }

    /// Whether a request may have reached the service all the same.
    pub(super) fn may_have_arrived(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Certificate(_) | Self::Lags { .. } => false,
            Self::NotTrusted
            | Self::Timeout(_)
            | Self::Closed(_)
            | Self::NotHttp(_)
            | Self::TooLarge(_)
            | Self::Redirect(_) => true,
            // 503 says that there was nobody to take it, but for this one code.
            Self::Unavailable { status, message } => *status != 503 || message.contains("TransactionReplicationFailed"),
        }
    }
}

fn list(nodes: &[(NodeAddress, NodeFailure)]) -> String {
    nodes.iter().map(|(node, failure)| format!("\n  {node}: {failure}")).collect()
}

fn claims(sides: &[(NodeAddress, String)]) -> String {
    sides.iter().map(|(node, claim)| format!("\n  {node} reports {claim}")).collect()
}

fn but(quorum: Option<LostQuorum>) -> String {
    quorum.map_or_else(String::new, |quorum| format!("; {quorum}"))
}
