//! Something of the service that a guarded ballot rests on.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Registered, Seen, Watched};
use crate::digest::Sha256Digest;
use crate::id::{MemberId, NodeId};
use crate::json;
use crate::text::{clip, visible};

/// Something of the service, as it was looked at. `templates/ballots/guarded.js` compares it with the tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Guard {
    /// The service's certificate: SHA-256 of its DER.
    Certificate(Sha256Digest),
    /// The constitution: SHA-256 of its text.
    Constitution(Sha256Digest),
    /// All that is registered, on every platform.
    JoinPolicy(Registered),
    /// Exactly which nodes are Trusted, so that two removals cannot pass on top of each other.
    TrustedNodes(BTreeSet<NodeId>),
    /// One node. Its id is the digest of its key, which its attestation names.
    Node {
        /// Which one.
        id: NodeId,
        /// Its status: `Pending`, `Trusted` or `Retired`.
        status: String,
    },
    /// Exactly which members are Active.
    ActiveMembers(BTreeSet<MemberId>),
    /// One member. Its id is the digest of its certificate.
    Member {
        /// Which one.
        id: MemberId,
        /// Its status: `Accepted` or `Active`.
        status: String,
        /// Whatever the consortium noted about it; null if nothing.
        data: Value,
    },
}

impl Guard {
    /// What it is about.
    pub fn watched(&self) -> Watched {
        match self {
            Self::Certificate(_) => Watched::Certificate,
            Self::Constitution(_) => Watched::Constitution,
            Self::JoinPolicy(_) => Watched::JoinPolicy,
            Self::TrustedNodes(_) => Watched::Nodes,
            Self::Node { id, .. } => Watched::Node(*id),
            Self::ActiveMembers(_) => Watched::Members,
            Self::Member { id, .. } => Watched::Member(*id),
        }
    }

    /// Whether it still holds for the service as it is seen now.
    pub fn holds(&self, seen: &Seen) -> bool {
        match (self, seen.guard(self.watched())) {
            (Self::Member { status, data, .. }, Ok(Self::Member { status: now, data: data_now, .. })) => {
                *status == now && json::same(data, &data_now)
            }
            (Self::JoinPolicy(registered), Ok(Self::JoinPolicy(now))) => registered.is_same(&now),
            (guard, Ok(now)) => *guard == now,
            (_, Err(_)) => false,
        }
    }
}

/// In words that follow "while": one line, harmless for a terminal.
impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(digest) => write!(f, "the service's certificate has SHA-256 {digest}"),
            Self::Constitution(digest) => write!(f, "the constitution has SHA-256 {digest}"),
            Self::JoinPolicy(registered) => write!(f, "what may join is exactly {registered}"),
            Self::TrustedNodes(ids) => write!(f, "the trusted nodes are exactly {}", listed(ids)),
            Self::Node { id, status } => write!(f, "node {id} is {}", visible(status)),
            Self::ActiveMembers(ids) => write!(f, "the active members are exactly {}", listed(ids)),
            Self::Member { id, status, data: Value::Null } => {
                write!(f, "member {id} is {}, without data", visible(status))
            }
            Self::Member { id, status, data } => {
                write!(f, "member {id} is {}, with data {}", visible(status), visible(&clip(&data.to_string(), 200)))
            }
        }
    }
}

fn listed<T: fmt::Display>(ids: &BTreeSet<T>) -> String {
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    if ids.is_empty() { "none".into() } else { ids.join(", ") }
}
