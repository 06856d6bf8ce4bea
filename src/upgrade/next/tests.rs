use serde_json::json;

use super::*;
use crate::proposal::Proposal;
use crate::service::{Member, NodeStatus};
use crate::upgrade::ObservedBallot;
use crate::upgrade::forecast::testing::{id, service, virtual_code};

fn member(n: u8) -> MemberId {
    MemberId::from_bytes([n; 32])
}

/// Three members, three old nodes and three new ones, of which so many are trusted.
fn stage(trusted: u8) -> (Plan, Observed) {
    let plan = Plan::of(virtual_code(2), 3);
    let mut seen = service(&virtual_code(1), 3 + trusted);
    let written = |n| json!({"memberId": member(n), "status": "Active", "certificate": "", "memberData": null});
    seen.members = (1..=3).map(|n| serde_json::from_value::<Member>(written(n)).unwrap()).collect();
    seen.join_policy.virtual_.host_data.push(plan.new.running().host_data.unwrap());
    let template = seen.nodes[0].clone();
    for n in 4..=6 {
        let status = if n <= 3 + trusted { NodeStatus::Trusted } else { NodeStatus::Pending };
        let node = ObservedNode { id: id(n), status, running: Some(plan.new.running()), ..template.clone() };
        seen.nodes.retain(|known| known.id != node.id);
        seen.nodes.push(node);
    }
    (plan, seen)
}

/// An open proposal by member 1, with these members' ballots, and whether each still holds.
fn hold(seen: &mut Observed, proposal: Proposal, ballots: &[(u8, bool)]) -> ProposalId {
    let id = ProposalId::from_bytes([7; 32]);
    let known = ObservedProposal {
        proposer: member(1),
        state: ProposalState::Open,
        proposal: Some(proposal),
        ballots: ballots.iter().map(|(n, holds)| (member(*n), ObservedBallot { holds: *holds })).collect(),
        ballot_count: ballots.len() as u64,
        outcome: None,
    };
    seen.proposals.insert(id, known);
    id
}

fn of(plan: &Plan, seen: &Observed, n: u8) -> Doing {
    next(plan, seen, Who { member: Some(member(n)), operator: false }).doing
}

fn needed(plan: &Plan, seen: &Observed) -> Proposal {
    let Need::Proposal(intended) = wanted(plan, seen).need else { panic!("no proposal is needed") };
    intended.proposal(plan, seen.at).unwrap()
}

/// A member who casts a ballot that says no by what it guards does no more harm than one who votes no.
#[test]
fn one_member_cannot_spoil_a_proposal_by_a_ballot_that_does_not_hold() {
    let (plan, mut seen) = stage(0);
    let proposal = needed(&plan, &seen);
    let id = hold(&mut seen, proposal.clone(), &[(1, true), (2, false)]);
    assert!(matches!(of(&plan, &seen, 3), Doing::Act(Act::Vote(voted, _)) if voted == id), "{:?}", of(&plan, &seen, 3));
    assert!(matches!(of(&plan, &seen, 1), Doing::Wait(_)), "{:?}", of(&plan, &seen, 1));
    // What cannot pass any more is made anew: no majority is left, all have voted, or the proposer's own yes is gone.
    for spent in [&[(2, false), (3, false)][..], &[(1, true), (2, false), (3, true)], &[(1, false)]] {
        hold(&mut seen, proposal.clone(), spent);
        assert_eq!(of(&plan, &seen, 1), Doing::Act(Act::Withdraw(id)), "{spent:?}");
    }
}

/// Two members' proposals may name different nodes, and a vote says for which one it is.
#[test]
fn a_vote_names_the_nodes_of_the_proposal_that_it_is_for() {
    let titles = |trusted: u8, actions: serde_json::Value| {
        let (plan, mut seen) = stage(trusted);
        let proposal = Proposal::of_value(json!({ "actions": actions })).unwrap();
        hold(&mut seen, proposal, &[(1, true)]);
        let Doing::Act(vote) = of(&plan, &seen, 2) else { panic!("{:?}", of(&plan, &seen, 2)) };
        let Doing::Wait(waiting) = of(&plan, &seen, 1) else { panic!("{:?}", of(&plan, &seen, 1)) };
        (vote.title(), waiting[0].what.clone())
    };
    let at = service(&virtual_code(1), 1).at;
    let valid_from = crate::proposal::time::write(at).unwrap();
    let args = json!({"node_id": id(6), "valid_from": valid_from, "validity_period_days": 90});
    for told in <[String; 2]>::from(titles(0, json!([{"name": "transition_node_to_trusted", "args": args}]))) {
        assert!(told.ends_with(": trust new node 06060606"), "{told}");
    }
    for told in <[String; 2]>::from(titles(3, json!([{"name": "remove_node", "args": {"node_id": id(3)}}]))) {
        assert!(told.ends_with(": retire node 03030303"), "{told}");
    }
}
