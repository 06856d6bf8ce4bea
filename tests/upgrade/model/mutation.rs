//! Proposals that differ from another one in one way.

use ccf_gov::proposal::Proposal;
use serde_json::{Value, json};

use super::random::Random;

/// Every proposal of this kind: another digit in any text or number, another name, a missing, added or doubled action or argument,
/// other kinds of values, keys that nobody reads.
pub fn mutations(good: &Proposal) -> Vec<Proposal> {
    let value = good.value();
    let of = |path: &String| {
        others(value.pointer(path).unwrap())
            .into_iter()
            .filter_map(|other| with(value, path, other))
            .collect::<Vec<_>>()
    };
    paths(value).iter().flat_map(of).collect()
}

/// One of them.
pub fn mutation(good: &Proposal, random: &mut Random) -> Option<Proposal> {
    let path = random.pick(&paths(good.value()))?;
    let other = random.pick(&others(good.value().pointer(&path)?))?;
    with(good.value(), &path, other)
}

fn with(value: &Value, path: &str, other: Value) -> Option<Proposal> {
    let mut changed = value.clone();
    *changed.pointer_mut(path)? = other;
    Proposal::of_value(changed).ok()
}

fn others(at: &Value) -> Vec<Value> {
    match at {
        Value::String(text) => texts(text),
        Value::Number(number) => {
            let n = number.as_u64().unwrap();
            vec![
                json!(n + 1),
                json!(n as i64 - 1),
                json!(n * 10 + 7),
                json!(n.to_string()),
                serde_json::from_str(&format!("{n}.0")).unwrap(),
                serde_json::from_str(&format!("{n}e0")).unwrap(),
                json!(-1),
                json!(n as f64 + 0.5),
                Value::Null,
            ]
        }
        Value::Object(object) => {
            let extra = |key: &str, of: Value| {
                let mut more = object.clone();
                more.insert(key.into(), of);
                Value::Object(more)
            };
            let mut all = vec![extra("x", json!(1)), extra("node_data", json!({})), Value::Null, json!([])];
            for key in object.keys() {
                let mut less = object.clone();
                less.remove(key);
                all.push(Value::Object(less));
            }
            all
        }
        Value::Array(actions) => {
            let mut all = Vec::new();
            for at in 0..actions.len() {
                let mut less = actions.clone();
                less.remove(at);
                all.push(Value::Array(less));
                let mut twice = actions.clone();
                twice.push(actions[at].clone());
                all.push(Value::Array(twice));
                let mut more = actions.clone();
                more.insert(at, json!({"name": "rekey"}));
                all.push(Value::Array(more));
            }
            let mut more = actions.clone();
            more.push(json!({"name": "set_member", "args": {"cert": "x"}}));
            all.push(Value::Array(more));
            all
        }
        _ => Vec::new(),
    }
}

fn paths(value: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    walk(value, String::new(), &mut paths);
    paths
}

fn texts(text: &str) -> Vec<Value> {
    let mut all = vec![
        json!(""),
        json!(format!("{text} ")),
        json!(format!(" {text}")),
        json!(text.to_uppercase()),
        json!([text]),
        Value::Null,
    ];
    all.retain(|other| other.as_str() != Some(text));
    for at in 0..text.len() {
        let mut bytes = text.as_bytes().to_vec();
        if bytes[at].is_ascii_alphanumeric() {
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            all.extend(String::from_utf8(bytes).ok().map(Value::String));
        }
    }
    all
}

fn walk(value: &Value, path: String, paths: &mut Vec<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(key, value)| walk(value, format!("{path}/{key}"), paths)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, value)| walk(value, format!("{path}/{at}"), paths))
        }
        _ => {}
    }
    paths.push(path);
}
