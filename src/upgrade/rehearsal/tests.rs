use futures_util::{StreamExt, stream};
use serde_json::json;

use super::*;
use crate::constitution::DEFAULT;
use crate::digest::HostData;
use crate::kv::row::{read, rows, write};
use crate::kv::table;
use crate::platform::Platform;
use crate::proposal::Registration;
use crate::review::state::{Reading, State};
use crate::sandbox::{Sandbox, SnpCode, example_members, security_policy};
use crate::service::{self, Service};
use crate::upgrade::{Code, CodeKind, CodeValue};

async fn walked(signing: Signing) -> Vec<RehearsedStep> {
    let rehearsal = Rehearsal { signing, ..Rehearsal::example(example_signers().unwrap()) };
    let walked = rehearse(rehearsal, &mut |_| {}).await.unwrap();
    assert_eq!(walked.end, End::Done);
    walked.steps
}

async fn with(faults: &[&str]) -> Rehearsed {
    let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
    let rehearsal = Rehearsal { faults, ..Rehearsal::example(example_signers().unwrap()) };
    rehearse(rehearsal, &mut |_| {}).await.unwrap()
}

#[tokio::test]
async fn a_rehearsal_walks_every_phase() {
    let steps = walked(Signing::Direct).await;
    let mut phases: Vec<Phase> = steps.iter().map(|s| s.phase).collect();
    phases.dedup();
    assert_eq!(phases.iter().copied().collect::<std::collections::BTreeSet<_>>().len(), 6, "{phases:?}");
    assert!(steps.iter().all(|step| step.topology.quorum.f >= 1), "the network always tolerates a failure");
    let last = steps.last().unwrap();
    assert!(last.topology.nodes.iter().all(|n| n.code == CodeKind::New && n.caught_up));
    // Two of three members decide: each proposal is made once, and has two votes.
    let votes = |what: &str| steps.iter().flat_map(|s| &s.did).filter(|d| d.what.starts_with(what)).count();
    assert_eq!(votes("vote"), 2 * votes("propose"));
}

#[tokio::test]
async fn a_rehearsal_can_prepare_and_finish_every_signature() {
    assert!(!walked(Signing::PrepareAndFinish).await.is_empty());
}

/// Whenever a node dies, a proposal is dropped or an election comes, the walk reaches its end, and says how.
async fn recovers(fault: String) {
    let walked = with(&[&fault]).await;
    assert_eq!(walked.end, End::Done, "{fault}: {:?}", walked.faults);
    let [told] = &walked.faults[..] else { panic!("{:?}", walked.faults) };
    assert!(told.after_step.is_some() && told.recovery.is_some(), "{told:?}");
}

/// Two at a time: a walk that has a machine for itself mostly waits.
async fn all_recover(faults: impl IntoIterator<Item = String>) {
    stream::iter(faults).for_each_concurrent(2, recovers).await;
}

#[tokio::test]
async fn the_primary_may_die_in_every_phase() {
    all_recover(Phase::ALL.map(|phase| format!("primary-dies@{}", phase.name()))).await;
}

#[tokio::test]
async fn another_node_may_die_in_every_phase() {
    all_recover(Phase::ALL.map(|phase| format!("node-dies@{}", phase.name()))).await;
}

#[tokio::test]
async fn elections_slow_nodes_and_dropped_proposals_are_walked_through() {
    let elections = Phase::ALL.map(|phase| format!("election@{}", phase.name()));
    let dropped = Phase::ALL.into_iter().filter(|phase| *phase != Phase::Delete);
    let dropped = dropped.map(|phase| format!("dropped-proposal@{}", phase.name()));
    all_recover(elections.into_iter().chain(dropped).chain(["slow-join".to_owned()])).await;
}

#[tokio::test]
async fn one_absent_member_is_not_missed_and_two_are_waited_for_by_name() {
    recovers("member-absent@retire".into()).await;
    let walked = with(&["member-absent@retire", "member-absent@retire"]).await;
    let End::Waiting(waiting) = &walked.end else { panic!("{:?}", walked.end) };
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    assert!(waiting[0].whom.contains("member1") && waiting[0].whom.contains("member2"), "{waiting:?}");
    assert!(walked.faults.iter().all(|told| told.recovery.is_none()), "{:?}", walked.faults);
}

/// The state of a sandbox, and a plan for it with this new code.
async fn state_of(options: Options, new: Code) -> (State, Plan) {
    let sandbox = Sandbox::start(options).await.unwrap();
    let addresses = sandbox.nodes().iter().map(|node| node.url.parse().unwrap()).collect();
    let options = service::Options::new(addresses, sandbox.service_certificate().into_bytes());
    let service = Service::connect(options).await.unwrap();
    let state = State::read(&service, &Reading::new(&|_, _| {})).await.unwrap();
    let plan = Plan { service: state.identity().unwrap().0, ..Plan::of(new, sandbox.nodes().len()) };
    (state, plan)
}

fn service_of(nodes: Vec<NodeCode>) -> Options {
    Options::new(example_members(), DEFAULT.into(), nodes)
}

#[tokio::test]
async fn a_plan_is_walked_on_a_copy_whose_members_and_rules_are_the_services_own() {
    let mut options = service_of(vec![NodeCode::named("old"); 5]);
    // Under these rules, only whoever has a role may vote, and all who have must.
    options.members[0].data = json!({"role": "approver"});
    options.members[2].data = json!({"role": "approver"});
    options.constitution += "\nfunction isApprover(id) { const key = ccf.strToBuf(id); return ccf.bufToJsonCompatible(ccf.kv[\"public:ccf.gov.members.info\"].get(key)).member_data?.role === \"approver\"; }\n";
    options.constitution = options.constitution.replace("export function resolve(", "function majority(");
    options.constitution += "export function resolve(proposal, proposerId, votes) { return votes.filter((v) => v.vote && isApprover(v.member_id)).length === 2 ? \"Accepted\" : \"Open\"; }\n";
    let (state, plan) = state_of(options, Code::virtual_node(HostData([7; 32]))).await;
    let rehearsal = Rehearsal::of(&plan, &state).unwrap();
    assert_eq!(
        rehearsal.members().iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(),
        ["member0", "member1", "member2"]
    );
    assert!(
        rehearsal.copied.join("\n").contains("5 nodes (5 trusted, 0 that wait, 0 retired)"),
        "{:?}",
        rehearsal.copied
    );
    assert!(rehearsal.not_copied.iter().any(|what| what.contains("recovery shares")), "{:?}", rehearsal.not_copied);
    let copies: Vec<MemberId> = rehearsal.members().iter().map(|(id, _)| *id).collect();
    let walked = rehearse(rehearsal, &mut |_| {}).await.unwrap();
    assert_eq!(walked.end, End::Done);
    let decided = walked.steps.iter().flat_map(|step| &step.did).filter(|did| !did.votes.is_empty());
    assert!(decided.clone().count() > 0);
    assert!(decided.into_iter().all(|did| did.votes.contains_key(&copies[0]) && did.votes.contains_key(&copies[2])));
    // Somebody without whom nothing passes is waited for.
    let faults = vec!["member-absent@deregister".parse().unwrap()];
    let rehearsal = Rehearsal { faults, ..Rehearsal::of(&plan, &state).unwrap() };
    let walked = rehearse(rehearsal, &mut |_| {}).await.unwrap();
    let End::Waiting(waiting) = &walked.end else { panic!("{:?}", walked.end) };
    assert!(waiting[0].whom.contains("member2"), "{waiting:?}");
}

#[tokio::test]
async fn snp_nodes_are_copied_under_roots_of_the_rehearsal() {
    let old = SnpCode::named("old");
    let (state, mut plan) =
        state_of(service_of(vec![NodeCode::Snp(old.clone()); 3]), Code::virtual_node(HostData([7; 32]))).await;
    let new = SnpCode::renewed("new");
    let uvm = new.uvm.clone().unwrap();
    let value = |kind, args| CodeValue { kind, args };
    plan.new = Code {
        platform: Platform::Snp,
        values: vec![
            value(
                Registration::SnpUvmEndorsement,
                json!({"did": "did:x509:0:sha256:an-issuer::eku:1.3", "feed": uvm.feed, "svn": uvm.svn}),
            ),
            value(
                Registration::SnpHostData,
                json!({"host_data": new.host_data, "security_policy": security_policy("new")}),
            ),
        ],
    };
    let walked = rehearse(Rehearsal::of(&plan, &state).unwrap(), &mut |_| {}).await.unwrap();
    assert_eq!(walked.end, End::Done);
    let last = walked.steps.last().unwrap();
    assert!(last.topology.nodes.len() == 3 && last.topology.nodes.iter().all(|node| node.code == CodeKind::New));
}

#[tokio::test]
async fn a_walk_that_is_under_way_is_gone_on_with() {
    let (state, plan) =
        state_of(service_of(vec![NodeCode::named("old"); 3]), Code::virtual_node(HostData([7; 32]))).await;
    let mut state = state;
    // One old node is retired and not deleted, and one waits; nothing else of the new code is there.
    let names: Vec<String> = rows(&state.tables, table::NODE_INFO).map(|(id, _)| id).collect();
    for (name, status) in names.iter().zip(["Retired", "Pending"]) {
        let mut row = read(&state.tables, table::NODE_INFO, name).unwrap();
        row["status"] = status.into();
        write(&mut state.tables, table::NODE_INFO, name, &row);
    }
    let plan = Plan { nodes: 1, minimum_f: 0, ..plan };
    let rehearsal = Rehearsal::of(&plan, &state).unwrap();
    assert!(
        rehearsal.copied.join("\n").contains("3 nodes (1 trusted, 1 that wait, 1 retired)"),
        "{:?}",
        rehearsal.copied
    );
    let walked = rehearse(rehearsal, &mut |_| {}).await.unwrap();
    assert_eq!(walked.end, End::Done);
    let deleted = walked.steps.iter().flat_map(|s| &s.did).filter(|did| did.what.starts_with("delete")).count();
    assert_eq!(deleted, 2, "the one that was retired, and the one that the walk retires");
}

#[tokio::test]
async fn what_cannot_be_copied_is_refused_with_the_reason() {
    let (state, plan) = state_of(service_of(vec![NodeCode::named("old")]), Code::virtual_node(HostData([7; 32]))).await;
    let refused = |plan: &Plan, state: &State| Rehearsal::of(plan, state).unwrap_err().to_string();
    assert!(refused(&Plan { service: [0; 32], ..plan.clone() }, &state).contains("another service"));
    let mut none = state.clone();
    none.tables.clear(table::MEMBER_INFO);
    assert!(refused(&plan, &none).contains("no member"));
    let mut none = state.clone();
    none.tables.clear(table::NODE_INFO);
    assert!(refused(&plan, &none).contains("no node"));
    let mut dark = state.clone();
    let (name, mut row) = rows(&dark.tables, table::NODE_INFO).next().unwrap();
    row["quote_info"]["quote"] = "".into();
    write(&mut dark.tables, table::NODE_INFO, &name, &row);
    assert!(refused(&plan, &dark).contains("is not told"));
    row["quote_info"]["format"] = "OE_SGX_v1".into();
    write(&mut dark.tables, table::NODE_INFO, &name, &row);
    assert!(refused(&plan, &dark).contains("SGX"));
}
