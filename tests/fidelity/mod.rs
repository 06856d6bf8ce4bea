//! What a simulation says beforehand is what the service then does: whether a proposal is valid, how many votes it takes, how it ends, and
//! which rows change; and what a ballot answers.
//!
//! The service is a sandbox, and a real node where `CCF_NODE` names one. The rules are ours, and those in the folder that
//! `CCF_GOV_CONSTITUTIONS` names. docs/fidelity.md says what came of it.

mod ballots;
mod host;
mod proposals;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use ccf_gov::constitution::Resolution;
use ccf_gov::cose::MessageType;
use ccf_gov::id::ProposalId;
use ccf_gov::kv::{Change, table};
use ccf_gov::review::simulate::{BallotAnswer, Outcome, Trial};
use ccf_gov::review::state::{State, why_not_known};
use serde_json::{Value, json};

use crate::support::skip::skip;
use ballots::ballots;
use host::{Ended, Host, YES};
use proposals::proposals;
use rules::Rules;

#[tokio::test]
async fn a_hundred_proposals_end_as_was_said() {
    let outcomes = compare_proposals(&Host::sandbox(&Rules::ours()).await, &Rules::ours()).await;
    assert!(outcomes.len() >= 2, "{outcomes:?}");
}

#[tokio::test]
async fn sixty_ballots_answer_as_was_said() {
    compare_ballots(&Host::sandbox(&Rules::ours()).await).await;
}

#[tokio::test]
async fn proposals_and_ballots_end_as_was_said_on_a_real_node() {
    let Some(executable) = node() else { return };
    compare_proposals(&Host::node(&executable, &Rules::ours()).await, &Rules::ours()).await;
    compare_ballots(&Host::node(&executable, &Rules::ours()).await).await;
}

#[tokio::test]
async fn proposals_end_as_was_said_under_public_constitutions() {
    let Some(all) = public() else { return };
    for rules in all {
        let outcomes = compare_proposals(&Host::sandbox(&rules).await, &rules).await;
        eprintln!("{}, sandbox: {outcomes:?}", rules.name);
    }
}

#[tokio::test]
async fn proposals_end_as_was_said_under_public_constitutions_on_a_real_node() {
    let (Some(executable), Some(all)) = (node(), public()) else { return };
    for rules in all {
        let outcomes = compare_proposals(&Host::node(&executable, &rules).await, &rules).await;
        eprintln!("{}, real node: {outcomes:?}", rules.name);
    }
}

fn node() -> Option<PathBuf> {
    let executable = std::env::var_os("CCF_NODE").map(PathBuf::from);
    if executable.is_none() {
        skip("CCF_NODE does not name a CCF node's executable");
    }
    executable
}

fn public() -> Option<Vec<Rules>> {
    let rules = Rules::public();
    if rules.is_none() {
        skip("CCF_GOV_CONSTITUTIONS does not name a folder of public constitutions");
    }
    rules
}

/// Every proposal in turn, as the first member proposes it and the three vote for it; how many ended how.
async fn compare_proposals(host: &Host, rules: &Rules) -> BTreeMap<String, usize> {
    let proposals = proposals();
    assert!(proposals.len() >= 100, "{}", proposals.len());
    let mut outcomes = BTreeMap::new();
    let mut before = host.state().await;
    for (what, text) in proposals {
        let simulation = before.simulator().run(&Trial::new(&text, host.id(0))).unwrap();
        let said = said(host, &before, &text);
        let done = host.put(&text).await;
        let after = host.state().await;
        let is_open_question = rules.has_operator && !simulation.uncertain.is_empty();
        if simulation.outcome == Outcome::Unknown || is_open_question && said != done {
            *outcomes.entry("unknown".to_owned()).or_default() += 1;
        } else {
            assert_eq!(said, done, "{}, {what}: {simulation:?}", rules.name);
            let changed = after.tables.changes_since(&before.tables);
            assert_eq!(rows(&simulation.changes), rows(&changed), "{}, {what}", rules.name);
            *outcomes.entry(format!("{:?}", done.outcome)).or_default() += 1;
        }
        before = after;
    }
    outcomes
}

/// What comes of it when the members vote yes one after the other.
fn said(host: &Host, state: &State, text: &str) -> Ended {
    let mut trial = Trial::new(text, host.id(0));
    let mut votes = 0;
    loop {
        let simulation = state.simulator().run(&trial).unwrap();
        let outcome = simulation.outcome;
        let is_decided = simulation.passing.is_none_or(|passing| passing.now != Resolution::Open);
        if is_decided && outcome == Outcome::Failed && votes == 0 {
            // What cannot be resolved when it is made is not made.
            return Ended { outcome: Outcome::NotValid, votes };
        }
        if is_decided || votes == 3 {
            return Ended { outcome, votes };
        }
        trial = trial.with_vote(host.id(votes), true);
        votes += 1;
    }
}

/// The rows that change, of tables that are rebuilt whole or nearly so; whether each was there before, and is afterwards.
fn rows(changes: &[Change]) -> BTreeSet<(String, String, bool, bool)> {
    let proposals = [table::PROPOSALS, table::PROPOSALS_INFO];
    let known = |change: &&Change| {
        let name = change.table.as_str();
        (why_not_known(name).is_none() || name == table::NODE_INFO) && !proposals.contains(&name)
    };
    let row = |change: &Change| {
        let key = String::from_utf8_lossy(&change.key).into_owned();
        (change.table.clone(), key, change.before.is_some(), change.after.is_some())
    };
    changes.iter().filter(known).map(row).collect()
}

async fn compare_ballots(host: &Host) {
    let ballots = ballots();
    assert!(ballots.len() >= 60, "{}", ballots.len());
    let mut answers = BTreeSet::new();
    for (at, script) in ballots.iter().enumerate() {
        let actions = json!([{"name": "add_virtual_host_data", "args": {"host_data": format!("{at:064x}")}}]);
        let (_, made) = host.send(MessageType::Proposal, 1, None, &json!({ "actions": actions }).to_string()).await;
        let id = made["proposalId"].as_str().unwrap();
        let simulator = host.state().await.simulator();
        let trial = simulator.open_proposal(id.parse::<ProposalId>().unwrap()).unwrap().with_ballot(host.id(0), script);
        let (runs, _) = simulator.run_ballots(&trial).unwrap();
        let said = match &runs[0].answer {
            BallotAnswer::Yes => "yes",
            BallotAnswer::No => "no",
            BallotAnswer::Threw(_) => "throws",
            BallotAnswer::DoesNotLoad(_) => "refused",
            BallotAnswer::Unknown(_) => "unknown",
        };
        let (status, _) = host.vote(0, id, script).await;
        let mut decided = Value::Null;
        for member in [1, 2] {
            if decided["finalVotes"].is_null() {
                decided = host.vote(member, id, YES).await.1;
            }
        }
        let me = &host.members[0].id;
        let done = match (status, decided["finalVotes"][me].as_bool(), decided["voteFailures"].get(me)) {
            (200, Some(true), _) => "yes",
            (200, Some(false), _) => "no",
            (200, None, Some(_)) => "throws",
            _ => "refused",
        };
        assert_eq!(said, done, "{script}: {status} {decided} {runs:?}");
        answers.insert(done);
    }
    assert_eq!(answers.into_iter().collect::<Vec<_>>(), ["no", "refused", "throws", "yes"]);
}
