//! Which of the nodes that wait can be trusted now: without a plan, under the same guard.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::by_hand::Basis;
use super::intended::trust;
use super::named_node::is_trusted_by;
use super::network::Network;
use super::quorum::{Change, GuardError};
use crate::ccf_version::CcfVersion;
use crate::check::{Checks, Conclusion};
use crate::evidence::node::Attestation;
use crate::id::{NodeId, ProposalId};
use crate::proposal::Proposal;
use crate::proposal::time::TimeError;
use crate::review::{ObservedNode, node as review};
use crate::service::{self, JoinPolicy, NodeStatus, ProposalState};
use crate::text::visible;

/// A node that waits to be trusted, and what was found of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Candidate {
    /// Its id.
    pub node_id: NodeId,
    /// Where it listens, as it is published.
    pub address: Option<String>,
    /// Of all checks; only `pass` is trusted.
    pub verdict: Conclusion,
    /// What was checked.
    pub checks: Checks,
}

impl Candidate {
    /// Verifies a node that waits, by what its operator gave and what the service shows of it; `committed` is whether that is known to
    /// stay so.
    pub fn verify(
        given: Attestation,
        node: &ObservedNode,
        policy: &JoinPolicy,
        ccf: Option<CcfVersion>,
        basis: Basis<'_>,
        committed: bool,
    ) -> Self {
        let mut checks = review::verify(given, node, policy, ccf, basis.trust, basis.evidence);
        review::check_committed(committed, &mut checks);
        let address = node.node.address().map(visible);
        Self { node_id: node.node.node_id, address, verdict: checks.verdict(), checks }
    }

    /// Whether it may be trusted.
    pub fn passes(&self) -> bool {
        self.verdict == Conclusion::Pass
    }
}

/// Nodes that pass, and when they are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusting {
    /// In the proposal that is made now.
    pub now: Vec<NodeId>,
    /// In later ones: more at once could stop the service.
    pub later: Vec<NodeId>,
}

/// Why no node is trusted now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// A node that is named waits for nothing.
    #[error("node {0} is {1}, and only a Pending node can be trusted")]
    NotPending(NodeId, NodeStatus),
    /// A node that is named is not there.
    #[error("the service has no node {0}")]
    NotThere(NodeId),
    /// A node did not pass its verification here.
    #[error("node {0} does not pass verification here ({1})")]
    NotVerified(NodeId, Conclusion),
    /// A proposal that is open trusts a node already: what it leaves is known when it is decided.
    #[error("proposal {0}, which is open, trusts node {1}: the members vote on that first")]
    Proposed(ProposalId, NodeId),
    /// The guard says no.
    #[error(transparent)]
    Guard(GuardError),
    /// Nobody leads.
    #[error("no primary says how the network stands, so it is not known how many nodes can be trusted")]
    NoPrimary,
}

impl NotNow {
    /// Whether it passes: by a vote, an election, or by nodes that catch up.
    pub fn passes(&self) -> bool {
        match self {
            Self::Proposed(..) | Self::NoPrimary => true,
            Self::Guard(error) => !matches!(error, GuardError::Disaster { .. }),
            Self::NotPending(..) | Self::NotThere(_) | Self::NotVerified(..) => false,
        }
    }
}

/// The nodes of `nodes` that wait: all, or exactly these.
///
/// # Errors
/// One of these does not wait.
pub fn pending<'n>(nodes: &'n [ObservedNode], these: Option<&[NodeId]>) -> Result<Vec<&'n ObservedNode>, NotNow> {
    let waits = |node: &&ObservedNode| node.node.status == NodeStatus::Pending;
    let Some(these) = these else { return Ok(nodes.iter().filter(waits).collect()) };
    let mut found: Vec<&ObservedNode> = Vec::new();
    for id in these {
        let node = nodes.iter().find(|node| node.node.node_id == *id).ok_or(NotNow::NotThere(*id))?;
        if !waits(&node) {
            return Err(NotNow::NotPending(*id, node.node.status));
        }
        if !found.iter().any(|known| known.node.node_id == *id) {
            found.push(node);
        }
    }
    Ok(found)
}

/// The nodes that pass. Where `all` have to, one that does not is an error.
///
/// # Errors
/// [`NotNow::NotVerified`]: no node passes, or not all that have to.
pub fn passing(candidates: &[Candidate], all: bool) -> Result<Vec<NodeId>, NotNow> {
    let passed: Vec<_> = candidates.iter().filter(|c| c.passes()).map(|c| c.node_id).collect();
    match candidates.iter().find(|candidate| !candidate.passes()) {
        Some(first) if all || passed.is_empty() => Err(NotNow::NotVerified(first.node_id, first.verdict)),
        _ => Ok(passed),
    }
}

/// Of nodes that passed, as many as can be trusted at once. `proposals` are those that the service holds.
///
/// # Errors
/// Why none can be.
pub fn choose(
    passed: &[NodeId],
    network: &Network,
    proposals: &[(service::Proposal, Value)],
) -> Result<Trusting, NotNow> {
    let open = |known: &&(service::Proposal, Value)| known.0.proposal_state == ProposalState::Open;
    for id in passed {
        if let Some((known, _)) = proposals.iter().filter(open).find(|(_, content)| is_trusted_by(content, *id)) {
            return Err(NotNow::Proposed(known.proposal_id, *id));
        }
    }
    let network = match network {
        Network::Led(network) => network,
        Network::Lost(lost) => {
            let (live, n, majority) = (lost.answering, lost.trusted, lost.needed());
            return Err(NotNow::Guard(GuardError::Disaster { live, n, majority }));
        }
        Network::Unknown => return Err(NotNow::NoPrimary),
    };
    // At least one, so that the guard says why none can be.
    let (now, later) = passed.split_at(network.most_added().max(1).min(passed.len()));
    let change = Change::adding(now.iter().copied());
    if !network.is_second_node(&change) {
        network.check(&change, 0).map_err(NotNow::Guard)?;
    }
    Ok(Trusting { now: now.into(), later: later.into() })
}

impl Trusting {
    /// The proposal that trusts the nodes whose turn it is, with certificates that are valid from `at` on for so many days.
    ///
    /// # Errors
    /// The moment is none that can be written into a certificate.
    pub fn proposal(&self, at: OffsetDateTime, days: u32) -> Result<Proposal, TimeError> {
        Ok(Proposal::of(trust(&self.now, at, days)?))
    }
}

#[cfg(test)]
mod tests;
