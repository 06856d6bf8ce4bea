//! Ballots run in a JavaScript engine: what they say must be what they are for.

use proptest::prelude::*;
use rquickjs::{Context, Function, Module, Runtime};
use serde_json::{Map, Value, json};

use super::exact::{EXACT, PLACE};
use super::literal::literal;
use super::*;
use crate::json::MAX_SAFE_INTEGER;
use crate::proposal::Action;

/// Runs `vote` on a proposal's text, as a node does.
fn vote(ballot: &Ballot, proposal: &str) -> bool {
    let context = Context::full(&Runtime::new().unwrap()).unwrap();
    context.with(|ctx| {
        let module = Module::declare(ctx.clone(), "ballot", ballot.script()).unwrap();
        let (module, promise) = module.eval().unwrap();
        promise.finish::<()>().unwrap();
        let vote: Function<'_> = module.get("vote").unwrap();
        vote.call((proposal, "ab")).unwrap()
    })
}

fn proposal(args: Value) -> Proposal {
    Proposal::of(vec![Action::new("set_node_data", Some(args)), Action::new("trigger_snapshot", None)])
}

#[test]
fn accept_and_reject_say_so_and_are_known() {
    let text = proposal(json!({})).value().to_string();
    assert!(vote(&accept(), &text) && !vote(&reject(), &text));
    assert_eq!((accept().kind(), reject().kind()), (BallotKind::Accept, BallotKind::Reject));
    assert_eq!(Ballot::parse(&accept().payload()).unwrap(), accept());
}

#[test]
fn an_exact_ballot_holds_its_proposal() {
    let proposal = proposal(json!({"a": "\u{2028}\"`${x}\\</script>\u{1F600}\u{0}", "__proto__": {"b": 1}}));
    let ballot = exact(&proposal).unwrap();
    assert!(ballot.script().is_ascii());
    assert!(vote(&ballot, &String::from_utf8_lossy(proposal.bytes())));
    assert_eq!(ballot.kind(), BallotKind::Exact);
    assert_eq!(one_proposal(ballot.script()).unwrap().value(), proposal.value());
}

#[test]
fn near_misses_are_rejected() {
    let ballot = exact(&proposal(json!({"__proto__": {"b": 1}, "n": 0, "l": [], "t": "1"}))).unwrap();
    let with = |args: &str| {
        format!(r#"{{"actions":[{{"name":"set_node_data","args":{args}}},{{"name":"trigger_snapshot"}}]}}"#)
    };
    assert!(vote(&ballot, &with(r#"{"t":"1","l":[],"n":0,"__proto__":{"b":1}}"#)));
    for args in [
        r#"{"t":"1","l":[],"n":0}"#,
        r#"{"t":"1","l":[],"n":0,"__proto__":{"b":2}}"#,
        r#"{"t":"1","l":[],"n":0,"x":{"b":1}}"#,
        r#"{"t":"1","l":[],"n":-0,"__proto__":{"b":1}}"#,
        r#"{"t":1,"l":[],"n":0,"__proto__":{"b":1}}"#,
        r#"{"t":"1","l":{},"n":0,"__proto__":{"b":1}}"#,
        r#"{"t":"1","l":[null],"n":0,"__proto__":{"b":1}}"#,
        r#"{"t":"1","l":[],"n":null,"__proto__":{"b":1}}"#,
        r#"{"t":"1","l":[],"n":0,"__proto__":{"b":1},"toString":1}"#,
        "null",
    ] {
        assert!(!vote(&ballot, &with(args)), "{args}");
    }
    assert!(!vote(&ballot, "null") && !vote(&ballot, "[]"));
}

fn with_number(number: &str) -> Proposal {
    Proposal::parse(format!(r#"{{"actions":[{{"name":"x","args":{{"n":{number}}}}}]}}"#).as_bytes()).unwrap()
}

#[test]
fn numbers_that_javascript_rounds_are_refused_and_never_called_exact() {
    for number in [
        "9007199254740992",
        "-9007199254740993",
        "18446744073709551615",
        "1e300",
        "1e400",
        "1e-400",
        "0.12345678901234567890",
    ] {
        let proposal = with_number(number);
        assert!(matches!(exact(&proposal), Err(BallotError::Number { .. })), "{number}");
        let script = EXACT.replacen(PLACE, &literal(&proposal.value().to_string()), 1);
        assert_eq!((kind(&script), one_proposal(&script)), (BallotKind::Other, None), "{number}");
    }
    for number in ["9007199254740991", "0.5", "1.0", "1e2", "-0"] {
        assert!(exact(&with_number(number)).is_ok(), "{number}");
    }
}

#[test]
fn an_attacked_fraction_is_told_from_its_neighbour() {
    let [float, other] = ["float.json", "float_other.json"].map(|name| {
        let path = std::path::Path::new("tests/vectors/exact").join(name);
        Proposal::parse(&std::fs::read(path).unwrap()).unwrap()
    });
    let ballot = exact(&float).unwrap();
    assert!(vote(&ballot, &String::from_utf8_lossy(float.bytes())));
    assert!(!vote(&ballot, &String::from_utf8_lossy(other.bytes())));
    assert!(!json::same(float.value(), other.value()));
}

#[test]
fn the_usual_ballots_are_known_and_others_are_not_mistaken_for_them() {
    for yes in [
        "export function vote (proposal, proposerId) { return true }",
        "export function vote (rawProposal, proposerId)\n{\n  return true;\n}\n",
        "export function vote(){return true};",
    ] {
        assert_eq!(kind(yes), BallotKind::Accept, "{yes}");
    }
    assert_eq!(kind("export function vote (proposal, proposer_id) { return false }"), BallotKind::Reject);
    for other in [
        "",
        "export function vote () { return\ntrue }",
        "export function vote () { returntrue }",
        "export function vote () { return truely }",
        "export function vote (a = x()) { return true }",
        "export function vote () { return true && no }",
        "export function vote () { return true } export function other() {}",
        "exportfunction vote () { return true }",
        "export function voted () { return true }",
        "x(); export function vote () { return true }",
    ] {
        assert_eq!(kind(other), BallotKind::Other, "{other}");
    }
    let exact = exact(&proposal(json!({}))).unwrap();
    assert_eq!(kind(&exact.script().replace("return same", "return true || same")), BallotKind::Other);
    assert_eq!(kind(&EXACT.replace(PLACE, "evil()")), BallotKind::Other);
    assert_eq!(kind(&EXACT.replace(PLACE, "\"{}\"")), BallotKind::Other);
}

pub(super) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        let key = prop_oneof![Just("__proto__".to_string()), Just("length".to_string()), any::<String>()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..4).prop_map(|pairs| Value::Object(Map::from_iter(pairs))),
        ]
    })
}

/// Every value that differs from `value` in one place.
pub(super) fn mutations(value: &Value) -> Vec<Value> {
    let mut all = match value {
        Value::Null => vec![json!(false), json!(0), json!("")],
        Value::Bool(b) => vec![json!(!b), Value::Null],
        Value::Number(n) => vec![json!(n.as_i64().unwrap() ^ 1), json!(n.to_string())],
        Value::String(s) => vec![json!(format!("{s} ")), json!(s.to_uppercase() + "x"), json!([s])],
        Value::Array(list) if list.is_empty() => vec![json!({}), json!([null])],
        Value::Object(object) if object.is_empty() => vec![json!([]), json!({"__proto__": null})],
        _ => vec![Value::Null],
    };
    match value {
        Value::Array(list) => {
            for (at, element) in list.iter().enumerate() {
                let with = |new: Value| {
                    let mut list = list.clone();
                    list[at] = new;
                    Value::Array(list)
                };
                all.extend(mutations(element).into_iter().map(with));
                let mut less = list.clone();
                less.remove(at);
                all.push(Value::Array(less));
            }
        }
        Value::Object(object) => {
            for (key, element) in object {
                let with = |new: Value| {
                    let mut object = object.clone();
                    object.insert(key.clone(), new);
                    Value::Object(object)
                };
                all.extend(mutations(element).into_iter().map(with));
                let mut renamed = object.clone();
                let element = renamed.shift_remove(key).unwrap();
                all.push(Value::Object(renamed.clone()));
                renamed.insert(format!("{key}'"), element);
                all.push(Value::Object(renamed));
            }
        }
        _ => {}
    }
    all.retain(|other| other != value);
    all
}

fn reversed(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(reversed).collect(),
        Value::Object(object) => Value::Object(object.iter().rev().map(|(k, v)| (k.clone(), reversed(v))).collect()),
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_exact_ballot_accepts_its_proposal_in_any_key_order_and_no_other(args in any_json()) {
        let proposal = proposal(args);
        let ballot = exact(&proposal).unwrap();
        let context = Context::full(&Runtime::new().unwrap()).unwrap();
        context.with(|ctx| {
            let (module, _) = Module::declare(ctx.clone(), "ballot", ballot.script()).unwrap().eval().unwrap();
            let vote: Function<'_> = module.get("vote").unwrap();
            let accepts = |value: &Value| vote.call::<_, bool>((value.to_string(), "ab")).unwrap();
            prop_assert!(accepts(proposal.value()));
            prop_assert!(accepts(&reversed(proposal.value())));
            for other in mutations(proposal.value()) {
                prop_assert!(!accepts(&other), "{other}");
            }
            Ok(())
        })?;
    }
}
