//! What a guarded ballot is to rest on.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::digest::HexError;
use crate::id::{MemberId, NodeId};
use crate::proposal::{Action, Proposal, Registration};
use crate::text::{clip, visible};

/// A thing of the service that can be guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Watched {
    /// The service's certificate.
    Certificate,
    /// The constitution.
    Constitution,
    /// All that is registered, on every platform.
    JoinPolicy,
    /// Which nodes are trusted.
    Nodes,
    /// A node's status.
    Node(NodeId),
    /// Which members are active.
    Members,
    /// A member's status and data.
    Member(MemberId),
}

/// A text that names nothing that can be guarded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchedError {
    /// Another word.
    #[error("a guard is join-policy, nodes, node=ID, members or member=ID, not {}", visible(&clip(.0, 80)))]
    Unknown(String),
    /// An id that is none.
    #[error(transparent)]
    Id(#[from] HexError),
}

impl Watched {
    /// What the vote on a proposal rests on: always the certificate and the constitution, and whatever its actions touch.
    pub fn by(proposal: &Proposal) -> BTreeSet<Self> {
        let mut watched = BTreeSet::from([Self::Certificate, Self::Constitution]);
        for action in proposal.actions() {
            watched.extend(touched(action));
        }
        watched
    }
}

fn touched(action: &Action) -> Vec<Watched> {
    let node = || action.text("node_id").and_then(|id| id.parse().ok()).map(Watched::Node);
    match action.name.as_str() {
        "transition_node_to_trusted" => [Watched::JoinPolicy, Watched::Nodes].into_iter().chain(node()).collect(),
        "remove_node" => [Watched::Nodes].into_iter().chain(node()).collect(),
        "set_member" | "remove_member" => vec![Watched::Members],
        name if Registration::of(name).is_some() => vec![Watched::JoinPolicy],
        _ => Vec::new(),
    }
}

impl FromStr for Watched {
    type Err = WatchedError;

    fn from_str(text: &str) -> Result<Self, WatchedError> {
        Ok(match (text, text.split_once('=')) {
            ("join-policy", _) => Self::JoinPolicy,
            ("nodes", _) => Self::Nodes,
            ("members", _) => Self::Members,
            (_, Some(("node", id))) => Self::Node(id.parse()?),
            (_, Some(("member", id))) => Self::Member(id.parse()?),
            _ => return Err(WatchedError::Unknown(text.into())),
        })
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate => f.write_str("certificate"),
            Self::Constitution => f.write_str("constitution"),
            Self::JoinPolicy => f.write_str("join-policy"),
            Self::Nodes => f.write_str("nodes"),
            Self::Node(id) => write!(f, "node={id}"),
            Self::Members => f.write_str("members"),
            Self::Member(id) => write!(f, "member={id}"),
        }
    }
}
