//! What a service says, typed: tolerant of new fields, strict about those that decide something.

mod certificate;
mod consensus;
mod info;
mod join_policy;
mod member;
mod node;
mod proposal;

pub use certificate::Validity;
pub use consensus::{Ack, Configuration, Configured, Consensus};
pub use info::{Network, ServiceInfo, ServiceStatus};
pub use join_policy::{JoinPolicy, JoinPolicyError, MinimumTcbEntry, SgxPolicy, SnpPolicy, UvmEntry, VirtualPolicy};
pub use member::{Member, MemberStatus, StateDigest};
pub use node::{NetworkNode, Node, NodeStatus, QuoteInfo, RpcInterface};
pub use proposal::{Proposal, ProposalState, VoteFailure};

use serde::Deserialize;

/// `{"value": […]}`, as every list of the governance API is wrapped.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct List<T> {
    pub value: Vec<T>,
}

/// `{"nodes": […]}`, as the node API wraps its lists.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct NodeList {
    pub nodes: Vec<NetworkNode>,
}

/// `{"details": {…}}` of `GET /node/consensus`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ConsensusDetails {
    pub details: Consensus,
}
