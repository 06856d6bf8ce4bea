//! A proposal as `proposal show --output json` prints it: the actions, with where the proposal stands beside them.

use serde_json::{Map, Value};

use super::{Proposal, ProposalError};
use crate::id::ProposalId;
use crate::json;

/// The key for what a proposal holds beside its actions.
pub const BESIDE: &str = "besideActions";

/// Reads a proposal, or what `proposal show --output json` prints of one.
///
/// # Errors
/// As [`Proposal::parse`].
pub fn read(bytes: &[u8]) -> Result<Proposal, ProposalError> {
    match json::parse(bytes)? {
        shown if is_shown(&shown) => Proposal::of_value(unwrap(shown)),
        _ => Proposal::parse(bytes),
    }
}

/// Whether this is what `proposal show --output json` prints, and no proposal itself.
pub fn is_shown(value: &Value) -> bool {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    text("proposalId").is_some_and(|id| id.parse::<ProposalId>().is_ok()) && text("proposalState").is_some()
}

/// Puts a proposal, as the service gives it, into the object that shows where it stands.
pub fn insert(proposal: &Value, shown: &mut Map<String, Value>) {
    shown.insert("actions".into(), proposal.get("actions").cloned().unwrap_or_default());
    let beside: Map<String, Value> = proposal
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| *key != "actions")
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    if !beside.is_empty() {
        shown.insert(BESIDE.into(), beside.into());
    }
}

fn unwrap(shown: Value) -> Value {
    let Value::Object(mut shown) = shown else { return shown };
    let mut proposal = Map::new();
    if let Some(actions) = shown.shift_remove("actions") {
        proposal.insert("actions".into(), actions);
    }
    if let Some(Value::Object(beside)) = shown.shift_remove(BESIDE) {
        proposal.extend(beside.into_iter().filter(|(key, _)| key != "actions"));
    }
    Value::Object(proposal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(proposal: &Value) -> Vec<u8> {
        let mut shown =
            json!({"proposalId": "1".repeat(64), "proposalState": "Open", "ballotCount": 0, "committed": true});
        insert(proposal, shown.as_object_mut().unwrap());
        shown.to_string().into_bytes()
    }

    #[test]
    fn what_is_shown_reads_back_as_the_proposal() {
        for text in [
            r#"{"actions": [{"name": "x", "args": {"a": 0.9382359288434663}, "why": 1}]}"#,
            r#"{"note": {"n": 1e+2}, "actions": [{"name": "x"}], "proposalId": "7"}"#,
        ] {
            let proposal = Proposal::parse(text.as_bytes()).unwrap();
            let read = read(&shown(proposal.value())).unwrap();
            assert_eq!(read.value(), proposal.value());
            assert_eq!(super::read(text.as_bytes()).unwrap().bytes(), text.as_bytes());
        }
    }

    #[test]
    fn what_shows_no_list_of_actions_is_refused() {
        assert!(read(&shown(&json!({"actions": {"0": {"name": "x"}}}))).is_err());
        assert!(read(&shown(&json!(null))).is_err());
        let state = json!({"proposalId": "1".repeat(64), "proposalState": "Open"});
        assert!(read(state.to_string().as_bytes()).is_err());
    }
}
