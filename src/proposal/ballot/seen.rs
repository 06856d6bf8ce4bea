//! A service as it was looked at, as far as ballots can rest on it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Guard, Registered, Watched};
use crate::digest::Sha256Digest;
use crate::id::{MemberId, NodeId};

/// A service as its governance API shows it at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// SHA-256 of the DER of its certificate.
    pub certificate: Sha256Digest,
    /// SHA-256 of its constitution.
    pub constitution: Sha256Digest,
    /// All that is registered.
    pub join_policy: Registered,
    /// The status of every node.
    pub nodes: BTreeMap<NodeId, String>,
    /// Every member.
    pub members: BTreeMap<MemberId, SeenMember>,
}

/// A member of the consortium.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenMember {
    /// `Accepted` or `Active`.
    pub status: String,
    /// Whatever the consortium noted about the member; null if nothing.
    pub data: Value,
}

/// What is to be guarded is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSeen {
    /// No such node.
    #[error("the service has no node {0}")]
    Node(NodeId),
    /// No such member.
    #[error("the service has no member {0}")]
    Member(MemberId),
}

impl Seen {
    /// The guard that holds for this as it was seen.
    ///
    /// # Errors
    /// A node or a member that the service does not have.
    pub fn guard(&self, watched: Watched) -> Result<Guard, NotSeen> {
        Ok(match watched {
            Watched::Certificate => Guard::Certificate(self.certificate),
            Watched::Constitution => Guard::Constitution(self.constitution),
            Watched::JoinPolicy => Guard::JoinPolicy(self.join_policy.clone()),
            Watched::Nodes => {
                let trusted = self.nodes.iter().filter(|(_, status)| *status == "Trusted");
                Guard::TrustedNodes(trusted.map(|(id, _)| *id).collect())
            }
            Watched::Node(id) => Guard::Node { id, status: self.nodes.get(&id).ok_or(NotSeen::Node(id))?.clone() },
            Watched::Members => {
                let active = self.members.iter().filter(|(_, member)| member.status == "Active");
                Guard::ActiveMembers(active.map(|(id, _)| *id).collect())
            }
            Watched::Member(id) => {
                let SeenMember { status, data } = self.members.get(&id).ok_or(NotSeen::Member(id))?.clone();
                Guard::Member { id, status, data }
            }
        })
    }

    /// The guards for all of these, in their order.
    ///
    /// # Errors
    /// As [`guard`](Self::guard).
    pub fn guards(&self, watched: impl IntoIterator<Item = Watched>) -> Result<Vec<Guard>, NotSeen> {
        watched.into_iter().map(|watched| self.guard(watched)).collect()
    }
}
