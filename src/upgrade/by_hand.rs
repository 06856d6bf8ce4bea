//! The guard for what is done without a plan: a proposal that trusts or removes nodes is judged before it is signed or voted on.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use super::named_node::{changes_network, is_trusted_by};
use super::network::Network;
use super::network_change::NetworkChange;
use crate::ccf_version::CcfVersion;
use crate::check::Checks;
use crate::cose::{Message, MessageType};
use crate::evidence::node::{Attestation, Trust};
use crate::evidence::recognise::Evidence;
use crate::id::NodeId;
use crate::json;
use crate::proposal::ballot::{Ballot, BallotKind};
use crate::review::{ObservedNode, ServiceView, node as review};
use crate::service::{JoinPolicy, NodeStatus, Service, ServiceError};

/// How often a network is looked at that seems to lose its majority: a node that is a moment behind is no failed node.
const LOOKS: usize = 2;
/// How long between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// By what nodes are verified that are to be trusted.
#[derive(Clone, Copy, Debug)]
pub struct Basis<'a> {
    /// The artefacts that they should run; without one, no node passes.
    pub evidence: &'a [Evidence],
    /// Whose roots count, and when.
    pub trust: &'a Trust,
}

impl NetworkChange {
    /// Judges `proposal` beside what was read of the service for it; `None`, without a request, if it trusts and removes no node.
    ///
    /// # Errors
    /// Whatever is no answer. What the service refuses to tell is not known.
    pub async fn look(
        service: &Service,
        proposal: &Value,
        view: &ServiceView,
        basis: Basis<'_>,
    ) -> Result<Option<Self>, ServiceError> {
        if !changes_network(proposal) {
            return Ok(None);
        }
        let nodes = view.nodes.as_deref().unwrap_or_default();
        let is_trusted = |node: &&ObservedNode| {
            node.node.status == NodeStatus::Pending && is_trusted_by(proposal, node.node.node_id)
        };
        let trusted: Vec<_> = nodes.iter().filter(is_trusted).collect();
        let ccf = if trusted.is_empty() { None } else { review::running_version(None, service).await? };
        let verified = verified(&trusted, view.join_policy.as_ref(), ccf, basis);
        let mut found = Self::of(proposal, nodes, &Network::look(service).await, &verified);
        for _ in 1..LOOKS {
            if found.network.is_none() || found.check().is_ok() {
                break;
            }
            sleep(PAUSE).await;
            found = Self::of(proposal, nodes, &Network::look(service).await, &verified);
        }
        Ok(Some(found))
    }

    /// Judges what an envelope asks for: a proposal, or a vote that may be a yes. Others are no change.
    ///
    /// # Errors
    /// Whatever is no answer.
    pub async fn of_message(
        service: &Service,
        message: &Message,
        basis: Basis<'_>,
    ) -> Result<Option<Self>, ServiceError> {
        let proposal = match (message.kind(), message.proposal_id()) {
            (MessageType::Proposal, _) => json::parse(message.payload()).ok(),
            (MessageType::Ballot, Some(id)) if may_accept(message.payload()) => {
                service.actions(id).await?.map(|answer| answer.raw)
            }
            _ => None,
        };
        let Some(proposal) = proposal.filter(changes_network) else { return Ok(None) };
        let view = ServiceView::read(service, &proposal).await?;
        Self::look(service, &proposal, &view, basis).await
    }
}

/// Whether a ballot may be a yes: everything but one that says no to all.
pub fn may_accept(payload: &[u8]) -> bool {
    Ballot::parse(payload).map_or(true, |ballot| ballot.kind() != BallotKind::Reject)
}

/// What the attestations of these nodes prove here, as far as the service shows them.
fn verified(
    nodes: &[&ObservedNode],
    policy: Option<&JoinPolicy>,
    ccf: Option<CcfVersion>,
    basis: Basis<'_>,
) -> BTreeMap<NodeId, Checks> {
    let verify = |node: &&ObservedNode| {
        let id = node.node.node_id;
        Some((id, review::verify(Attestation::of(Some(id)), node, policy?, ccf, basis.trust, basis.evidence)))
    };
    nodes.iter().filter_map(verify).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_no_plain_no_may_be_a_yes() {
        let no = "export function vote (proposal, proposerId) { return false }";
        let yes = no.replace("false", "true");
        assert!(!may_accept(format!("{{\"ballot\": \"{no}\"}}").as_bytes()));
        // The service takes the last of two, and this program neither.
        for ballot in [format!("{{\"ballot\": \"{yes}\"}}"), format!("{{\"ballot\": \"{no}\", \"ballot\": \"{yes}\"}}")]
        {
            assert!(may_accept(ballot.as_bytes()), "{ballot}");
        }
    }
}
