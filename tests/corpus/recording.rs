//! What real nodes answered, and what it takes for two answers to agree: status, error code, and JSON shape.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// One recorded exchange.
pub struct Exchange {
    pub step: String,
    pub method: String,
    pub status: u16,
    pub body: Value,
    pub content_type: Option<String>,
    /// Whether the answer names a transaction.
    pub transaction: bool,
}

/// The recording, if it is on this machine.
pub fn load() -> Option<Vec<Exchange>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let folder = std::env::var_os("CCF_GOV_CORPUS").map_or(beside, PathBuf::from);
    let text = std::fs::read_to_string(folder.join("ccf-7.0.0-dev5/exchanges.jsonl")).ok()?;
    let read = |line: &str| {
        let exchange: Value = serde_json::from_str(line).unwrap();
        let response = &exchange["response"];
        Exchange {
            step: exchange["step"].as_str().unwrap().to_owned(),
            method: exchange["request"]["method"].as_str().unwrap().to_owned(),
            status: u16::try_from(response["status"].as_u64().unwrap()).unwrap(),
            body: response["body"].clone(),
            content_type: response["headers"]["content-type"].as_str().map(str::to_owned),
            transaction: response["headers"].get("x-ms-ccf-transaction-id").is_some(),
        }
    };
    Some(text.lines().map(read).collect())
}

/// The shape of a JSON value: keys and types, recursively. Identifiers as keys are one key, and a list has
/// the set of its elements' shapes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    Null,
    Bool,
    Number,
    Text,
    List(BTreeSet<Shape>),
    Object(BTreeMap<String, BTreeSet<Shape>>),
}

impl Shape {
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::Text,
            Value::Array(list) => Self::List(list.iter().map(Self::of).collect()),
            Value::Object(object) => {
                let mut keys: BTreeMap<String, BTreeSet<Shape>> = BTreeMap::new();
                for (key, value) in object {
                    let id = key.len() == 64 && key.bytes().all(|b| b.is_ascii_hexdigit());
                    let key = if id { "<id>" } else { key };
                    keys.entry(key.to_owned()).or_default().insert(Self::of(value));
                }
                Self::Object(keys)
            }
        }
    }
}

#[test]
fn shapes_tell_keys_and_types_apart_and_nothing_else() {
    let shape = |text: &str| Shape::of(&serde_json::from_str(text).unwrap());
    assert_eq!(shape(r#"{"a":1,"b":["x"]}"#), shape(r#"{"b":["y","z"],"a":2}"#));
    let (one, two) = ("1".repeat(64), "2".repeat(64));
    assert_eq!(shape(&format!(r#"{{"{one}":1}}"#)), shape(&format!(r#"{{"{one}":1,"{two}":2}}"#)));
    for other in [r#"{"a":"1"}"#, r#"{"b":1}"#, r#"{"a":null}"#, r#"[1]"#, r#"{}"#] {
        assert_ne!(shape(r#"{"a":1}"#), shape(other));
    }
}
