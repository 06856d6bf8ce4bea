//! Steps on a sandbox where something goes wrong: nobody is harmed, and somebody is named.

use ccf_gov::cose::MessageType;
use ccf_gov::proposal::{Action, Proposal};
use ccf_gov::sandbox::NodeCode;
use ccf_gov::service::ProposalState;
use ccf_gov::upgrade::{Act, Doing, Observed, Phase, Task, Whom};
use serde_json::json;

use super::stage::{Stage, did};

const YES: &[u8] = br#"{"ballot": "export function vote (proposal, proposerId) { return true; }"}"#;

#[tokio::test]
async fn a_node_that_runs_other_code_is_never_trusted() {
    let stage = Stage::registered().await;
    let id = stage.sandbox.join(NodeCode::named("old")).await.unwrap();
    let stepped = stage.member(0).await;
    assert!(stepped.did.is_empty(), "{:?}", stepped.did);
    assert!(stepped.seen.node(id).is_some() && stepped.next.wanted.tasks == [Task::Start(3)]);
    let Doing::Wait(waiting) = &stepped.next.doing else { panic!("{:?}", stepped.next.doing) };
    assert_eq!(waiting.iter().map(|w| &w.whom).collect::<Vec<_>>(), [&Whom::Operator]);
}

#[tokio::test]
async fn a_dead_old_node_is_retired_before_a_new_one_is_trusted_where_the_rest_would_be_no_majority() {
    let stage = Stage::registered().await;
    let backup = stage.sandbox.nodes().into_iter().find(|n| Some(n.id) != stage.sandbox.primary()).unwrap().id;
    stage.sandbox.stop(backup).unwrap();
    stage.join().await;
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    let stepped = stage.member(0).await;
    assert_eq!(did(&stepped)[0], format!("propose to retire node {}", backup.short()));
    stage.finish(&[0, 1, 2]).await;
}

#[tokio::test]
async fn two_members_of_three_and_an_operator_come_to_the_end() {
    let stage = Stage::new().await;
    stage.finish(&[1, 2]).await;
    assert!(stage.member(0).await.did.is_empty());
}

#[tokio::test]
async fn an_election_in_every_phase_stops_nobody() {
    let stage = Stage::registered().await;
    let elect = async || {
        let primary = stage.sandbox.primary().unwrap();
        stage.sandbox.pause(primary).unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        stage.sandbox.resume(primary).unwrap();
    };
    elect().await;
    stage.operator().await;
    elect().await;
    stage.member(1).await;
    elect().await;
    stage.finish(&[0, 1]).await;
}

#[tokio::test]
async fn a_new_node_that_dies_after_it_was_trusted_is_replaced_and_retired() {
    let stage = Stage::registered().await;
    stage.operator().await;
    while stage.look(0).await.1.phase() == Phase::JoinAndTrust {
        stage.member(0).await;
        stage.member(1).await;
    }
    let primary = stage.sandbox.primary();
    let new = stage.sandbox.nodes().into_iter().rev().find(|n| Some(n.id) != primary).unwrap().id;
    stage.sandbox.stop(new).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    stage.finish(&[0, 1, 2]).await;
    assert!(stage.look(0).await.0.node(new).is_none(), "the dead node is gone");
}

#[tokio::test]
async fn of_two_proposals_that_are_made_at_once_one_is_withdrawn() {
    let stage = Stage::registered().await;
    stage.operator().await;
    let ((seen0, next0), (seen1, next1)) = (stage.look(0).await, stage.look(1).await);
    let (Doing::Act(first), Doing::Act(second)) = (&next0.doing, &next1.doing) else { panic!("{next0:?} {next1:?}") };
    assert!(matches!((first, second), (Act::Propose(_), Act::Propose(_))));
    stage.perform(0, &seen0, first).await.unwrap();
    stage.perform(1, &seen1, second).await.unwrap();
    let open = |seen: &Observed| seen.proposals.values().filter(|known| known.state == ProposalState::Open).count();
    assert_eq!(open(&stage.look(2).await.0), 2);
    let stepped = [stage.member(0).await, stage.member(1).await];
    let all: Vec<&str> = stepped.iter().flat_map(did).collect();
    assert_eq!(all.iter().filter(|did| did.starts_with("withdraw")).count(), 1, "{all:?}");
    stage.finish(&[0, 1, 2]).await;
}

#[tokio::test]
async fn what_is_not_the_plan_gets_no_vote() {
    let stage = Stage::new().await;
    stage.member(0).await;
    let other = Proposal::of(vec![Action::new("add_virtual_host_data", Some(json!({"host_data": "ab".repeat(32)})))]);
    let other = stage.propose(1, &other).await;
    let stepped = stage.member(2).await;
    assert!(did(&stepped).iter().all(|did| !did.contains(&other.short())), "{:?}", stepped.did);
    // Its acceptance dropped the other one.
    let state = |id| async move { stage.service.find_proposal(id).await.unwrap().map(|p| p.value.proposal_state) };
    assert!(matches!(state(other).await, None | Some(ProposalState::Dropped)));
}

#[tokio::test]
async fn a_registration_that_another_one_dropped_is_proposed_again() {
    let stage = Stage::new().await;
    stage.member(0).await;
    let (seen, _) = stage.look(1).await;
    let dropped = *seen.proposals.keys().next().unwrap();
    let same = Proposal::of(vec![Action::new(
        "add_virtual_measurement",
        Some(json!({"measurement": ccf_gov::sandbox::VIRTUAL_MEASUREMENT})),
    )]);
    let other = stage.propose(1, &same).await;
    stage.by_hand(1, MessageType::Ballot, Some(other), YES).await;
    stage.by_hand(2, MessageType::Ballot, Some(other), YES).await;
    let stepped = stage.member(0).await;
    assert!(did(&stepped).first().is_some_and(|did| did.starts_with("propose to register")), "{:?}", stepped.did);
    let found = stage.service.find_proposal(dropped).await.unwrap().map(|p| p.value.proposal_state);
    assert!(matches!(found, None | Some(ProposalState::Dropped)), "{found:?}");
    stage.finish(&[0, 1, 2]).await;
}

#[tokio::test]
async fn while_old_nodes_live_the_way_back_is_walked_under_the_same_guard() {
    let mut stage = Stage::registered().await;
    stage.operator().await;
    let old = stage.plan.new.clone();
    // Two new nodes are trusted, and the members want the old code again.
    for member in [0, 1] {
        stage.member(member).await;
    }
    let (seen, _) = stage.look(0).await;
    stage.plan = stage.plan.back(&seen).unwrap();
    assert_ne!(stage.plan.new, old);
    // What was proposed on the way forward is named, gets no vote, and is withdrawn by whoever proposed it.
    let (seen, next) = stage.look(2).await;
    let [(id, _)] = &next.refused[..] else { panic!("{:?}", next.refused) };
    let proposer = (0..3).find(|at| stage.id(*at) == seen.proposals[id].proposer).unwrap();
    assert_ne!(proposer, 2);
    let stepped = stage.member(proposer).await;
    assert_eq!(did(&stepped)[0], format!("withdraw proposal {}, which is not needed", id.short()));
    stage.finish(&[0, 1, 2]).await;
    let (seen, _) = stage.look(0).await;
    assert!(!old.is_admitted(&seen.join_policy) && stage.plan.new.is_admitted(&seen.join_policy));
}
