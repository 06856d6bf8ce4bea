//! How two proposals differ, in lines for a person who has to decide what that means.

use crate::text::clip;
use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value};

use crate::json::{as_javascript, same};
use crate::text::visible;

/// As many differences are named one by one.
const MAX_NAMED: usize = 8;

/// Longer values are shown by this many characters, from where they begin to differ.
const LONG: usize = 80;

/// The differences between two proposals, at least one; each is the cause of the one before, so that an error names all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    text: String,
    next: Option<Box<Self>>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Difference {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.next.as_deref().map(|next| next as _)
    }
}

/// Where the service's proposal is another one than `ours`: what stands where, as `ours / the service's`. `None` if an exact
/// ballot for one accepts the other.
pub fn difference(ours: &Value, service: &Value) -> Option<Difference> {
    if same(ours, service) {
        return None;
    }
    let mut found = Found::default();
    match (ours, service) {
        (Value::Object(a), Value::Object(b)) => {
            match (a.get("actions"), b.get("actions")) {
                (Some(a), Some(b)) if same(a, b) => {}
                (Some(Value::Array(a)), Some(Value::Array(b))) => found.actions(a, b),
                (a, b) => found.values("actions", a, b),
            }
            found.entries("", a, b, &["actions"]);
        }
        _ => found.values("the proposal", Some(ours), Some(service)),
    }
    let mut lines = found.lines.into_iter().take(MAX_NAMED).collect::<Vec<_>>();
    if found.more {
        lines.push("and more".into());
    }
    lines
        .into_iter()
        .rev()
        .fold(None, |next: Option<Difference>, text| Some(Difference { text, next: next.map(Box::new) }))
}

#[derive(Default)]
struct Found {
    lines: Vec<String>,
    /// Whether there are more than were named.
    more: bool,
}

impl Found {
    fn add(&mut self, line: String) {
        if self.lines.len() < MAX_NAMED { self.lines.push(line) } else { self.more = true }
    }

    /// Two lists of actions: what is in both is set aside, wherever it stands; what is left is compared by name.
    fn actions(&mut self, ours: &[Value], service: &[Value]) {
        let mut places: HashMap<String, VecDeque<usize>> = HashMap::new();
        service.iter().enumerate().for_each(|(at, action)| places.entry(canonical(action)).or_default().push_back(at));
        let mut more = vec![true; service.len()];
        let mut left = Vec::new();
        for (at, action) in ours.iter().enumerate() {
            match places.get_mut(&canonical(action)).and_then(VecDeque::pop_front) {
                Some(place) => more[place] = false,
                None => left.push(at),
            }
        }
        let mut named: HashMap<&str, VecDeque<usize>> = HashMap::new();
        for (at, action) in service.iter().enumerate().filter(|(at, _)| more[*at]) {
            named.entry(name(action)).or_default().push_back(at);
        }
        if left.is_empty() && named.is_empty() {
            let at = ours.iter().zip(service).position(|(a, b)| !same(a, b)).unwrap_or_default();
            let titles = (ours.get(at).map(title), service.get(at).map(title));
            let (ours, service) = (titles.0.unwrap_or_default(), titles.1.unwrap_or_default());
            return self.add(format!("the same actions in another order: actions[{at}]: {ours} / {service}"));
        }
        let mut lacking = Vec::new();
        for at in left {
            match named.get_mut(name(&ours[at])).and_then(VecDeque::pop_front) {
                Some(place) => {
                    more[place] = false;
                    let path = if place == at { format!("actions[{at}]") } else { format!("actions[{at} / {place}]") };
                    self.values(&path, Some(&ours[at]), Some(&service[place]));
                }
                None => lacking.push(&ours[at]),
            }
        }
        let surplus: Vec<&Value> =
            service.iter().zip(more).filter(|(_, more)| *more).map(|(action, _)| action).collect();
        self.counted("the service's has", "more", &surplus);
        self.counted("the service's lacks", "of these", &lacking);
    }

    fn counted(&mut self, what: &str, than: &str, actions: &[&Value]) {
        match actions {
            [] => {}
            [one] if than == "more" => self.add(format!("{what} one action more: {}", title(one))),
            [one] => self.add(format!("{what} one action: {}", title(one))),
            many => {
                let titles: Vec<String> = many.iter().take(MAX_NAMED).map(|action| title(action)).collect();
                let and = if many.len() > MAX_NAMED { ", …" } else { "" };
                self.add(format!("{what} {} actions {than}: {}{and}", many.len(), titles.join(", ")));
            }
        }
    }

    fn values(&mut self, path: &str, ours: Option<&Value>, service: Option<&Value>) {
        if self.more {
            return;
        }
        match (ours, service) {
            (None, None) => {}
            (Some(a), Some(b)) if same(a, b) => {}
            (Some(Value::Object(a)), Some(Value::Object(b))) => self.entries(&format!("{path}."), a, b, &[]),
            (Some(Value::Array(a)), Some(Value::Array(b))) => {
                for at in 0..a.len().max(b.len()) {
                    self.values(&format!("{path}[{at}]"), a.get(at), b.get(at));
                }
            }
            (Some(Value::String(a)), Some(Value::String(b))) => {
                let (a, b) = texts(a, b);
                self.add(format!("{path}: {a} / {b}"));
            }
            (a, b) => self.add(format!("{path}: {} / {}", typed(a), typed(b))),
        }
    }

    /// Every key of either, but those in `aside`; `prefix` stands before each.
    fn entries(&mut self, prefix: &str, ours: &Map<String, Value>, service: &Map<String, Value>, aside: &[&str]) {
        let others = service.keys().filter(|key| !ours.contains_key(*key));
        for key in ours.keys().chain(others).filter(|key| !aside.contains(&key.as_str())) {
            self.values(&format!("{prefix}{}", short(key)), ours.get(key), service.get(key));
        }
    }
}

/// An action's name and what it is about: the first text among its arguments.
fn title(action: &Value) -> String {
    let args = action.get("args").and_then(Value::as_object);
    let about = args.into_iter().flat_map(Map::values).find_map(Value::as_str);
    let name = action.get("name").and_then(Value::as_str).map_or_else(|| short(&action.to_string()), short);
    about.map_or_else(|| name.clone(), |about| format!("{name} {}", short(about)))
}

fn name(action: &Value) -> &str {
    action.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// Two different texts, from a little before the first difference if they are long.
fn texts(a: &str, b: &str) -> (String, String) {
    if a.chars().count() <= LONG && b.chars().count() <= LONG {
        return (quoted(a), quoted(b));
    }
    let common =
        a.char_indices().zip(b.chars()).find(|((_, a), b)| a != b).map_or(a.len().min(b.len()), |((at, _), _)| at);
    let line = a[..common].matches('\n').count() + 1;
    let line_start = a[..common].rfind('\n').map_or(0, |at| at + 1);
    let start = a[..common].char_indices().rev().nth(20).map_or(0, |(at, _)| at).max(line_start);
    let part = |text: &str| {
        let end = text[common..].find('\n').map_or(text.len(), |at| common + at);
        let rest = clip(&text[start..end], LONG);
        if rest.is_empty() {
            return format!("nothing more ({} bytes)", text.len());
        }
        let before = if start > 0 { "…" } else { "" };
        let after = if start + rest.len() < text.len() { "…" } else { "" };
        format!("{before}{}{after} ({} bytes)", quoted(&rest), text.len())
    };
    let place = if a.contains('\n') { format!("from line {line} on: ") } else { String::new() };
    (format!("{place}{}", part(a)), part(b))
}

/// A text without quotes, unless that leaves its ends in doubt.
fn quoted(text: &str) -> String {
    let plain = !text.is_empty() && !text.contains(" / ") && text.trim() == text;
    if plain { visible(text) } else { format!("\"{}\"", visible(text)) }
}

/// A value with its type, where the other one has another.
fn typed(value: Option<&Value>) -> String {
    match value {
        None => "(absent)".into(),
        Some(Value::String(text)) => format!("the text {}", short(&Value::from(text.as_str()).to_string())),
        Some(Value::Array(list)) if list.is_empty() => "[]".into(),
        Some(Value::Array(list)) => {
            format!("a list of {}: {}", list.len(), short(&Value::Array(list.clone()).to_string()))
        }
        Some(other) => short(&other.to_string()),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(LONG) {
        None => visible(text),
        Some((end, _)) => format!("{}… ({} bytes)", visible(&text[..end]), text.len()),
    }
}

/// A text that is the same for all values that are the same to JavaScript, and for no others.
fn canonical(value: &Value) -> String {
    match value {
        Value::Number(number) => format!("#{:x}", as_javascript(number).to_bits()),
        Value::Array(list) => format!("[{}]", list.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Object(object) => {
            let mut entries: Vec<String> = object
                .iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)))
                .collect();
            entries.sort_unstable();
            format!("{{{}}}", entries.join(","))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(ours: &Value, service: &Value) -> Vec<String> {
        let difference = difference(ours, service);
        let mut next = difference.as_ref().map(|d| d as &dyn std::error::Error);
        let mut lines = Vec::new();
        while let Some(line) = next {
            lines.push(line.to_string());
            next = line.source();
        }
        lines
    }

    fn of(actions: Value) -> Value {
        json!({ "actions": actions })
    }

    #[test]
    fn what_stands_where_is_named() {
        let trust =
            |time: &str| json!({"name": "transition_node_to_trusted", "args": {"node_id": "ab", "valid_from": time}});
        assert_eq!(
            told(&of(json!([trust("261125171738Z")])), &of(json!([trust("261125171741Z")]))),
            ["actions[0].args.valid_from: 261125171738Z / 261125171741Z"]
        );
        let add = json!({"name": "add_virtual_host_data", "args": {"host_data": "886b6748"}});
        let both = of(json!([trust("1"), add]));
        assert_eq!(
            told(&of(json!([trust("1")])), &both),
            ["the service's has one action more: add_virtual_host_data 886b6748"]
        );
        assert_eq!(
            told(&both, &of(json!([trust("2")]))),
            ["actions[0].args.valid_from: 1 / 2", "the service's lacks one action: add_virtual_host_data 886b6748"]
        );
        assert_eq!(
            told(&both, &of(json!([add, trust("1")]))),
            [
                "the same actions in another order: actions[0]: transition_node_to_trusted ab / add_virtual_host_data 886b6748"
            ]
        );
        assert_eq!(told(&both, &of(json!([add, trust("2")]))), ["actions[0 / 1].args.valid_from: 1 / 2"]);
        assert!(told(&both, &both).is_empty());
    }

    #[test]
    fn types_and_absence_are_told_apart() {
        let one = |args: Value| of(json!([{"name": "x", "args": args}]));
        let cases = [
            (json!({"a": 1}), json!({"a": "1"}), "actions[0].args.a: 1 / the text \"1\""),
            (json!({"a": null}), json!({}), "actions[0].args.a: null / (absent)"),
            (json!({}), json!({"a": []}), "actions[0].args.a: (absent) / []"),
            (json!({"a": [1]}), json!({"a": [1, true]}), "actions[0].args.a[1]: (absent) / true"),
            (json!({"a": "x"}), json!({"a": "x "}), "actions[0].args.a: x / \"x \""),
            (json!({"a": {"b": 0.5}}), json!({"a": {"b": 0.25}}), "actions[0].args.a.b: 0.5 / 0.25"),
            (json!({"a\u{202e}": 1}), json!({"a\u{202e}": 2}), "actions[0].args.a\\u{202e}: 1 / 2"),
        ];
        for (ours, service, line) in cases {
            assert_eq!(told(&one(ours), &one(service)), [line]);
        }
        let noted = json!({"actions": [], "note": "n"});
        assert_eq!(told(&of(json!([])), &noted), ["note: (absent) / the text \"n\""]);
        assert_eq!(told(&of(json!([])), &of(json!({"0": 1}))), ["actions: [] / {\"0\":1}"]);
        assert_eq!(told(&of(json!([])), &json!(1)), ["the proposal: {\"actions\":[]} / 1"]);
    }

    #[test]
    fn the_same_number_written_otherwise_is_no_difference() {
        let one = |text: &str| {
            crate::json::parse(format!(r#"{{"actions":[{{"name":"x","args":{text}}}]}}"#).as_bytes()).unwrap()
        };
        assert_eq!(difference(&one("1"), &one("1.0")), None);
        assert_eq!(told(&one("0"), &one("-0")), ["actions[0].args: 0 / -0"]);
    }

    #[test]
    fn long_texts_and_many_differences_stay_short() {
        let script = |line: &str| {
            of(
                json!([{"name": "set_constitution", "args": {"constitution": format!("{}{line}\n{}", "a\n".repeat(1679), "z\n".repeat(100))}}]),
            )
        };
        let lines = told(&script("votes > half"), &script("votes >= half"));
        assert!(lines[0].starts_with("actions[0].args.constitution: from line 1680 on: …votes > half… ("), "{lines:?}");
        assert!(lines[0].contains("votes > half") && lines[0].contains("votes >= half"));
        assert!(lines[0].len() < 300, "{lines:?}");
        let data = |text: &str| of(json!([{"name": "x", "args": format!("{}\n{text}", "a".repeat(100))}]));
        assert_eq!(
            told(&data(""), &data("more")),
            ["actions[0].args: from line 2 on: nothing more (101 bytes) / …more (105 bytes)"]
        );
        let many = |n: u64| of((0..5000u64).map(|at| json!({"name": "x", "args": at + n})).collect());
        assert_eq!(told(&many(0), &many(10_000)).len(), MAX_NAMED + 1);
        let other = of((0..5000).map(|at| json!({"name": format!("y{at}")})).collect());
        let lines = told(&many(0), &other);
        assert!(lines[0].starts_with("the service's has 5000 actions more: y0, y1, ") && lines[0].ends_with(", …"));
        assert!(lines[1].starts_with("the service's lacks 5000 actions of these: x, "), "{lines:?}");
    }
}
