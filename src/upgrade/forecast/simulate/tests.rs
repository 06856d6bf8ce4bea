use super::super::testing::{id, service, virtual_code};
use super::*;
use crate::check::Check;
use crate::constitution::DEFAULT;
use crate::id::ProposalId;
use crate::kv::Tables;
use crate::kv::row::write_one;
use crate::service::ProposalState;
use crate::upgrade::{ObservedProposal, forecast};

/// The state of a service with three members and three nodes, under this constitution.
fn state(constitution: &str) -> State {
    let mut tables = Tables::new();
    write_one(&mut tables, table::CONSTITUTION, &constitution.into());
    for n in 1..=3 {
        let member = MemberId::from_bytes([n; 32]).to_string();
        write(&mut tables, table::MEMBER_INFO, &member, &json!({"status": "Active", "member_data": null}));
        let node = json!({"status": "Trusted", "retired_committed": false, "rpc_interfaces": {}});
        write(&mut tables, table::NODE_INFO, &id(n).to_string(), &node);
    }
    let service = json!({"cert": "", "status": "Open"});
    write_one(&mut tables, table::SERVICE_INFO, &service);
    let limits = json!({"maximum_node_certificate_validity_days": 365});
    write_one(&mut tables, table::SERVICE_CONFIG, &limits);
    State {
        certificate: String::new(),
        transaction: None,
        committed: true,
        read_at: time::OffsetDateTime::UNIX_EPOCH,
        version: None,
        tables,
    }
}

fn found(plan: &Plan, seen: &Observed, state: &State) -> Vec<(Verdict, String)> {
    let checks = forecast(plan, seen).simulate(plan, seen, state);
    checks.iter().map(|check: &Check| (check.verdict, check.detail.clone())).collect()
}

/// The default rules, but for what a function does first.
fn rules(function: &str, first: &str) -> String {
    let from = DEFAULT.find(&format!("export function {function}(")).unwrap();
    let at = from + DEFAULT[from..].find("{\n").unwrap() + 1;
    format!("{} {first}{}", &DEFAULT[..at], &DEFAULT[at..])
}

#[test]
fn every_proposal_of_a_plan_is_tried_with_stand_ins_for_nodes_to_come() {
    let (seen, plan) = (service(&virtual_code(1), 3), Plan::of(virtual_code(2), 3));
    let found = found(&plan, &seen, &state(DEFAULT));
    let all: Vec<_> = found.iter().map(|(verdict, detail)| (*verdict, detail.as_str())).collect();
    let passes = "valid, and passes with 2 of 3 votes";
    assert_eq!(
        all,
        [
            (Verdict::Pass, format!("register the new code: {passes}").as_str()),
            (Verdict::Pass, &format!("trust new nodes new-1, new-2: {passes}")),
            (Verdict::Pass, &format!("retire node 02020202: {passes}")),
            (Verdict::Pass, &format!("deregister the old code: {passes}")),
        ]
    );
}

#[test]
fn what_is_refused_cannot_pass_or_cannot_be_applied_fails_with_the_reason() {
    let (seen, plan) = (service(&virtual_code(1), 3), Plan::of(virtual_code(2), 3));
    let fails = |constitution: &str| {
        let found = found(&plan, &seen, &state(constitution));
        found.into_iter().find(|(verdict, _)| *verdict == Verdict::Fail).map(|(_, detail)| detail).unwrap()
    };
    let refused = fails(&rules(
        "validate",
        r#"if (input.includes("remove_node")) return {valid: false, description: "nodes stay"};"#,
    ));
    assert_eq!(refused, "retire node 02020202: the constitution refuses it: nodes stay");
    let never = fails(&rules("resolve", r#"if (proposal.includes("add_virtual")) return "Open";"#));
    assert_eq!(never, "register the new code: no votes of the 3 active members who have not voted pass it");
    let thrown =
        fails(&rules("apply", r#"if (proposal.includes("transition_node")) throw new Error("no more nodes");"#));
    assert!(
        thrown.starts_with("trust new nodes new-1, new-2: no service carries it out: Failed to apply(): ")
            && thrown.contains("no more nodes")
            && thrown.contains("public:ccf.gov.constitution[0]:"),
        "{thrown}"
    );
    let no_rules = fails("export const nothing = 1;");
    assert!(no_rules.starts_with("nothing can be tried: the constitution cannot be run"), "{no_rules}");
}

#[test]
fn an_open_proposal_of_the_plan_is_tried_with_its_ballots_and_may_not_be_dropped() {
    let (mut seen, plan) = (service(&virtual_code(1), 3), Plan::of(virtual_code(2), 3));
    let mut held = state(DEFAULT);
    let mut open = |n: u8, proposal: Proposal, ballot: &str| {
        let (id, member) = (ProposalId::from_bytes([n; 32]), MemberId::from_bytes([1; 32]));
        held.tables.put(table::PROPOSALS, id.to_string().as_bytes(), proposal.bytes());
        let info = json!({"proposer_id": member, "state": "Open", "ballots": {member.to_string(): ballot}});
        write(&mut held.tables, table::PROPOSALS_INFO, &id.to_string(), &info);
        let state = ProposalState::Open;
        let (proposal, ballots) = (Some(proposal), Default::default());
        let known = ObservedProposal { proposer: member, state, proposal, ballots, ballot_count: 1, outcome: None };
        seen.proposals.insert(id, known);
    };
    let turns = forecast(&plan, &service(&virtual_code(1), 3)).turns;
    let proposals: Vec<Proposal> = turns
        .into_iter()
        .filter_map(|turn| if let Turn::Propose(_, proposal) = turn { Some(proposal) } else { None })
        .collect();
    open(7, proposals[0].clone(), "export function vote() { return false; }");
    open(8, proposals.last().unwrap().clone(), "export function vote() { return true; }");
    let found = found(&plan, &seen, &held);
    assert_eq!(found[0].0, Verdict::Fail, "{found:?}");
    assert_eq!(
        found[0].1,
        "register the new code: it drops the open proposal 08080808, which the plan needs later: deregister the old code"
    );
    let without = forecast(&plan, &seen).simulate(&plan, &service(&virtual_code(1), 3), &held);
    let first = without.iter().next().unwrap();
    assert_eq!(first.detail, "register the new code: valid, and passes with 2 of 2 votes", "with a no, two are left");
}

#[test]
fn with_many_members_the_first_and_the_last_of_a_kind_are_tried() {
    let (seen, plan) = (service(&virtual_code(1), 5), Plan::of(virtual_code(2), 5));
    // The constitution looks at the last node only, and the one before it has to be retired by then.
    let (before, last) = (id(5).to_string(), id(1).to_string());
    let first = format!(
        r#"if (proposal.includes("remove_node") && proposal.includes("{last}")) {{
            const row = ccf.kv["public:ccf.gov.nodes.info"].get(ccf.strToBuf("{before}"));
            throw new Error("the one before is " + ccf.bufToJsonCompatible(row).status);
        }}"#
    );
    let mut many = state(&rules("apply", &first));
    for n in 4..=5 {
        let node = json!({"status": "Trusted", "retired_committed": false, "rpc_interfaces": {}});
        write(&mut many.tables, table::NODE_INFO, &id(n).to_string(), &node);
    }
    for n in 4..=120 {
        let member = MemberId::from_bytes([n; 32]).to_string();
        write(&mut many.tables, table::MEMBER_INFO, &member, &json!({"status": "Active", "member_data": null}));
    }
    let found = found(&plan, &seen, &many);
    let failed: Vec<_> = found.iter().filter(|(verdict, _)| *verdict == Verdict::Fail).collect();
    assert!(failed.len() == 1 && failed[0].1.contains("the one before is Retired"), "{found:?}");
    assert!(found.iter().any(|(_, detail)| detail.ends_with("passes with 61 of 120 votes")), "{found:?}");
}
