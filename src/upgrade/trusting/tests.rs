use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::id::{MemberId, TransactionId};
use crate::review::NodeDetails;
use crate::service::{Follower, LostQuorum, Replication};

fn id(n: u8) -> NodeId {
    NodeId::from_bytes([n; 32])
}

/// Nodes 1 to `trusted`, of which the first `live` are heard of and caught up.
fn led(trusted: u8, live: u8) -> Network {
    let heard: BTreeMap<_, _> = (2..=live).map(|n| (id(n), Follower { silent_ms: 5, has_everything: true })).collect();
    Network::Led(Replication {
        primary: id(1),
        view: Some(2),
        commit: TransactionId { view: 2, seqno: 9 },
        configured: (1..=trusted).map(id).collect(),
        caught_up: (1..=live).map(id).collect(),
        heard,
        settled: true,
    })
}

fn node(n: u8, status: &str) -> ObservedNode {
    let raw = json!({"nodeId": id(n), "status": status});
    ObservedNode { node: serde_json::from_value(raw.clone()).unwrap(), raw, more: NodeDetails::default() }
}

fn held(state: ProposalState, n: u8) -> (service::Proposal, Value) {
    let proposal = service::Proposal {
        proposal_id: ProposalId::from_bytes([7; 32]),
        proposer_id: MemberId::from_bytes([8; 32]),
        proposal_state: state,
        ballot_count: 0,
        final_votes: None,
        vote_failures: None,
        failure: None,
    };
    (proposal, json!({"actions": [{"name": "transition_node_to_trusted", "args": {"node_id": id(n)}}]}))
}

#[test]
fn only_nodes_that_wait_are_trusted() {
    let nodes = [node(1, "Trusted"), node(2, "Pending"), node(3, "Retired"), node(4, "Pending")];
    let ids = |found: Vec<&ObservedNode>| found.iter().map(|n| n.node.node_id).collect::<Vec<_>>();
    assert_eq!(pending(&nodes, None).map(ids), Ok(vec![id(2), id(4)]));
    assert_eq!(pending(&nodes, Some(&[id(4), id(4)])).map(ids), Ok(vec![id(4)]));
    assert_eq!(pending(&nodes, Some(&[id(4), id(1)])).err(), Some(NotNow::NotPending(id(1), NodeStatus::Trusted)));
    assert_eq!(pending(&nodes, Some(&[id(3)])).err(), Some(NotNow::NotPending(id(3), NodeStatus::Retired)));
    assert_eq!(pending(&nodes, Some(&[id(9)])).err(), Some(NotNow::NotThere(id(9))));
}

#[test]
fn what_does_not_pass_is_left_out_or_refused() {
    let candidate = |n, verdict| Candidate { node_id: id(n), address: None, verdict, checks: Checks::new() };
    let (good, bad) = (candidate(1, Conclusion::Pass), candidate(2, Conclusion::Incomplete));
    let both = [good.clone(), bad.clone()];
    assert_eq!(passing(&both, false), Ok(vec![id(1)]));
    let refused = Err(NotNow::NotVerified(id(2), Conclusion::Incomplete));
    assert_eq!((passing(&both, true), passing(&[bad], false)), (refused.clone(), refused));
    assert_eq!((passing(&[good], true), passing(&[], true)), (Ok(vec![id(1)]), Ok(Vec::new())));
}

#[test]
fn as_many_as_a_majority_of_those_caught_up_allows() {
    let waiting: Vec<_> = (11..=17).map(id).collect();
    let now =
        |trusted, live| choose(&waiting, &led(trusted, live), &[]).map(|found| (found.now.len(), found.later.len()));
    assert_eq!(now(1, 1), Ok((1, 6)), "a second node is needed at once, and that is how a service grows");
    assert_eq!(now(3, 3), Ok((2, 5)));
    assert_eq!(now(5, 5), Ok((4, 3)));
    assert_eq!(now(5, 4), Ok((2, 5)));
    assert!(now(3, 2).unwrap_err().passes());
    let dead = now(3, 1).unwrap_err();
    assert!(matches!(dead, NotNow::Guard(GuardError::Disaster { .. })) && !dead.passes());
    assert_eq!(choose(&waiting[..1], &led(5, 5), &[]).map(|found| found.later), Ok(Vec::new()));
    assert_eq!(choose(&waiting, &Network::Unknown, &[]), Err(NotNow::NoPrimary));
    let lost = choose(&waiting, &Network::Lost(LostQuorum { trusted: 3, answering: 1 }), &[]).unwrap_err();
    assert!(!lost.passes());
}

#[test]
fn nothing_is_proposed_on_top_of_an_open_proposal() {
    let chosen = |state| choose(&[id(11), id(12)], &led(3, 3), &[held(state, 12)]);
    assert_eq!(chosen(ProposalState::Open), Err(NotNow::Proposed(ProposalId::from_bytes([7; 32]), id(12))));
    assert!(chosen(ProposalState::Open).unwrap_err().passes());
    assert_eq!(chosen(ProposalState::Rejected).map(|found| found.now.len()), Ok(2));
    assert_eq!(
        choose(&[id(11)], &led(3, 3), &[held(ProposalState::Open, 12)]).map(|found| found.now),
        Ok(vec![id(11)])
    );
}

#[test]
fn the_proposal_is_the_one_that_lint_and_a_walk_accept() {
    let trusting = Trusting { now: vec![id(11), id(12)], later: Vec::new() };
    let proposal = trusting.proposal(OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000), 30).unwrap();
    let action = |n| {
        let args = json!({"node_id": id(n), "valid_from": "241004000000Z", "validity_period_days": 30});
        json!({"name": "transition_node_to_trusted", "args": args})
    };
    let expected = json!({"actions": [action(11), action(12)]});
    assert_eq!(*proposal.value(), expected);
}
