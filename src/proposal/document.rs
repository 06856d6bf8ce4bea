//! A proposal: what is signed, and what it says.

use crate::text::clip;
use serde_json::{Map, Value};

use crate::json::{self, JsonError};

/// The largest proposal that is read, in bytes: 32 MiB.
///
/// CCF takes request bodies of 1 MiB unless configured otherwise, so this leaves room without being a burden.
pub const MAX_PROPOSAL: u64 = 32 << 20;

/// A proposal, `{"actions": [{"name": …, "args": …}, …]}`.
///
/// Its bytes are kept: what was read is what is signed and sent, spaces and key order included.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    bytes: Vec<u8>,
    value: Value,
    actions: Vec<Action>,
}

/// One thing that a proposal does when it is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Action {
    /// The action's name in the constitution, for example `remove_node`.
    pub name: String,
    /// Its arguments: usually an object; absent for actions that take none.
    pub args: Option<Value>,
}

impl Action {
    /// How a finding names it: by its place in the proposal, from 0, and its name, made harmless.
    pub(crate) fn title(&self, at: usize) -> String {
        let name = clip(&self.name, 60);
        format!("action {} ({})", at + 1, name.escape_debug())
    }
}

/// Why a text is not a proposal.
#[derive(Debug, thiserror::Error)]
pub enum ProposalError {
    /// Not JSON, or JSON that two readers could read differently.
    #[error("a proposal is JSON")]
    Json(#[from] JsonError),
    /// JSON of something else altogether.
    #[error("a proposal is {{\"actions\": [{{\"name\": …, \"args\": …}}]}}: {0}")]
    Other(&'static str),
    /// JSON of another shape.
    #[error("a proposal is {{\"actions\": [{{\"name\": …, \"args\": …}}]}}: {0}")]
    Shape(String),
}

impl ProposalError {
    /// Whether it is no proposal at all, rather than one with a fault.
    pub fn is_no_proposal(&self) -> bool {
        match self {
            Self::Json(error) => !error.is_fault_of_json(),
            Self::Other(_) => true,
            Self::Shape(_) => false,
        }
    }
}

impl Proposal {
    /// Reads a proposal. Duplicate keys, text that is not UTF-8, and anything after the object are refused;
    /// keys that CCF does not know are kept, for they are part of what is signed.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProposalError> {
        Self::new(json::parse(bytes)?, bytes.into())
    }

    /// The proposal that `value` is, written as indented JSON with a final newline.
    ///
    /// # Errors
    /// JSON of another shape.
    pub fn of_value(value: Value) -> Result<Self, ProposalError> {
        let bytes = indented(&value);
        Self::new(value, bytes)
    }

    fn new(value: Value, bytes: Vec<u8>) -> Result<Self, ProposalError> {
        let shape = |text: String| ProposalError::Shape(text);
        let list = value.get("actions").ok_or(ProposalError::Other("it has no \"actions\""))?;
        let list = list.as_array().ok_or(ProposalError::Other("\"actions\" is not a list"))?;
        if list.is_empty() {
            return Err(shape("it has no action, and would do nothing".into()));
        }
        let actions = list.iter().enumerate().map(|(at, action)| {
            let name = action.get("name").and_then(Value::as_str);
            let name = name.ok_or_else(|| shape(format!("action {} has no \"name\"", at + 1)))?;
            Ok(Action { name: name.into(), args: action.get("args").cloned() })
        });
        let actions = actions.collect::<Result<_, ProposalError>>()?;
        Ok(Self { bytes, value, actions })
    }

    /// A proposal of these actions, in this order, as indented JSON with a final newline.
    pub fn of(actions: Vec<Action>) -> Self {
        let list = actions.iter().map(|action| {
            let mut object = Map::new();
            object.insert("name".into(), action.name.as_str().into());
            if let Some(args) = &action.args {
                object.insert("args".into(), args.clone());
            }
            Value::Object(object)
        });
        let value = Value::Object(Map::from_iter([("actions".into(), list.collect())]));
        Self { bytes: indented(&value), value, actions }
    }

    /// What is signed: the bytes that were read, or indented JSON for a proposal that was made here.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it would do, for a person: see [`summary`](super::summary()).
    pub fn summary(&self) -> String {
        super::summary(&self.value)
    }

    /// The whole JSON, with whatever stands in it beside the actions.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Keys that no constitution reads, beside `actions`, `name` and `args`.
    pub fn surplus(&self) -> Vec<String> {
        let object =
            |value: &Value| value.as_object().map(|o| o.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
        let mut keys: Vec<_> = object(&self.value).into_iter().filter(|k| k != "actions").collect();
        for action in self.value.get("actions").and_then(Value::as_array).into_iter().flatten() {
            keys.extend(object(action).into_iter().filter(|k| k != "name" && k != "args"));
        }
        keys
    }

    /// The actions, in the order in which they are applied.
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }
}

fn indented(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

impl Action {
    /// The action `name` with these arguments; `None` for an action that takes none.
    pub fn new(name: impl Into<String>, args: Option<Value>) -> Self {
        Self { name: name.into(), args }
    }

    /// Whether both do the same: numbers are compared as JavaScript reads them.
    pub fn is_same(&self, other: &Self) -> bool {
        self.name == other.name
            && match (&self.args, &other.args) {
                (Some(a), Some(b)) => json::same(a, b),
                (a, b) => a.is_none() && b.is_none(),
            }
    }

    /// One argument.
    pub fn arg(&self, name: &str) -> Option<&Value> {
        self.args.as_ref()?.get(name)
    }

    /// One argument, if it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.arg(name)?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bytes_are_kept_as_they_were_read() {
        let text = b"{ \"note\": 1,\n\"actions\":[ {\"args\":{\"b\":1,\"a\":2},\"name\":\"x\"} ] }\n\n";
        let proposal = Proposal::parse(text).unwrap();
        assert_eq!(proposal.bytes(), text);
        assert_eq!(proposal.actions()[0].arg("a"), Some(&json!(2)));
        assert_eq!(proposal.value()["note"], 1);
    }

    #[test]
    fn what_is_made_here_reads_back_the_same() {
        let made =
            Proposal::of(vec![Action::new("remove_node", Some(json!({"node_id": "ab"}))), Action::new("rekey", None)]);
        let read = Proposal::parse(made.bytes()).unwrap();
        assert_eq!(made, read);
    }

    #[test]
    fn no_digit_is_changed() {
        let args = r#"{"a":0.9382359288434663,"b":12345678901234567890123,"c":1.50,"d":-0}"#;
        let text = format!(r#"{{"actions":[{{"name":"set_member_data","args":{args}}}]}}"#);
        let read = Proposal::parse(text.as_bytes()).unwrap();
        assert_eq!(read.value().to_string(), text);
        let made = Proposal::of(read.actions().to_vec());
        assert_eq!(made.value().to_string(), text);
        assert_eq!(Proposal::parse(made.bytes()).unwrap(), made);
    }

    #[test]
    fn other_shapes_are_refused() {
        for bad in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"actions": {}}"#,
            r#"{"actions": []}"#,
            r#"{"actions": [1]}"#,
            r#"{"actions": [{"name": 1}]}"#,
            r#"{"actions": [{"args": {}}]}"#,
            r#"{"actions": [{"name": "x"}], "actions": [{"name": "y"}]}"#,
            r#"{"actions": [{"name": "\ud800"}]}"#,
        ] {
            assert!(Proposal::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
