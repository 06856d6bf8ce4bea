//! Proposals under our own constitution and under made-up rules.

use serde_json::json;

use super::*;
use crate::constitution::{DEFAULT, Resolution};

fn member(number: u8) -> MemberId {
    MemberId::from_bytes([number; 32])
}

fn service(rules: &str, members: u8) -> Tables {
    let mut tables = Tables::new();
    tables.begin(10);
    tables.put(table::CONSTITUTION, &SINGLETON, json!(rules).to_string());
    tables.put(table::SERVICE_INFO, &SINGLETON, json!({"status": "Open", "cert": "x"}).to_string());
    for number in 1..=members {
        let row = json!({"status": "Active", "member_data": {"name": format!("m{number}")}});
        tables.put(table::MEMBER_INFO, member(number).to_string().as_bytes(), row.to_string());
    }
    tables
}

fn actions(list: serde_json::Value) -> String {
    json!({ "actions": list }).to_string()
}

fn host_data(digit: char) -> String {
    let value = digit.to_string().repeat(64);
    actions(json!([{"name": "add_virtual_host_data", "args": {"host_data": value}}]))
}

fn run(tables: &Tables, text: &str) -> Simulation {
    Simulator::new(tables.clone(), None).run(&Trial::new(text, member(1))).unwrap()
}

fn rules(validate: &str, resolve: &str, apply: &str) -> String {
    format!(
        "export function validate(input) {{ {validate} }}
export function resolve(proposal, proposerId, votes, proposalId) {{ {resolve} }}
export function apply(proposal, proposalId) {{ {apply} }}"
    )
}

const VALID: &str = "return {valid: true, description: ''};";

#[test]
fn a_majority_of_three_is_any_two_and_the_change_is_named() {
    let simulation = run(&service(DEFAULT, 3), &host_data('a'));
    let passing = simulation.passing.as_ref().unwrap();
    let [a, b, c] = [1, 2, 3].map(member);
    assert_eq!(passing.accepted_with, Some(vec![vec![a, b], vec![a, c], vec![b, c]]));
    assert_eq!((passing.fewest, passing.most, passing.now), (Some(2), Some(2), Resolution::Open));
    assert_eq!(simulation.outcome, Outcome::Accepted);
    let names: Vec<_> = simulation.changes.iter().map(|c| (c.table.as_str(), shown_key(&c.key))).collect();
    assert_eq!(names, [(table::VIRTUAL_HOST_DATA, "a".repeat(64))]);
    assert!(simulation.uncertain.is_empty(), "{:?}", simulation.uncertain);
    let words = changes_in_words(&simulation.changes, &Tables::new(), 20);
    assert_eq!(words, [format!("virtual host data {} may join", "a".repeat(64))]);
}

#[test]
fn a_new_policy_is_compared_in_words_with_the_one_that_it_replaces() {
    let policy = |command: &str| {
        format!(
            "package policy\ncontainers := [{{\"command\": [\"{command}\"], \"layers\": [\"aa\"], \"name\": \"ccf\"}}]\n"
        )
    };
    let change = |digit: &str, before: Option<&str>, after: Option<&str>| Change {
        table: table::SNP_HOST_DATA.into(),
        key: digit.repeat(64).into_bytes(),
        before: before.map(|command| json!(policy(command)).to_string().into_bytes()),
        after: after.map(|command| json!(policy(command)).to_string().into_bytes()),
    };
    let words = |changes: &[Change]| changes_in_words(changes, &Tables::new(), 20);
    let (old, new) = (change("1", Some("/old"), None), change("2", None, Some("/new")));
    let said = words(&[old.clone(), new.clone()]);
    let expected = [
        format!("SNP host data {} may no longer join", "1".repeat(64)),
        format!("SNP host data {} may join", "2".repeat(64)),
        format!("  | its security policy, beside that of {}:", "1".repeat(64)),
        "  |   container ccf: command: /old → /new".into(),
    ];
    assert_eq!(said[..4], expected, "{said:?}");
    assert!(words(&[new])[1].contains("its security policy admits 1 container: see"));
    let same = words(&[old, change("3", None, Some("/old"))]);
    assert!(same[3].contains("nothing differs of what was read in them"), "{same:?}");
}

#[test]
fn a_row_that_is_written_in_another_order_is_no_change() {
    let apply =
        r#"ccf.kv["public:ccf.gov.x"].set(ccf.strToBuf("k"), ccf.jsonCompatibleToBuf({b: 1, a: {d: [1], c: 2}}));"#;
    let mut tables = service(&rules(VALID, "return 'Accepted';", apply), 1);
    for (row, changed) in [(r#"{"a": {"c": 2, "d": [1]}, "b": 1}"#, 0), (r#"{"a": {"c": 2, "d": [2]}, "b": 1}"#, 1)] {
        tables.put("public:ccf.gov.x", b"k", row);
        assert_eq!(run(&tables, "{}").changes.len(), changed, "{row}");
    }
}

#[test]
fn what_is_not_valid_says_why_and_changes_nothing() {
    let tables = service(DEFAULT, 3);
    let mut simulator = Simulator::new(tables.clone(), None);
    for (text, part) in [
        (actions(json!([{"name": "fly", "args": {}}])), "fly"),
        (actions(json!([{"name": "add_virtual_host_data", "args": {"host_data": 1}}])), "host_data"),
        ("not json".into(), ""),
        (String::new(), ""),
    ] {
        let simulation = simulator.run(&Trial::new(&text, member(1))).unwrap();
        assert_eq!(simulation.outcome, Outcome::NotValid, "{text}");
        assert!(simulation.validity.reason().unwrap().contains(part), "{simulation:?}");
    }
    assert!(simulator.tables().changes_since(&tables).is_empty());
}

#[test]
fn vetoes_operators_and_votes_that_count_for_nothing_are_found() {
    // An operator alone, or two of the others; member 3's no ends it.
    let resolve = "const yes = votes.filter((v) => v.vote).map((v) => v.member_id);
        if (votes.some((v) => !v.vote && v.member_id.startsWith('03'))) return 'Rejected';
        if (yes.some((id) => id.startsWith('01'))) return 'Accepted';
        return yes.length >= 2 ? 'Accepted' : 'Open';";
    let tables = service(&rules(VALID, resolve, ""), 3);
    let simulation = run(&tables, "{}");
    let passing = simulation.passing.unwrap();
    assert_eq!(passing.accepted_with, Some(vec![vec![member(1)], vec![member(2), member(3)]]));
    assert_eq!((passing.fewest, passing.most, passing.rejected_by), (Some(1), Some(2), Some(3)));
    let vetoed = Trial::new("{}", member(1)).with_vote(member(3), false);
    let simulation = Simulator::new(tables, None).run(&vetoed).unwrap();
    assert_eq!((simulation.outcome, simulation.passing.unwrap().accepted_with), (Outcome::Rejected, Some(vec![])));
    let never = run(&service(&rules(VALID, "return 'Open';", ""), 3), "{}");
    assert_eq!((never.outcome, never.passing.unwrap().fewest), (Outcome::Open, None));
    let at_once = run(&service(&rules(VALID, "return 'Accepted';", ""), 3), "{}");
    assert_eq!((at_once.outcome, at_once.passing.unwrap().accepted_with), (Outcome::Accepted, Some(vec![vec![]])));
}

#[test]
fn apply_that_throws_fails_and_names_the_place() {
    let simulation = run(&service(&rules(VALID, "return 'Accepted';", "\n  null.x;"), 3), "{}");
    assert_eq!(simulation.outcome, Outcome::Failed);
    let failure = simulation.failure.unwrap();
    assert!(failure.reason.starts_with("Failed to apply(): TypeError"), "{failure:?}");
    assert!(failure.trace.unwrap().contains(":4"), "the line");
    assert!(simulation.changes.is_empty());
}

#[test]
fn hostile_rules_and_ballots_are_named_and_end() {
    for (validate, resolve, apply) in [
        ("for (;;) {}", "return 'Open';", ""),
        ("throw {a: 1};", "return 'Open';", ""),
        (VALID, "return resolve();", ""),
        (VALID, "return {};", ""),
        (VALID, "return 'Accepted';", "let a = []; for (;;) a.push(new Array(100000));"),
        (VALID, "return 'Accepted';", "throw undefined;"),
    ] {
        let simulation = run(&service(&rules(validate, resolve, apply), 2), "{}");
        assert!(matches!(simulation.outcome, Outcome::Failed | Outcome::NotValid), "{simulation:?}");
        let said = simulation.failure.map(|failure| failure.reason);
        assert!(said.or(simulation.validity.reason().map(Into::into)).is_some());
    }
    let trial = Trial::new(&host_data('a'), member(1))
        .with_ballot(member(1), "export function vote() { throw new Error('no'); }")
        .with_ballot(member(2), "export function vote( {")
        .with_ballot(
            member(3),
            "export function vote(p, id) { return id.length === 64 && JSON.parse(p).actions.length === 1; }",
        );
    let (runs, _) = Simulator::new(service(DEFAULT, 3), None).run_ballots(&trial).unwrap();
    assert!(matches!(runs[0].answer, BallotAnswer::Threw(_)));
    assert!(matches!(runs[1].answer, BallotAnswer::DoesNotLoad(_)));
    assert_eq!(runs[2].answer, BallotAnswer::Yes);
}

#[test]
fn many_members_are_told_by_groups() {
    // Two operators among 40; one operator and 10 others are needed.
    let resolve = "const yes = votes.filter((v) => v.vote).map((v) => ccf.bufToJsonCompatible(
            ccf.kv['public:ccf.gov.members.info'].get(ccf.strToBuf(v.member_id))).member_data.operator === true);
        return yes.some((o) => o) && yes.filter((o) => !o).length >= 10 ? 'Accepted' : 'Open';";
    let mut tables = service(&rules(VALID, resolve, ""), 40);
    for number in 1..=2 {
        let row = json!({"status": "Active", "member_data": {"name": format!("m{number}"), "operator": true}});
        tables.put(table::MEMBER_INFO, member(number).to_string().as_bytes(), row.to_string());
    }
    let passing = run(&tables, "{}").passing.unwrap();
    assert_eq!(passing.accepted_with, None);
    let groups: Vec<_> = passing.groups.iter().map(|g| (g.members.len(), g.alone, g.with_all_others, g.even)).collect();
    assert!(groups.contains(&(2, None, Some(1), true)) && groups.contains(&(38, None, Some(10), true)), "{groups:?}");
    let majority = run(&service(DEFAULT, 40), &host_data('a')).passing.unwrap();
    assert_eq!((majority.fewest, majority.most, majority.groups.len()), (Some(21), Some(21), 1));
}

#[test]
fn proposals_follow_one_another_and_what_is_not_known_is_named() {
    let mut simulator = Simulator::new(service(DEFAULT, 3), None);
    assert!(simulator.run(&Trial::new(&host_data('a'), member(1))).unwrap().passes());
    let remove = actions(json!([{"name": "remove_virtual_host_data", "args": {"host_data": "a".repeat(64)}}]));
    let second = simulator.run(&Trial::new(&remove, member(2))).unwrap();
    assert_eq!(second.changes.len(), 1);
    assert!(second.changes[0].after.is_none());
    let asks = rules(
        "ccf.kv['public:ccf.gov.users.info'].size; ccf.kv['public:ccf.gov.users.info'].getVersionOfPreviousWrite(ccf.strToBuf('x')); return {valid: true};",
        "return 'Open';",
        "",
    );
    let simulation = Simulator::new(service(&asks, 2), None)
        .lacking(|name| (name == table::USER_INFO).then_some("made up"))
        .run(&Trial::new("{}", member(1)))
        .unwrap();
    assert_eq!(simulation.uncertain.len(), 2, "{:?}", simulation.uncertain);
}

#[test]
fn rules_that_lock_everybody_out_are_found() {
    let set = |rules: &str| actions(json!([{"name": "set_constitution", "args": {"constitution": rules}}]));
    let locked = rules(VALID, "return 'Open';", "");
    let mut simulator = Simulator::new(service(DEFAULT, 3), None);
    assert!(simulator.run(&Trial::new(&set(&locked), member(1))).unwrap().passes());
    assert!(matches!(again(&simulator, &[DEFAULT]).unwrap(), Again::No(_)));
    let mut simulator = Simulator::new(service(DEFAULT, 3), None);
    assert!(simulator.run(&Trial::new(&set(DEFAULT), member(1))).unwrap().passes());
    assert_eq!(again(&simulator, &[DEFAULT]).unwrap(), Again::Yes);
}

#[test]
fn only_a_member_who_may_propose_it_need_be_found_to_change_the_rules_again() {
    // Of twenty members the last alone may propose, and its proposal passes.
    let last = member(20).to_string();
    let resolve = format!("return proposerId === '{last}' ? 'Accepted' : 'Rejected';");
    let tables = service(&rules(VALID, &resolve, ""), 20);
    assert_eq!(again(&Simulator::new(tables, None), &[DEFAULT]).unwrap(), Again::Yes);
    // What the engine lacks is not called a lock-out.
    let lacking = rules(VALID, "snp_attestation.verifySnpAttestation(); return 'Open';", "");
    let found = again(&Simulator::new(service(&lacking, 2), None), &[DEFAULT]).unwrap();
    assert!(matches!(found, Again::Unknown(_)), "{found:?}");
}

#[test]
fn a_time_that_a_node_cannot_read_fails_as_on_a_node() {
    let apply = "ccf.network.generateEndorsedCertificate('x', JSON.parse(proposal).from, 90);";
    let tables = service(&rules(VALID, "return 'Accepted';", apply), 2);
    for (from, outcome) in [
        ("261122132527Z", Outcome::Accepted),
        ("2026-11-22 13:25:27", Outcome::Accepted),
        ("tomorrow", Outcome::Failed),
        ("", Outcome::Failed),
    ] {
        assert_eq!(run(&tables, &json!({ "from": from }).to_string()).outcome, outcome, "{from:?}");
    }
}

#[test]
fn constitutions_are_compared_by_their_actions_or_it_is_said_that_they_are_not() {
    let change = |new: &str| {
        let mut simulator = Simulator::new(service(DEFAULT, 3), None);
        let text = actions(json!([{"name": "set_constitution", "args": {"constitution": new}}]));
        let simulation = simulator.run(&Trial::new(&text, member(1))).unwrap();
        ConstitutionChange::of(&simulation, &simulator).unwrap().unwrap()
    };
    let without = DEFAULT
        .replace("\"trigger_snapshot\"", "\"snapshot_now\"")
        .replace("ccf.node.triggerLedgerChunk()", "void ccf.node.triggerLedgerChunk()");
    let found = change(&without);
    assert!(found.compared && found.again == Again::Yes);
    assert_eq!((found.appear, found.disappear), (vec!["snapshot_now".to_owned()], vec!["trigger_snapshot".to_owned()]));
    assert_eq!(found.change, ["trigger_ledger_chunk"]);
    let other = change(&rules(VALID, "return 'Open';", ""));
    assert!(!other.compared && other.lines()[0].contains("not compared") && other.lines()[1].starts_with("LOCKED OUT"));
}
