//! What a request says, in lines that a person can check before it is signed.

use serde_json::Value;

use super::{Algorithm, Message, MessageType};
use crate::digest::sha256;
use crate::id::MemberId;
use crate::json;
use crate::proposal;
use crate::text::visible;

/// Longer texts in a payload are shown by their beginning, length and SHA-256.
const LONG_TEXT: usize = 300;
/// Ballot scripts are shown whole up to this many characters: few are longer.
const LONG_SCRIPT: usize = 10_000;

/// The request in lines, in the name of `member`. Nothing in it can move a terminal's cursor or hide text.
pub fn summary(message: &Message, member: MemberId, algorithm: Algorithm) -> Vec<String> {
    let mut lines = vec![
        format!("type        {}", message.kind()),
        format!("created at  {} ({})", message.created_at(), message.created_at().seconds()),
    ];
    if let Some(id) = message.proposal_id() {
        lines.push(format!("proposal    {id}"));
    }
    lines.push(format!("member      {member}"));
    lines.push(format!("algorithm   {algorithm}"));
    let payload = message.payload();
    if payload.is_empty() {
        lines.push("content     empty".into());
        return lines;
    }
    lines.push(format!("content     {} bytes, SHA-256 {}", payload.len(), hex::encode(sha256(payload))));
    match (message.kind(), json::parse(payload)) {
        (MessageType::RecoveryShare, _) => lines.push("  a recovery share, which is secret and not shown".into()),
        (kind, Ok(value)) => {
            lines.extend(content(kind, &value).lines().map(|l| format!("  {}", visible(l))));
            if kind == MessageType::Proposal {
                lines.extend(proposal::totals(&value, payload.len(), &sha256(payload)));
            }
        }
        (_, Err(_)) => lines.push("  not JSON".into()),
    }
    lines
}

fn content(kind: MessageType, value: &Value) -> String {
    if kind == MessageType::Proposal {
        return proposal::summary(value);
    }
    if kind == MessageType::Ballot
        && let Some(script) = value.get("ballot").and_then(Value::as_str)
    {
        let surplus = value.as_object().into_iter().flatten().filter(|(name, _)| *name != "ballot");
        let surplus = surplus.map(|(name, value)| format!("\n(not read by any service) {name}: {}", abridged(value)));
        return shortened(script, LONG_SCRIPT) + &surplus.collect::<String>();
    }
    serde_json::to_string_pretty(&abridged(value)).unwrap_or_default()
}

fn abridged(value: &Value) -> Value {
    match value {
        Value::String(text) => shortened(text, LONG_TEXT).into(),
        Value::Array(values) => values.iter().map(abridged).collect(),
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), abridged(value))).collect(),
        other => other.clone(),
    }
}

fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.into(),
        Some((at, _)) => {
            format!("{}… ({} bytes, SHA-256 {})", &text[..at], text.len(), hex::encode(sha256(text.as_bytes())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cose::CreatedAt;

    #[test]
    fn what_a_ballot_holds_beside_its_script_is_shown() {
        let payload = br#"{"ballot": "export function vote() {}", "evil": {"x": 1}}"#;
        let id = Some("0".repeat(64).parse().unwrap());
        let message =
            Message::new(MessageType::Ballot, CreatedAt::from_seconds(0).unwrap(), id, payload.to_vec()).unwrap();
        let lines = summary(&message, MemberId::from_bytes([0; 32]), Algorithm::ES384);
        assert_eq!(lines.last().unwrap(), r#"  (not read by any service) evil: {"x":1}"#);
    }

    #[test]
    fn after_a_long_list_its_length_and_digest_are_repeated() {
        let lines = |count: usize| {
            let actions: Vec<_> = (0..count).map(|at| serde_json::json!({"name": "x", "args": {"n": at}})).collect();
            let payload = serde_json::json!({ "actions": actions }).to_string().into_bytes();
            let digest = hex::encode(sha256(&payload));
            let time = CreatedAt::from_seconds(0).unwrap();
            let message = Message::new(MessageType::Proposal, time, None, payload).unwrap();
            (summary(&message, MemberId::from_bytes([0; 32]), Algorithm::ES384).pop().unwrap(), digest)
        };
        let (last, digest) = lines(20);
        assert!(last.starts_with("In all: 20 actions, ") && last.ends_with(&digest), "{last}");
        assert_eq!(lines(2).0, "         n: 1");
    }

    #[test]
    fn content_is_shown_and_cannot_rule_the_terminal() {
        let payload = serde_json::json!({"actions": [{"name": "x\u{1b}[2J", "args": {"long": "a".repeat(1000), "rtl": "\u{202e}"}}]});
        let message = Message::new(
            MessageType::Proposal,
            CreatedAt::from_seconds(0).unwrap(),
            None,
            payload.to_string().into_bytes(),
        )
        .unwrap();
        let text = summary(&message, MemberId::from_bytes([0; 32]), Algorithm::ES384).join("\n");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
        assert!(text.contains("(1000 bytes, SHA-256 ") && text.len() < 2000, "{text}");
    }
}
