//! Guarded ballots run in the engine: each guard alone turns the vote when what it is about changes.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{any_json, mutations};
use super::*;
use crate::digest::{Sha256Digest, sha256};
use crate::proposal::Action;

fn proposal(args: Value) -> Proposal {
    Proposal::of(vec![Action::new("set_node_data", Some(args))])
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(digit: &str) -> T {
    digit.repeat(64).parse().unwrap()
}

fn seen() -> Seen {
    let registered = json!({
        "sgx": {"measurements": ["b", "a"]},
        "snp": {"hostData": {"h": "policy", "__proto__": ""}, "measurements": ["m"], "tcbVersions": {"00a00f11": {"snp": 1}},
            "uvmEndorsements": {"did:x": {"feed": {"svn": "1"}}}},
        "virtual": {"hostData": ["v"], "measurements": ["any \"text\"`${x}\\\u{2028}\u{1F600}"]},
    });
    Seen {
        certificate: Sha256Digest([1; 32]),
        constitution: Sha256Digest(sha256(b"export")),
        join_policy: serde_json::from_value(registered).unwrap(),
        nodes: BTreeMap::from([(id("1"), "Trusted".into()), (id("2"), "Pending".into()), (id("3"), "Trusted".into())]),
        members: BTreeMap::from([
            (id("a"), SeenMember { status: "Active".into(), data: json!({"is_operator": true}) }),
            (id("b"), SeenMember { status: "Accepted".into(), data: Value::Null }),
        ]),
    }
}

fn everything() -> Vec<Watched> {
    vec![
        Watched::Certificate,
        Watched::Constitution,
        Watched::JoinPolicy,
        Watched::Nodes,
        Watched::Node(id("2")),
        Watched::Members,
        Watched::Member(id("a")),
        Watched::Member(id("b")),
    ]
}

#[test]
fn a_guarded_ballot_is_read_back_and_no_content_is_code() {
    let hostile = json!({"a": "GUARDS PROPOSAL\");\nconst guards = JSON.parse(\"[]", "__proto__": {"b": "\u{2028}"}});
    let (proposal, guards) = (proposal(hostile), seen().guards(everything()).unwrap());
    let ballot = guarded(&proposal, &guards).unwrap();
    assert!(ballot.script().is_ascii());
    assert_eq!((ballot.kind(), ballot.guards()), (BallotKind::Guarded, Some(guards)));
    assert_eq!(ballot.proposal().unwrap().value(), proposal.value());
    assert_eq!(Ballot::parse(&ballot.payload()).unwrap(), ballot);
}

#[test]
fn what_is_not_quite_a_guarded_ballot_is_none() {
    let guards = seen().guards(everything()).unwrap();
    let script = guarded(&proposal(json!({})), &guards).unwrap().script().to_owned();
    for (ours, theirs) in [
        ("guards.every(holds)", "guards.some(holds)"),
        ("return false;\n  }\n}", "return true;\n  }\n}"),
        ("{\\\"id\\\":", "{\\\"x\\\":1,\\\"id\\\":"),
        ("\\\"certificate\\\"", "\\\"certificates\\\""),
        ("JSON.parse(\"[", "JSON.parse(evil(), \"["),
    ] {
        assert!(script.contains(ours), "{ours}");
        let script = script.replacen(ours, theirs, 1);
        assert_eq!(
            (kind(&script), guards_of(&script), one_proposal(&script)),
            (BallotKind::Other, None, None),
            "{ours}"
        );
    }
}

fn guards_of(script: &str) -> Option<Vec<Guard>> {
    super::guards(script)
}

#[test]
fn numbers_that_javascript_rounds_and_no_guards_are_refused() {
    let data = serde_json::from_str::<Value>(r#"{"n": 9007199254740993}"#).unwrap();
    let guard = Guard::Member { id: id("a"), status: "Active".into(), data: data.clone() };
    assert!(matches!(guarded(&proposal(json!({})), &[guard]), Err(BallotError::Number { .. })));
    let guard = Guard::Certificate(Sha256Digest([1; 32]));
    assert!(matches!(guarded(&proposal(data), &[guard]), Err(BallotError::Number { .. })));
    assert!(matches!(guarded(&proposal(json!({})), &[]), Err(BallotError::NoGuard)));
}

/// Everything that can change of a service, by itself, and whether that guard is about it.
fn changes() -> Vec<(Seen, Watched)> {
    let changed = |watched: Watched, change: &dyn Fn(&mut Seen)| {
        let mut now = seen();
        change(&mut now);
        assert_ne!(now, seen());
        (now, watched)
    };
    let policy = |change: &dyn Fn(&mut Registered)| changed(Watched::JoinPolicy, &|now| change(&mut now.join_policy));
    vec![
        changed(Watched::Certificate, &|now| now.certificate.0[31] ^= 1),
        changed(Watched::Constitution, &|now| now.constitution.0[0] ^= 1),
        policy(&|now| now.sgx.measurements.push("c".into())),
        policy(&|now| drop(now.snp.host_data.insert("h".into(), "".into()))),
        policy(&|now| drop(now.snp.host_data.remove("__proto__"))),
        policy(&|now| now.snp.measurements.clear()),
        policy(&|now| drop(now.snp.tcb_versions.insert("00a00f11".into(), json!({"snp": 2})))),
        policy(&|now| drop(now.snp.uvm_endorsements.insert("did:y".into(), json!({})))),
        policy(&|now| now.virtual_.host_data[0].push('x')),
        policy(&|now| now.virtual_.measurements[0].push(' ')),
        changed(Watched::Nodes, &|now| drop(now.nodes.insert(id("3"), "Retired".into()))),
        changed(Watched::Nodes, &|now| drop(now.nodes.insert(id("4"), "Trusted".into()))),
        changed(Watched::Nodes, &|now| drop(now.nodes.remove(&id("1")))),
        changed(Watched::Node(id("2")), &|now| drop(now.nodes.insert(id("2"), "Trusted".into()))),
        changed(Watched::Node(id("2")), &|now| drop(now.nodes.remove(&id("2")))),
        changed(Watched::Members, &|now| now.members.get_mut(&id("b")).unwrap().status = "Active".into()),
        changed(Watched::Members, &|now| drop(now.members.remove(&id("a")))),
        changed(Watched::Member(id("a")), &|now| now.members.get_mut(&id("a")).unwrap().data = Value::Null),
        changed(Watched::Member(id("b")), &|now| drop(now.members.remove(&id("b")))),
    ]
}

#[test]
fn a_guard_holds_until_what_it_is_about_changes() {
    let all = seen().guards(everything()).unwrap();
    assert!(all.iter().all(|guard| guard.holds(&seen())));
    for (now, watched) in changes() {
        let guard = seen().guard(watched).unwrap();
        assert!(!guard.holds(&now), "{guard}");
    }
}

/// The script and [`Guard::holds`] agree on every guard and every state.
#[test]
fn the_script_votes_as_the_guards_hold() {
    let text = proposal(json!({})).value().to_string();
    let states: Vec<_> = changes().into_iter().map(|(now, _)| now).chain([seen()]).collect();
    for watched in everything() {
        let guard = seen().guard(watched).unwrap();
        let ballot = guarded(&proposal(json!({})), std::slice::from_ref(&guard)).unwrap();
        let mut votes = Votes::of(&ballot);
        for state in &states {
            assert_eq!(votes.on(state, &text), guard.holds(state), "{guard} on {state:?}");
        }
    }
    let ballot = guarded(&proposal(json!({})), &seen().guards(everything()).unwrap()).unwrap();
    let mut votes = Votes::of(&ballot);
    for state in &states {
        assert_eq!(votes.on(state, &text), *state == seen());
    }
}

/// The ballot's script in an engine, over tables that a test makes of what is seen. Of a service in the engine of the sandbox, with its
/// own tables, `tests/commands/guarded.rs` has the same.
struct Votes {
    context: rquickjs::Context,
}

/// The part of CCF's global that the script calls, over `state`: tables of texts.
const CCF: &str = r#"
globalThis.ccf = {
  strToBuf: (text) => text,
  bufToStr: (text) => text,
  bufToJsonCompatible: (text) => JSON.parse(text),
  pemToId: (pem) => pem,
  crypto: { digest: (name, text) => new Uint8Array(text.match(/../g).map((byte) => parseInt(byte, 16))).buffer },
  kv: new Proxy({}, { get: (_, name) => {
    const rows = state.find((table) => "public:ccf.gov." + table[0] === name)?.[1] ?? [];
    return {
      get: (key) => rows.find((row) => key instanceof ArrayBuffer || row[0] === key)?.[1],
      forEach: (each) => rows.forEach(([key, value]) => each(value, key)),
    };
  } }),
};
"#;

impl Votes {
    fn of(ballot: &Ballot) -> Self {
        let context = rquickjs::Context::full(&rquickjs::Runtime::new().unwrap()).unwrap();
        context.with(|ctx| {
            ctx.eval::<(), _>(CCF).unwrap();
            let (module, promise) =
                rquickjs::Module::declare(ctx.clone(), "ballot", ballot.script()).unwrap().eval().unwrap();
            promise.finish::<()>().unwrap();
            ctx.globals().set("vote", module.get::<_, rquickjs::Function<'_>>("vote").unwrap()).unwrap();
        });
        Self { context }
    }

    fn on(&mut self, state: &Seen, proposal: &str) -> bool {
        self.context.with(|ctx| {
            ctx.globals().set("text", tables(state).to_string()).unwrap();
            ctx.eval::<(), _>("globalThis.state = JSON.parse(text)").unwrap();
            ctx.globals().get::<_, rquickjs::Function<'_>>("vote").unwrap().call((proposal, "ab")).unwrap()
        })
    }
}

/// The tables, each a name and its rows, values as JSON text.
fn tables(seen: &Seen) -> Value {
    let allowed = |keys: &[String]| -> Value { keys.iter().map(|key| json!([key, "\"AllowedToJoin\""])).collect() };
    let rows =
        |map: &BTreeMap<String, Value>| -> Value { map.iter().map(|(k, v)| json!([k, v.to_string()])).collect() };
    let (policy, singleton) = (&seen.join_policy, |value: Value| json!([["", value.to_string()]]));
    let mut members: Vec<_> = Vec::new();
    for (id, member) in &seen.members {
        let mut row = json!({"status": member.status});
        if !member.data.is_null() {
            row["member_data"] = member.data.clone();
        }
        members.push(json!([id, row.to_string()]));
    }
    let nodes: Vec<_> =
        seen.nodes.iter().map(|(id, s)| json!([id, json!({"status": s, "last_seen": 1}).to_string()])).collect();
    json!([
        ["service.info", singleton(json!({"cert": seen.certificate}))],
        ["constitution", singleton(json!(seen.constitution))],
        ["nodes.code_ids", allowed(&policy.sgx.measurements)],
        ["nodes.snp.host_data", rows(&policy.snp.host_data)],
        ["nodes.snp.measurements", allowed(&policy.snp.measurements)],
        ["nodes.snp.tcb_versions", rows(&policy.snp.tcb_versions)],
        ["nodes.snp.uvm_endorsements", rows(&policy.snp.uvm_endorsements)],
        ["nodes.virtual.host_data", policy.virtual_.host_data.iter().map(|key| json!([key, ""])).collect::<Vec<_>>()],
        ["nodes.virtual.measurements", allowed(&policy.virtual_.measurements)],
        ["nodes.info", nodes],
        ["members.info", members],
    ])
}

#[test]
fn what_fails_in_the_script_is_a_no() {
    let guards = seen().guards(everything()).unwrap();
    let ballot = guarded(&proposal(json!({})), &guards).unwrap();
    let mut votes = Votes::of(&ballot);
    let text = proposal(json!({})).value().to_string();
    assert!(votes.on(&seen(), &text) && !votes.on(&seen(), "{") && !votes.on(&seen(), "null"));
    votes.context.with(|ctx| ctx.eval::<(), _>("delete globalThis.ccf").unwrap());
    assert!(!votes.on(&seen(), &text));
}

#[test]
fn actions_say_what_a_vote_on_them_rests_on() {
    let node = "2".repeat(64);
    let of = |name: &str, args: Value| {
        let watched = Watched::by(&Proposal::of(vec![Action::new(name, Some(args))]));
        watched.iter().map(ToString::to_string).collect::<Vec<_>>()[2..].join(" ")
    };
    assert_eq!(of("transition_node_to_trusted", json!({"node_id": node})), format!("join-policy nodes node={node}"));
    assert_eq!(of("remove_node", json!({"node_id": node})), format!("nodes node={node}"));
    assert_eq!(of("add_virtual_host_data", json!({})), "join-policy");
    assert_eq!(of("remove_snp_measurement", json!({})), "join-policy");
    assert_eq!(of("remove_member", json!({})), "members");
    assert_eq!(of("trigger_snapshot", json!({})), "");
    for text in ["join-policy", "nodes", "members", &format!("node={node}"), &format!("member={node}")] {
        assert_eq!(text.parse::<Watched>().unwrap().to_string(), *text);
    }
    for text in ["", "certificate", "node", "node=", "node=A", "user=1"] {
        assert!(text.parse::<Watched>().is_err(), "{text}");
    }
    assert_eq!(seen().guard(Watched::Node(id("9"))), Err(NotSeen::Node(id("9"))));
}

#[test]
fn guards_are_said_in_one_harmless_line() {
    let mut seen = seen();
    seen.members.get_mut(&id("a")).unwrap().data = json!("\u{1b}[2J\n\u{202e}");
    seen.join_policy.virtual_.measurements[0] = "x\u{1b}[2J\ny".into();
    for guard in seen.guards(everything()).unwrap() {
        let said = guard.to_string();
        assert!(!said.contains(|c: char| c.is_control() || c == '\u{202e}'), "{said:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_guarded_ballot_accepts_its_proposal_and_no_other(args in any_json()) {
        let proposal = proposal(args);
        let ballot = guarded(&proposal, &seen().guards(everything()).unwrap()).unwrap();
        let mut votes = Votes::of(&ballot);
        prop_assert!(votes.on(&seen(), &proposal.value().to_string()));
        for other in mutations(proposal.value()) {
            prop_assert!(!votes.on(&seen(), &other.to_string()), "{other}");
        }
        let read = ballot.proposal().unwrap();
        prop_assert_eq!(read.value(), proposal.value());
    }
}
