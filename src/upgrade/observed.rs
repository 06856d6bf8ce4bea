//! How a service stands, in one look: everything from which the next step is decided.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::Running;
use crate::ccf_version::CcfVersion;
use crate::id::{MemberId, NodeId, ProposalId};
use crate::proposal::Proposal;
use crate::proposal::ballot::{Registered, Seen};
use crate::review::Application;
use crate::service::{
    self, JoinPolicy, LostQuorum, Member, MemberStatus, Node, NodeStatus, ProposalState, Replication, ServiceInfo,
    Validity,
};

/// A service at one moment. What is decided from it needs no clock and no network.
#[derive(Clone, Debug)]
pub struct Observed {
    /// When it was looked at, by the clock of whoever looked.
    pub at: OffsetDateTime,
    /// Whether everything that was read is committed.
    pub committed: bool,
    /// What it says of itself, if it was asked for.
    pub info: Option<ServiceInfo>,
    /// Its members.
    pub members: Vec<Member>,
    /// Its nodes.
    pub nodes: Vec<ObservedNode>,
    /// The primary's view of the network; `None` where nobody leads.
    pub replication: Option<Replication>,
    /// Set if so few nodes answer that nothing can be committed.
    pub lost_quorum: Option<LostQuorum>,
    /// What may join.
    pub join_policy: JoinPolicy,
    /// The same, as guarded ballots rest on it; `None` if it is of another shape.
    pub registered: Option<Registered>,
    /// The constitution in force, if it was asked for.
    pub constitution: Option<String>,
    /// What a guarded ballot rests on, if it was asked for.
    pub basis: Option<Seen>,
    /// The application that runs, if it was asked for.
    pub application: Option<Application>,
    /// The proposals that the service still has, by their ids.
    pub proposals: BTreeMap<ProposalId, ObservedProposal>,
}

/// A node of the service.
#[derive(Clone, Debug)]
pub struct ObservedNode {
    /// Its id.
    pub id: NodeId,
    /// Its standing.
    pub status: NodeStatus,
    /// Whether its retirement is committed: then it can be stopped and deleted.
    pub retired_committed: bool,
    /// Where it listens, as it is published.
    pub address: Option<String>,
    /// What it runs by its attestation; `None` if the service shows none that can be read.
    pub running: Option<Running>,
    /// Whether the attestation was verified here, and shows this node; if not, why.
    pub verified: Result<(), String>,
    /// The version that it says it runs.
    pub version: Option<CcfVersion>,
    /// How long its certificate is valid.
    pub validity: Option<Validity>,
}

/// A proposal of the service.
#[derive(Clone, Debug)]
pub struct ObservedProposal {
    /// Who made it.
    pub proposer: MemberId,
    /// How it stands.
    pub state: ProposalState,
    /// What it says; `None` if it cannot be read as a proposal.
    pub proposal: Option<Proposal>,
    /// The ballots on an open proposal that the plan needs.
    pub ballots: BTreeMap<MemberId, ObservedBallot>,
    /// How many ballots there are.
    pub ballot_count: u64,
    /// Who voted no, and why applying it failed, of one that is closed.
    pub outcome: Option<String>,
}

/// A ballot that the service holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedBallot {
    /// Whether it would still say what it said: a guarded ballot says no once what it guards has changed.
    pub holds: bool,
}

impl Observed {
    /// The members who can vote.
    pub fn active(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.status == MemberStatus::Active)
    }

    /// What a member is called: the name in its certificate or, without one, the start of its id.
    pub fn name(&self, id: MemberId) -> String {
        let member = self.members.iter().find(|member| member.member_id == id);
        member.and_then(Member::name).map_or_else(|| id.short(), |name| crate::text::visible(&name))
    }

    /// The nodes of this standing.
    pub fn nodes_that_are(&self, status: NodeStatus) -> impl Iterator<Item = &ObservedNode> {
        self.nodes.iter().filter(move |node| node.status == status)
    }

    /// The nodes that wait to be trusted, in a sentence; `None` without any. At the end of a walk, nobody trusts them any more.
    pub fn leftover(&self) -> Option<String> {
        let waiting: Vec<String> = self.nodes_that_are(NodeStatus::Pending).map(ObservedNode::title).collect();
        (!waiting.is_empty()).then(|| format!("still waiting to join: {}; nobody trusts them", waiting.join(", ")))
    }

    /// Whether the service lists these nodes and proposals just as they were seen: then nothing has happened from which a step follows.
    pub fn is_as_listed(&self, nodes: &[Node], proposals: &[service::Proposal]) -> bool {
        let node = |node: &Node| {
            self.node(node.node_id)
                .is_some_and(|known| (known.status, known.retired_committed) == (node.status, node.retired_committed))
        };
        let proposal = |listed: &service::Proposal| {
            self.proposals
                .get(&listed.proposal_id)
                .is_some_and(|known| (known.state, known.ballot_count) == (listed.proposal_state, listed.ballot_count))
        };
        (nodes.len(), proposals.len()) == (self.nodes.len(), self.proposals.len())
            && nodes.iter().all(node)
            && proposals.iter().all(proposal)
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> Option<&ObservedNode> {
        self.nodes.iter().find(|node| node.id == id)
    }

    /// Whether a node is heard of and has everything that is committed.
    pub fn is_caught_up(&self, id: NodeId) -> bool {
        self.replication.as_ref().is_some_and(|network| network.caught_up.contains(&id))
    }

    /// Whether a node is heard of, caught up or not.
    pub fn is_live(&self, id: NodeId) -> bool {
        self.replication.as_ref().is_some_and(|network| network.live().contains(&id))
    }
}

impl ObservedNode {
    /// What a person calls it: its address and the start of its id.
    pub fn title(&self) -> String {
        match &self.address {
            Some(address) => format!("{} ({})", self.id.short(), crate::text::visible(address)),
            None => self.id.short(),
        }
    }
}
