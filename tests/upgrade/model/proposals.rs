//! What a member does about proposals, in one situation after another.

use ccf_gov::proposal::Proposal;
use ccf_gov::service::{MemberStatus, NodeStatus, ProposalState};
use ccf_gov::upgrade::{Act, Doing, Who, Whom, next};

use super::bench::{Bench, NOBODY};

#[test]
fn of_two_proposals_that_do_the_same_one_is_withdrawn_by_its_proposer() {
    let mut bench = Bench::new(3, 3);
    let (a, b) = (bench.propose(0), bench.propose(1));
    let (first, second) = if a < b { (a, b) } else { (b, a) };
    let loser = if a < b { 1 } else { 0 };
    assert_eq!(bench.of_member(loser), Doing::Act(Act::Withdraw(second)));
    assert!(matches!(bench.of_member(2), Doing::Act(Act::Vote(id, _)) if id == first));
    // The one with more ballots stays, whichever it is.
    bench.ballot(second, 2, true);
    assert_eq!(bench.of_member(1 - loser), Doing::Act(Act::Withdraw(first)));
    assert!(matches!(bench.of_member(loser), Doing::Act(Act::Vote(id, _)) if id == second));
}

#[test]
fn a_proposal_on_which_all_have_voted_in_vain_waits_for_them_to_agree() {
    let mut bench = Bench::new(3, 3);
    let id = bench.propose(0);
    bench.ballot(id, 0, true);
    bench.ballot(id, 1, false);
    assert!(matches!(&bench.waiting()[..], [one] if one.whom == Whom::Members(vec![bench.member(2)])));
    bench.ballot(id, 2, false);
    // Nobody is asked the same again without end, and nothing is withdrawn behind a person's back.
    for member in 0..3 {
        let Doing::Wait(waiting) = bench.of_member(member) else { panic!("{:?}", bench.of_member(member)) };
        assert!(waiting[0].what.starts_with("agree: ") && waiting[0].what.contains("proposal withdraw"), "{waiting:?}");
    }
}

#[test]
fn what_is_done_already_is_withdrawn_and_what_is_another_ones_is_not() {
    let mut bench = Bench::new(3, 3).with_new(3, 0);
    let done = bench.propose(0);
    let gone = bench.running(&bench.old)[1];
    bench.change(|state| {
        let entry = state.nodes.get_mut(&gone).unwrap();
        (entry.status, entry.retired_committed) = (NodeStatus::Retired, true);
    });
    assert_eq!(bench.of_member(0), Doing::Act(Act::Withdraw(done)));
    assert!(matches!(bench.of_member(1), Doing::Act(Act::Propose(_))));
    // With something else in it, it is not of the walk: it stays, and is refused.
    bench.change(|state| state.proposals.clear());
    let mixed = serde_json::json!({"actions": [
        {"name": "remove_node", "args": {"node_id": gone}}, {"name": "set_user", "args": {"cert": "x"}}]});
    let mixed = bench.hold(0, Proposal::of_value(mixed).unwrap());
    assert!(matches!(bench.of_member(0), Doing::Act(Act::Propose(_))));
    assert!(bench.next(NOBODY).refused.iter().any(|(id, why)| *id == mixed && why.contains("actions")));
}

#[test]
fn what_was_rejected_or_failed_is_not_proposed_again_by_itself() {
    for state in [ProposalState::Rejected, ProposalState::Failed] {
        let mut bench = Bench::new(3, 3);
        let id = bench.propose(0);
        bench.change(|ledger| ledger.proposals.get_mut(&id).unwrap().state = state);
        let Doing::Wait(waiting) = bench.of_member(1) else { panic!() };
        assert!(
            matches!(&waiting[0].whom, Whom::Members(all) if all.len() == 3) && waiting[0].what.starts_with("agree")
        );
        let again = bench.propose(2);
        assert!(matches!(bench.of_member(1), Doing::Act(Act::Vote(id, _)) if id == again));
    }
    for state in [ProposalState::Withdrawn, ProposalState::Dropped] {
        let mut bench = Bench::new(3, 3);
        let id = bench.propose(0);
        bench.change(|ledger| ledger.proposals.get_mut(&id).unwrap().state = state);
        assert!(matches!(bench.of_member(1), Doing::Act(Act::Propose(_))), "{state}");
    }
}

#[test]
fn only_the_named_proposer_proposes() {
    let mut bench = Bench::new(3, 3);
    let proposer = bench.member(1);
    bench.plan.proposer = Some(proposer.into());
    assert!(matches!(bench.of_member(1), Doing::Act(Act::Propose(_))));
    let Doing::Wait(waiting) = bench.of_member(0) else { panic!() };
    assert_eq!(waiting[0].whom, Whom::Members(vec![proposer]));
}

#[test]
fn a_member_who_is_not_active_neither_proposes_nor_votes() {
    let bench = Bench::new(3, 3);
    let mut seen = bench.seen();
    seen.members[0].status = MemberStatus::Accepted;
    let who = Who { member: Some(seen.members[0].member_id), operator: false };
    assert!(
        matches!(next(&bench.plan, &seen, who).doing, Doing::Blocked(reasons) if reasons[0].starts_with("members-active"))
    );
    let mut plan = bench.plan.clone();
    plan.waived.insert("members-active".into(), "on leave".into());
    let Doing::Wait(waiting) = next(&plan, &seen, who).doing else { panic!() };
    assert!(matches!(&waiting[0].whom, Whom::Members(all) if all.len() == 2));
}
