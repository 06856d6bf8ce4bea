//! Reviews on made-up states.

use serde_json::json;

use super::*;
use crate::constitution::DEFAULT;
use crate::constitution::decide::ProposalInfo;
use crate::kv::row::write;
use crate::kv::{SINGLETON, table};
use crate::proposal::ballot::{self, BallotKind};

const CERT: &str = include_str!("../../../keys-example/member0_cert.pem");
const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
const OPTIONS: &str = " --service https://127.0.0.1:8000";

fn member(number: u8) -> MemberId {
    MemberId::from_bytes([number; 32])
}

/// A service with three members.
fn state(rules: &str) -> State {
    let mut tables = Tables::new();
    tables.begin(10);
    tables.put(table::CONSTITUTION, &SINGLETON, json!(rules).to_string());
    tables.put(table::SERVICE_INFO, &SINGLETON, json!({"status": "Open", "cert": CERT}).to_string());
    for number in 1..=3 {
        write(&mut tables, table::MEMBER_INFO, &member(number).to_string(), &json!({"status": "Active"}));
    }
    let transaction = Some("2.10".parse().unwrap());
    State { certificate: CERT.into(), transaction, committed: true, read_at: NOW, version: None, tables }
}

/// Puts an open proposal into it.
fn propose(state: &mut State, text: &str, ballots: &[(u8, &str)]) -> ProposalId {
    let id = ProposalId::from_bytes(sha256(text.as_bytes()));
    state.tables.put(table::PROPOSALS, id.to_string().as_bytes(), text);
    let ballots = ballots.iter().map(|(number, script)| (member(*number).to_string(), (*script).to_owned())).collect();
    ProposalInfo { ballots, ..ProposalInfo::new(member(1)) }.write(&mut state.tables, id);
    id
}

fn actions(list: Value) -> String {
    json!({ "actions": list }).to_string()
}

fn host_data(digit: &str) -> String {
    actions(json!([{"name": "add_virtual_host_data", "args": {"host_data": digit.repeat(64)}}]))
}

fn parts<'a>(text: &'a str, state: Option<&'a State>, id: Option<ProposalId>) -> Parts<'a> {
    Parts {
        source: "the proposal".into(),
        text,
        id,
        proposer: None,
        notes: Vec::new(),
        evidence: None,
        state,
        since: None,
        me: Some(member(2)),
        catalogue: Catalogue::builtin(),
        version: None,
        now: NOW,
        commands: Commands { options: OPTIONS.into(), ..Commands::default() },
    }
}

/// A review of an open proposal without ballots.
fn reviewed(mut state: State, text: &str) -> Review {
    let id = propose(&mut state, text, &[]);
    Review::of(parts(text, Some(&state), Some(id))).unwrap()
}

fn verdict(review: &Review, name: &str) -> Option<String> {
    review.checks.get(name).map(|check| format!("{}: {}", check.verdict, check.detail))
}

#[test]
fn what_nothing_speaks_against_is_voted_on_by_a_guarded_ballot() {
    let (mut state, text) = (state(DEFAULT), host_data("a"));
    let id = propose(&mut state, &text, &[(1, ballot::accept().script())]);
    let review = Review::of(parts(&text, Some(&state), Some(id))).unwrap();
    assert_eq!(review.verdict, Conclusion::Pass, "{:?}", review.checks);
    assert!(verdict(&review, "evidence-backs").unwrap().starts_with("warn"));
    let votes = review.votes.as_ref().unwrap();
    assert_eq!((votes.cast.len(), votes.cast[0].vote, votes.cast[0].kind), (1, Some(true), BallotKind::Accept));
    assert_eq!(
        votes.missing.iter().map(|one| (one.member_id, one.you)).collect::<Vec<_>>(),
        [(member(2), true), (member(3), false)]
    );
    assert_eq!(review.proposer.as_ref().unwrap().member_id, member(1));
    let advice = &review.ballot;
    assert_eq!(advice.kind, Some(BallotKind::Guarded));
    let made = advice.ballot().unwrap();
    assert_eq!(made.proposal().unwrap().value(), &review.content);
    let (guards, seen) = (made.guards().unwrap(), state.seen().unwrap());
    assert!(guards.len() == 3 && guards.iter().all(|guard| guard.holds(&seen)), "{guards:?}");
    let short = id.short();
    assert_eq!(
        advice.commands,
        [
            format!("ccf-gov ballot new guarded --proposal {id} -o ballot-{short}.json{OPTIONS}"),
            format!("ccf-gov ballot submit {id} --ballot ballot-{short}.json{OPTIONS}"),
        ]
    );
    assert_eq!(advice.otherwise, Some(format!("ccf-gov ballot submit {id} --reject{OPTIONS}")));
    let lines = review.lines(40).join("\n");
    for says in ["may join", "1 ballot has been cast", "not known: when it was proposed", "while the constitution has"]
    {
        assert!(lines.contains(says), "{says}: {lines}");
    }
    let mut written = parts(&text, Some(&state), Some(id));
    written.commands.ballot = Some("mine.json".into());
    let review = Review::of(written).unwrap();
    assert_eq!(review.ballot.commands, [format!("ccf-gov ballot submit {id} --ballot mine.json{OPTIONS}")]);
}

#[test]
fn what_speaks_against_it_is_named_and_rejected() {
    let locked = "export function validate(input) { return {valid: true, description: ''}; }
export function resolve(proposal, proposerId, votes) { return 'Open'; }
export function apply(proposal, proposalId) {}";
    let throws = locked
        .replace("'Open'", "'Accepted'")
        .replace("apply(proposal, proposalId) {", "apply(proposal, proposalId) { throw new Error('no such luck');");
    let locks_out = actions(json!([{"name": "set_constitution", "args": {"constitution": locked}}]));
    let hostile = json!({"actions": {"0": {"name": "set_constitution", "args": {}}}}).to_string();
    for (rules, text, check, part) in [
        (DEFAULT, locks_out.as_str(), "can-be-changed", "nobody could change it again"),
        (&throws, &host_data("a"), "passes", "no such luck"),
        (locked, &host_data("a"), "passes", "stays OPEN"),
        (&locked.replace("'Open'", "'Accepted'"), &hostile, "lint", "fails: shape"),
    ] {
        let review = reviewed(state(rules), text);
        assert_eq!(review.verdict, Conclusion::Fail, "{text}");
        let said = verdict(&review, check).unwrap();
        assert!(said.starts_with("fail") && said.contains(part), "{said}");
        assert_eq!(review.ballot.kind, Some(BallotKind::Reject));
        assert!(review.ballot.why.contains(part) && review.ballot.commands[0].contains("--reject"));
    }
    // What is not submitted cannot be voted on.
    let unknown = actions(json!([{"name": "fly", "args": {}}]));
    let (state, mut verified) = (state(DEFAULT), Checks::new());
    let review = Review::of(parts(&unknown, Some(&state), None)).unwrap();
    assert!(verdict(&review, "passes").unwrap().contains("NOT VALID"));
    assert_eq!((review.ballot.kind, review.ballot.commands.len()), (None, 0));
    let text = host_data("a");
    verified.fail("surplus", "nothing backs it");
    let evidence = Some(rules::Verified { checks: verified, values: Vec::new() });
    let review = Review::of(Parts { evidence, ..parts(&text, Some(&state), None) }).unwrap();
    assert_eq!(verdict(&review, "evidence-backs").unwrap(), "fail: fails: surplus");
}

#[test]
fn what_is_not_known_without_a_service_is_said() {
    let text = host_data("a");
    let mut given = parts(&text, None, None);
    given.commands.file = Some("register.json".into());
    let review = Review::of(given).unwrap();
    assert_eq!(review.verdict, Conclusion::Incomplete);
    assert!(verdict(&review, "state").unwrap().starts_with("incomplete"));
    assert!(review.simulation.is_none() && review.votes.is_none());
    assert_eq!(review.ballot.kind, Some(BallotKind::Exact));
    assert_eq!(review.ballot.commands, [format!("ccf-gov ballot submit ID --exact register.json{OPTIONS}")]);
    assert!(review.ballot.why.contains("not submitted") && review.ballot.why.contains("could not be checked"));
}

#[test]
fn who_cannot_vote_or_has_voted_is_told_so() {
    let (mut state, text) = (state(DEFAULT), host_data("a"));
    let id = propose(&mut state, &text, &[(2, ballot::reject().script()), (3, "export function vote() { throw 1; }")]);
    let review = Review::of(parts(&text, Some(&state), Some(id))).unwrap();
    assert!(review.ballot.kind.is_none() && review.ballot.why.ends_with("today it answers: no"), "{:?}", review.ballot);
    assert!(verdict(&review, "ballots").unwrap().starts_with("warn: 1 of the ballots"));
    let review = Review::of(Parts { me: Some(member(9)), ..parts(&text, Some(&state), Some(id)) }).unwrap();
    assert!(review.ballot.why.contains("not active"), "{:?}", review.ballot);
}

#[test]
fn what_changed_since_an_older_state_is_told() {
    let (older, text) = (state(DEFAULT), host_data("a"));
    let mut now = older.clone();
    now.read_at += time::Duration::hours(1);
    let id = propose(&mut now, &text, &[]);
    let since = |older: &State, now: &State| {
        let mut given = parts(&text, Some(now), Some(id));
        (given.since, given.now) = (Some(older), now.read_at);
        Review::of(given).unwrap()
    };
    let review = since(&older, &now);
    assert_eq!(verdict(&review, "since").unwrap(), "pass: nothing else has changed since");
    assert!(review.since.known.iter().any(|line| line.contains("proposed after 1970-01-01")));
    now.tables.put(table::VIRTUAL_HOST_DATA, "b".repeat(64).as_bytes(), SINGLETON);
    let review = since(&older, &now);
    assert!(review.since.changes[0].ends_with("may join") && review.since.overlaps.is_empty(), "{:?}", review.since);
    assert!(verdict(&review, "since").unwrap().starts_with("pass"));
    // What it asks for came to be: then it changes nothing, and the older state shows that it would have.
    now.tables.put(table::VIRTUAL_HOST_DATA, "a".repeat(64).as_bytes(), SINGLETON);
    let review = since(&older, &now);
    assert!(verdict(&review, "takes-effect").unwrap().starts_with("warn"), "{:?}", review.checks);
    now.tables.put(table::CONSTITUTION, &SINGLETON, json!(format!("{DEFAULT}\n// other\n")).to_string());
    assert!(verdict(&since(&older, &now), "since").unwrap().contains("the constitution has changed"));
    assert!(
        verdict(&since(&State { read_at: NOW + time::Duration::days(9), ..older.clone() }, &now), "since")
            .unwrap()
            .starts_with("incomplete")
    );
    let other = include_str!("../../../keys-example/member1_cert.pem").to_owned();
    let review = since(&State { certificate: other, ..older }, &now);
    assert!(verdict(&review, "since").unwrap().starts_with("fail"));
}

#[test]
fn what_is_named_and_not_there_is_said_and_old_states_are() {
    let text = actions(json!([{"name": "remove_member", "args": {"member_id": "9".repeat(64)}}]));
    let mut state = state(DEFAULT);
    let id = propose(&mut state, &text, &[]);
    let mut given = parts(&text, Some(&state), Some(id));
    given.now += time::Duration::days(2);
    let review = Review::of(given).unwrap();
    assert!(verdict(&review, "subjects").unwrap().contains("action 1: member_id 9999"), "{:?}", review.checks);
    assert!(
        verdict(&review, "state").unwrap().starts_with("warn: 2 days old")
            || verdict(&review, "state").unwrap().starts_with("warn: 48 hours old")
    );
}

/// Every tag and attribute of the page is ours, whatever the proposal, its names and its ballots say.
#[test]
fn hostile_text_in_every_field_is_text() {
    const EVIL: &str = "</pre></details></script><script>alert(1)</script><img src=x onerror=alert(1)> \u{202e}\u{2066}\u{1b}[2J\u{0} \
                        \" onload=\"x ' style=' javascript:alert(1) TITLE BODY </title></body>";
    let long = format!("{EVIL}\nline\n{}", "x".repeat(200_000));
    let text = json!({
        "actions": [
            {"name": EVIL, "args": {EVIL: EVIL, "long": long, "node_id": EVIL, "member_id": EVIL}, EVIL: EVIL},
            {"name": "set_js_app", "args": {"bundle": {"metadata": {"endpoints": {}}, "modules": [{"name": EVIL, "module": long}]}}},
            EVIL,
        ],
        EVIL: [EVIL],
    })
    .to_string();
    let rules = format!(
        "export function validate(input) {{ return {{valid: true, description: ''}}; }}
export function resolve(proposal, proposerId, votes) {{ return votes.length > 1 ? 'Accepted' : 'Open'; }}
export function apply(proposal, proposalId) {{
    for (const name of ['public:ccf.gov.modules', 'public:ccf.gov.users.info', {0}]) {{
        ccf.kv[name].set(ccf.strToBuf({0}), ccf.strToBuf({0} + '\\n' + {0}));
    }}
}}",
        json!(EVIL)
    );
    let mut state = state(&rules);
    let ballot = format!("export function vote() {{ throw new Error({}); }}", json!(EVIL));
    let id = propose(&mut state, &text, &[(1, &ballot), (3, EVIL)]);
    let mut older = state.clone();
    older.tables.put(EVIL, EVIL.as_bytes(), EVIL);
    for since in [None, Some(&older)] {
        let mut given = parts(&text, Some(&state), Some(id));
        given.since = since;
        given.source = EVIL.into();
        given.commands.options = format!(" --service {EVIL}");
        let review = Review::of(given).unwrap();
        is_ours(&review.to_html());
        let shown = review.lines(usize::MAX).join("\n");
        assert!(!shown.contains(['\u{202e}', '\u{2066}', '\u{1b}', '\0']));
    }
    let review = Review::of(parts(EVIL, Some(&state), None)).unwrap();
    is_ours(&review.to_html());
}

/// Whether a page has only tags and attributes that we write, and nothing hidden.
fn is_ours(html: &str) {
    let (head, body) = html.split_once("<body>").unwrap();
    assert!(head.contains("default-src 'none'") && head.contains("<title>Proposal review</title>"));
    assert!(!html.contains(['\u{202e}', '\u{2066}', '\u{1b}', '\0']));
    let ours = regex::Regex::new(
        r#"^</?(main|h1|h2|p|table|tbody|tr|td|ul|li|pre|details|summary|span|body|html)( class="[a-z ]+")?( tabindex="0")?>$"#,
    );
    let ours = ours.unwrap();
    let tags = regex::Regex::new("<[^>]*>").unwrap();
    for tag in tags.find_iter(body) {
        assert!(ours.is_match(tag.as_str()), "{}", tag.as_str());
    }
}

#[test]
fn a_large_application_has_a_readable_page() {
    let module = "export function f() { return 1; } // some code\n".repeat(22_000);
    let modules: Vec<Value> = (0..5).map(|n| json!({"name": format!("/m{n}.js"), "module": module})).collect();
    let bundle = json!({"metadata": {"endpoints": {}}, "modules": modules});
    let text = actions(json!([{"name": "set_js_app", "args": {"bundle": bundle, "disable_bytecode_cache": true}}]));
    assert!(text.len() > 5 << 20);
    let review = reviewed(state(DEFAULT), &text);
    let page = review.to_html();
    assert!(page.len() < 4 << 20, "{}", page.len());
    assert!(page.contains("more bytes are not on this page") && page.contains("modules[4].module"));
    assert!(review.lines(40).len() < 200);
    is_ours(&page);
}
