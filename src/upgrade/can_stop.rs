//! Whether the process of a node can be stopped, without the network missing it.

use serde_json::Value;

use super::named_node::is_trusted_by;
use super::network::Network;
use super::quorum::Change;
use crate::check::Checks;
use crate::id::NodeId;
use crate::review::proposed;
use crate::service::{Node, NodeStatus, Proposal, ProposalState, Replication, Service, ServiceError};

/// Whether the node is part of the network, or still needed by it.
const RETIREMENT: &str = "retirement";
/// What stopping it would leave.
const QUORUM: &str = "quorum";
/// What the members have yet to decide.
const PROPOSALS: &str = "open-proposals";

/// What the service says of a node, and of what depends on it.
#[derive(Clone, Debug)]
pub struct Dependence {
    /// What the service lists; `None` if it does not list the node.
    pub node: Option<Node>,
    /// How the network stands, if the node is part of it.
    pub network: Network,
    /// The proposals that are open or were accepted, each with its content, if the node waits to be trusted.
    pub proposals: Vec<(Proposal, Value)>,
}

impl Dependence {
    /// Asks for the node, and for what matters of a node of that status.
    ///
    /// # Errors
    /// Whatever is no answer.
    pub async fn read(service: &Service, id: NodeId) -> Result<Self, ServiceError> {
        let node = service.nodes().await?.value.into_iter().find(|node| node.node_id == id);
        let (mut network, mut proposals) = (Network::Unknown, Vec::new());
        match node.as_ref().map(|node| node.status) {
            Some(NodeStatus::Trusted) => network = Network::look(service).await,
            Some(NodeStatus::Pending) => proposals = proposed(service).await?,
            _ => {}
        }
        Ok(Self { node, network, proposals })
    }

    /// Whether node `id` can be stopped: a pass if the network does not need it.
    pub fn can_stop(&self, id: NodeId) -> Checks {
        let mut found = Checks::new();
        let Some(node) = &self.node else {
            found.pass(
                RETIREMENT,
                "the service does not list it: it was deleted, or never joined, and nothing depends on it",
            );
            return found;
        };
        match (node.status, node.retired_committed) {
            (NodeStatus::Retired, true) => {
                found
                    .pass(RETIREMENT, "its retirement is committed: no election can make it part of the network again");
            }
            (NodeStatus::Retired, false) => {
                let detail = "its retirement is not committed yet, and until then it is needed";
                found.fail(RETIREMENT, format!("{detail}: `ccf-gov node wait {id} --removable` waits for that"));
            }
            (NodeStatus::Pending, _) => {
                found.pass(
                    RETIREMENT,
                    "it is Pending: the network does not need it, and once stopped it has to join again, as another node",
                );
                trusts(id, &self.proposals, &mut found);
            }
            (NodeStatus::Trusted, _) => {
                found.fail(RETIREMENT, "it is Trusted: first the members remove it (remove_node)");
                without(id, &self.network, &mut found);
            }
        }
        found
    }
}

/// A node that is trusted after it was stopped counts as one that has failed.
fn trusts(id: NodeId, proposals: &[(Proposal, Value)], found: &mut Checks) {
    let open = proposals.iter().filter(|(known, _)| known.proposal_state == ProposalState::Open);
    for (known, _) in open.filter(|(_, content)| is_trusted_by(content, id)) {
        let detail = format!(
            "proposal {} would trust it: accepted, it would count as a node that has failed",
            known.proposal_id
        );
        found.warn(PROPOSALS, detail);
    }
}

/// What would be left of the network if the node failed now.
fn without(id: NodeId, network: &Network, found: &mut Checks) {
    let network = match network {
        Network::Led(network) => network,
        Network::Lost(lost) => {
            found.fail(QUORUM, format!("{lost}: the service stands still already, and needs every node that it has"));
            return;
        }
        Network::Unknown => {
            found.incomplete(QUORUM, "no primary says how many nodes would be left");
            return;
        }
    };
    let now = network.assess(&Change::default());
    let (live, majority, n) = (remaining(network, id), now.before.majority, now.before.n);
    let left = format!("without it {live} of {n} nodes would be live and caught up, and {majority} are a majority");
    match live.checked_sub(majority) {
        None => found.fail(QUORUM, format!("{left}: nothing could be committed")),
        Some(0) => found.warn(QUORUM, format!("{left}: no other node could fail")),
        Some(1) => found.warn(QUORUM, format!("{left}: 1 other node could fail")),
        Some(more) => found.warn(QUORUM, format!("{left}: {more} other nodes could fail")),
    }
}

fn remaining(network: &Replication, id: NodeId) -> usize {
    network.caught_up.iter().filter(|other| **other != id).count()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::check::Conclusion;
    use crate::id::{MemberId, ProposalId, TransactionId};
    use crate::service::LostQuorum;

    const ID: NodeId = NodeId::from_bytes([1; 32]);

    fn node(status: &str, retired_committed: bool) -> Node {
        serde_json::from_value(json!({"nodeId": ID, "status": status, "retiredCommitted": retired_committed})).unwrap()
    }

    fn network(configured: u8, caught_up: u8) -> Network {
        let ids = |count: u8| (1..=count).map(|n| NodeId::from_bytes([n; 32])).collect();
        Network::Led(Replication {
            primary: ID,
            view: Some(2),
            commit: TransactionId { view: 2, seqno: 9 },
            configured: ids(configured),
            caught_up: ids(caught_up),
            heard: BTreeMap::new(),
            settled: true,
        })
    }

    fn answer(node: Option<Node>, network: Network) -> (Conclusion, String) {
        let found = Dependence { node, network, proposals: Vec::new() }.can_stop(ID);
        (found.verdict(), found.iter().map(|check| check.detail.as_str()).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn only_what_the_network_does_not_need_can_be_stopped() {
        let of = |status, committed| answer(Some(node(status, committed)), network(3, 3));
        assert_eq!(of("Retired", true).0, Conclusion::Pass);
        assert_eq!(of("Retired", false).0, Conclusion::Fail);
        assert_eq!(of("Pending", false).0, Conclusion::Pass);
        assert_eq!(answer(None, Network::Unknown).0, Conclusion::Pass);
        let (verdict, text) = of("Trusted", false);
        assert_eq!(verdict, Conclusion::Fail);
        assert!(text.contains("without it 2 of 3 nodes") && text.ends_with("no other node could fail"), "{text}");
    }

    #[test]
    fn what_stopping_a_trusted_node_would_leave_is_said() {
        let text = |network: Network| answer(Some(node("Trusted", false)), network).1;
        assert!(
            text(network(3, 2)).ends_with(
                "1 of 3 nodes would be live and caught up, and 2 are a majority: nothing could be committed"
            )
        );
        assert!(text(network(5, 5)).ends_with("1 other node could fail"));
        assert!(text(network(7, 7)).ends_with("2 other nodes could fail"));
        assert!(text(network(1, 1)).ends_with("nothing could be committed"));
        assert!(text(Network::Lost(LostQuorum { trusted: 3, answering: 1 })).contains("stands still already"));
        assert!(text(Network::Unknown).contains("no primary says"));
    }

    #[test]
    fn a_pending_node_that_is_about_to_be_trusted_is_warned_of() {
        let proposal = Proposal {
            proposal_id: ProposalId::from_bytes([7; 32]),
            proposer_id: MemberId::from_bytes([8; 32]),
            proposal_state: ProposalState::Open,
            ballot_count: 0,
            final_votes: None,
            vote_failures: None,
            failure: None,
        };
        let content = json!({"actions": [{"name": "transition_node_to_trusted", "args": {"node_id": ID}}]});
        let found = |state| {
            let proposal = Proposal { proposal_state: state, ..proposal.clone() };
            let proposals = vec![(proposal, content.clone())];
            Dependence { node: Some(node("Pending", false)), network: Network::Unknown, proposals }.can_stop(ID)
        };
        assert!(found(ProposalState::Open).get(PROPOSALS).is_some());
        assert_eq!(found(ProposalState::Open).verdict(), Conclusion::Pass);
        assert!(found(ProposalState::Accepted).get(PROPOSALS).is_none());
    }
}
