//! What others wrote, shown to a person.

use serde_json::Value;

use ccf_gov::cose::visible as printable;
use ccf_gov::digest::sha256;

/// The longest text that is shown whole.
const LONG: usize = 600;

/// What a proposal would do, an action a paragraph. Long texts are cut, with their length and SHA-256.
pub fn actions(proposal: &Value) -> String {
    let list = proposal.get("actions").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut text = String::new();
    for (at, action) in list.iter().enumerate() {
        let name = action.get("name").and_then(Value::as_str).unwrap_or("?");
        text += &format!("  {}. {}\n", at + 1, printable(name));
        match action.get("args") {
            Some(Value::Object(args)) => {
                for (name, value) in args {
                    text += &format!("       {}: {}\n", printable(name), shown(value));
                }
            }
            Some(Value::Null) | None => {}
            Some(other) => text += &format!("       {}\n", shown(other)),
        }
    }
    text
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= LONG {
        return printable(&text);
    }
    let start: String = text.chars().take(LONG).collect();
    let digest = hex::encode(sha256(text.as_bytes()));
    format!("{}… ({} bytes, SHA-256 {digest})", printable(&start), text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_proposal_cannot_hide_anything_on_the_terminal() {
        let proposal =
            json!({"actions": [{"name": "set_x\u{1b}[2J", "args": {"a": "\u{202e}evil", "long": "x".repeat(5000)}}]});
        let text = actions(&proposal);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
        assert!(text.contains("(5000 bytes, SHA-256 "), "{text}");
    }
}
