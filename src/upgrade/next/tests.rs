use serde_json::json;
use time::Duration;

use super::*;
use crate::proposal::Proposal;
use crate::service::{Member, Node, NodeStatus, Proposal as Listed};
use crate::upgrade::forecast::testing::{id, service, virtual_code};
use crate::upgrade::{ObservedBallot, ObservedNode};

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
        (vote.title(&plan), waiting[0].what.clone())
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

/// Three old nodes, a new one that waits, and the new code is registered.
fn waiting() -> (Plan, Observed) {
    let mut seen = service(&virtual_code(1), 3);
    let plan = Plan::of(virtual_code(2), 3);
    let mut node = seen.nodes[0].clone();
    (node.id, node.status, node.running) = (id(4), NodeStatus::Pending, Some(plan.new.running()));
    seen.nodes.push(node);
    seen.join_policy.virtual_.host_data.push(plan.new.running().identity().to_owned());
    (plan, seen)
}

fn closed(proposal: Proposal, state: ProposalState) -> ObservedProposal {
    ObservedProposal {
        proposer: member(9),
        state,
        proposal: Some(proposal),
        ballots: BTreeMap::new(),
        ballot_count: 2,
        outcome: Some("no by carol".into()),
    }
}

#[test]
fn nodes_that_were_rejected_are_not_proposed_again_when_their_certificates_would_begin_too_early() {
    let (plan, mut seen) = waiting();
    let me = Who { member: Some(member(9)), operator: false };
    let Doing::Act(Act::Propose(intended)) = next(&plan, &seen, me).doing else { panic!() };
    let early = intended.proposal(&plan, seen.at - Duration::days(3)).unwrap();
    assert!(intended.check(&plan, seen.at, &early).is_err(), "it gets no vote any more");
    let proposal = ProposalId::from_bytes([5; 32]);
    seen.proposals.insert(proposal, closed(early.clone(), ProposalState::Rejected));
    let Doing::Wait(waiting) = next(&plan, &seen, me).doing else { panic!() };
    assert!(waiting[0].what.contains("is Rejected: no by carol"), "{waiting:?}");
    // It could not be applied for that very reason; another node was rejected; another proposal was withdrawn.
    let mut other = seen.clone();
    other.proposals.insert(proposal, closed(early.clone(), ProposalState::Failed));
    assert!(matches!(next(&plan, &other, me).doing, Doing::Act(Act::Propose(_))));
    other.proposals.insert(proposal, closed(early, ProposalState::Withdrawn));
    assert!(matches!(next(&plan, &other, me).doing, Doing::Act(Act::Propose(_))));
    let dead = Intended::Trust { nodes: vec![id(7)], most: 1 }.proposal(&plan, seen.at).unwrap();
    other.proposals.insert(proposal, closed(dead, ProposalState::Rejected));
    assert!(matches!(next(&plan, &other, me).doing, Doing::Act(Act::Propose(_))));
}

fn named(n: u8, certificate: &str) -> Member {
    let json = json!({"memberId": member(n), "status": "Active", "certificate": certificate, "memberData": null});
    serde_json::from_value(json).unwrap()
}

#[test]
fn the_proposer_is_one_member_by_id_by_its_first_digits_or_by_name() {
    let pem = include_str!("../../../keys-example/member0_cert.pem");
    let id = crate::cose::MemberCertificate::from_pem(pem.as_bytes()).unwrap().member_id();
    let (mut plan, mut seen) = waiting();
    let alice = json!({"memberId": id, "status": "Active", "certificate": pem, "memberData": null});
    seen.members = vec![named(8, ""), serde_json::from_value(alice).unwrap()];
    for given in [id.to_string(), id.to_string()[..8].to_owned(), "member0".to_owned()] {
        plan.proposer = Some(given.parse().unwrap());
        assert_eq!(plan.proposing(&seen), Ok(Some(id)), "{given}");
        let of = |member| next(&plan, &seen, Who { member: Some(member), operator: false }).doing;
        assert!(matches!(of(id), Doing::Act(Act::Propose(_))), "{given}");
        let Doing::Wait(waiting) = of(member(8)) else { panic!() };
        assert_eq!(waiting[0].whom, Whom::Members(vec![id]));
    }
    // Not to the letter, or of two members: nobody proposes.
    plan.proposer = Some("Member0".parse().unwrap());
    let Doing::Blocked(reasons) = next(&plan, &seen, Who::default()).doing else { panic!() };
    assert!(
        reasons[0].starts_with("proposer: [rules] proposer in upgrade.toml: the service has no member"),
        "{reasons:?}"
    );
    let mut other = [8; 32];
    other[31] = 9;
    seen.members.push(Member { member_id: MemberId::from_bytes(other), ..named(8, "") });
    plan.proposer = Some("08080808".parse().unwrap());
    let Doing::Blocked(reasons) = next(&plan, &seen, Who::default()).doing else { panic!() };
    assert!(reasons[0].ends_with("give the id"), "{reasons:?}");
}

#[test]
fn nodes_that_still_wait_at_the_end_are_named() {
    let mut seen = service(&virtual_code(2), 3);
    let plan = Plan::of(virtual_code(2), 3);
    assert_eq!(seen.leftover(), None);
    let mut node = seen.nodes[0].clone();
    (node.id, node.status) = (id(4), NodeStatus::Pending);
    seen.nodes.push(node);
    let next = next(&plan, &seen, Who::default());
    assert_eq!(next.doing, Doing::Done);
    let stepped = crate::upgrade::Stepped { did: Vec::new(), seen: seen.clone(), next };
    assert_eq!(stepped.leftover().unwrap(), "still waiting to join: 04040404; nobody trusts them");
    let report = crate::upgrade::Report::of(&plan, &seen, Vec::new(), 0, crate::check::Checks::new());
    assert!(report.to_html().contains("still waiting to join: 04040404; nobody trusts them"));
}

#[test]
fn a_report_says_what_is_waived_and_why_there_is_no_artefact() {
    let seen = service(&virtual_code(2), 3);
    let mut plan = Plan::of(virtual_code(2), 3);
    plan.waived.insert("node-count".into(), "a <test>".into());
    plan.without_artefact = Some("built by <others>".into());
    let page = crate::upgrade::Report::of(&plan, &seen, Vec::new(), 0, crate::check::Checks::new()).to_html();
    assert!(page.contains("<td>a &lt;test&gt;</td><td>the check passes today</td>"), "{page}");
    assert!(page.contains("Values are given instead of artefacts: built by &lt;others&gt;"), "{page}");
}

#[test]
fn what_an_application_commits_is_no_reason_to_look_again() {
    let (plan, mut seen) = waiting();
    let Doing::Act(Act::Propose(intended)) = next(&plan, &seen, Who { member: Some(member(9)), operator: false }).doing
    else {
        panic!()
    };
    let made = closed(intended.proposal(&plan, seen.at).unwrap(), ProposalState::Open);
    seen.proposals.insert(ProposalId::from_bytes([5; 32]), made);
    let nodes: Vec<Node> = seen.nodes.iter().map(|node| listed_node(node.id, node.status)).collect();
    let proposals = vec![listed_proposal("Open", 2)];
    assert!(seen.is_as_listed(&nodes, &proposals));
    assert!(!seen.is_as_listed(&nodes, &[]), "a proposal is purged");
    assert!(!seen.is_as_listed(&nodes, &[listed_proposal("Open", 3)]), "somebody has voted");
    assert!(!seen.is_as_listed(&nodes, &[listed_proposal("Accepted", 2)]), "it is decided");
    assert!(!seen.is_as_listed(&nodes[1..], &proposals), "a node is deleted");
    let mut trusted = nodes.clone();
    trusted[3] = listed_node(id(4), NodeStatus::Trusted);
    assert!(!seen.is_as_listed(&trusted, &proposals), "a node is trusted");
    let mut more = nodes;
    more.push(listed_node(id(5), NodeStatus::Pending));
    assert!(!seen.is_as_listed(&more, &proposals), "a node has come");
}

fn listed_node(node: NodeId, status: NodeStatus) -> Node {
    serde_json::from_value(json!({"nodeId": node, "status": status.to_string()})).unwrap()
}

fn listed_proposal(state: &str, ballots: u64) -> Listed {
    let id = ProposalId::from_bytes([5; 32]);
    serde_json::from_value(json!({
        "proposalId": id, "proposerId": member(9), "proposalState": state, "ballotCount": ballots,
    }))
    .unwrap()
}

#[test]
fn another_node_is_started_only_for_one_that_was_silent_for_long() {
    let mut seen = service(&virtual_code(1), 3);
    let plan = Plan::of(virtual_code(1), 3);
    let silent = seen.nodes[2].id;
    for (silent_ms, lost) in [(20, false), (1500, false), (4999, false), (5000, true)] {
        let network = seen.replication.as_mut().unwrap();
        network.heard.get_mut(&silent).unwrap().silent_ms = silent_ms;
        network.caught_up.insert(silent);
        if silent_ms >= 1000 {
            network.caught_up.remove(&silent);
        }
        let wanted = crate::upgrade::wanted(&plan, &seen);
        let starts = wanted.tasks.iter().any(|task| matches!(task, Task::Start(_) | Task::Replace(_)));
        assert_eq!(starts, lost, "{silent_ms}: {wanted:?}");
    }
}
