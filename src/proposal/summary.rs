//! A proposal for a person who is about to sign it, or to vote on it.

use serde_json::Value;

use super::catalogue;
use super::pem_text;
use crate::digest::sha256;
use crate::text::visible;

/// The longest text that is shown whole; of a longer one, this many characters.
const LONG: usize = 300;

/// What a proposal would do, an action a paragraph, indented by two.
///
/// `proposal` is its JSON, ours or from a service. Everything in it is shown: long texts by their beginning, length,
/// lines and SHA-256; certificates by subject and id; keys that no constitution reads, too. Nothing in it can move a
/// terminal's cursor or hide text.
pub fn summary(proposal: &Value) -> String {
    let mut text = String::new();
    for (at, action) in proposal.get("actions").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let name = action.get("name").and_then(Value::as_str).unwrap_or("?");
        let drops = if catalogue::drops(name) { "  (drops every other open proposal)" } else { "" };
        text += &format!("  {}. {}{drops}\n", at + 1, visible(name));
        match action.get("args") {
            Some(Value::Object(args)) => args.iter().for_each(|(name, value)| show(name, value, 7, &mut text)),
            Some(Value::Null) | None => {}
            Some(other) => show("args", other, 7, &mut text),
        }
        surplus(action, &["name", "args"], 7, &mut text);
    }
    surplus(proposal, &["actions"], 2, &mut text);
    text
}

fn surplus(value: &Value, known: &[&str], indent: usize, text: &mut String) {
    for (name, value) in value.as_object().into_iter().flatten().filter(|(name, _)| !known.contains(&name.as_str())) {
        show(&format!("(not read by any constitution) {name}"), value, indent, text);
    }
}

fn show(name: &str, value: &Value, indent: usize, text: &mut String) {
    let name = visible(name);
    let mut line = |shown: &str| text.push_str(&format!("{:indent$}{name}: {shown}\n", ""));
    match value {
        Value::String(value) => match pem_text::describe(value) {
            Some(certificates) if !certificates.is_empty() => certificates.iter().for_each(|c| line(&visible(c))),
            _ => line(&shown(value)),
        },
        Value::Object(object) if value.to_string().len() > LONG => {
            line("");
            object.iter().for_each(|(name, value)| show(name, value, indent + 2, text));
        }
        Value::Array(list) if value.to_string().len() > LONG => {
            line("");
            list.iter().enumerate().for_each(|(at, value)| show(&format!("[{at}]"), value, indent + 2, text));
        }
        other => line(&visible(&other.to_string())),
    }
}

fn shown(text: &str) -> String {
    let lines = text.lines().count();
    if lines <= 1 && text.chars().count() <= LONG {
        return visible(text);
    }
    let start: String = text.chars().take(LONG).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    let lines = if lines > 1 { format!(", {lines} lines") } else { String::new() };
    let digest = hex::encode(sha256(text.as_bytes()));
    format!("{}{more} ({} bytes{lines}, SHA-256 {digest})", visible(&start), text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_is_shown_and_nothing_can_hide() {
        let proposal = json!({
            "actions": [
                {"name": "set_x\u{1b}[2J", "args": {"a": "\u{202e}evil", "long": "x".repeat(5000)}, "why": 1},
                {"name": "set_constitution", "args": {"constitution": "a\nb\n"}},
                catalogue::find("set_user").unwrap().example().args,
            ],
            "note": "n",
        });
        let text = summary(&proposal);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
        assert!(text.contains("(5000 bytes, SHA-256 ") && text.len() < 2500, "{text}");
        assert!(text.contains("2. set_constitution  (drops every other open proposal)"));
        assert!(text.contains("(4 bytes, 2 lines, SHA-256 "));
        assert!(text.contains("(not read by any constitution) why: 1"));
        assert!(text.contains("(not read by any constitution) note: n"));
    }

    #[test]
    fn certificates_are_shown_by_subject_and_id() {
        let action = catalogue::find("set_user").unwrap().example();
        let text = summary(crate::proposal::Proposal::of(vec![action]).value());
        assert!(text.contains("cert: certificate of \"CN=example\", id "), "{text}");
    }
}
