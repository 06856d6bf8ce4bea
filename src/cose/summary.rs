//! What a request says, in lines that a person can check before it is signed.

use std::fmt;

use serde_json::Value;

use super::{Algorithm, Message, MessageType};
use crate::digest::sha256;
use crate::id::MemberId;
use crate::json;
use crate::proposal::{self, Proposal, ballot};
use crate::text::visible;

/// Longer texts in a payload are shown by their beginning, length and SHA-256.
const LONG_TEXT: usize = 300;
/// Ballot scripts are shown whole up to this many characters: few are longer.
const LONG_SCRIPT: usize = 10_000;

/// What is known of a request beside its own words: of the proposal that it is about, and of the service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Lines below the proposal's id, each beginning with a word. Nothing in them may move a terminal's cursor or hide text.
    pub lines: Vec<String>,
    /// What the proposal would do, as [`proposal::annotated`] has it.
    pub actions: Option<String>,
    /// Whether the script of a ballot is shown although it is known what it does.
    pub script: bool,
}

/// The request in lines, in the name of `member`. Nothing in it can move a terminal's cursor or hide text.
pub fn summary(message: &Message, member: MemberId, algorithm: Algorithm) -> Vec<String> {
    summary_with(message, member, algorithm, &Beside::default())
}

/// [`summary`], with what is known beside the request. What it is about comes last, next to the question.
pub fn summary_with(message: &Message, member: MemberId, algorithm: Algorithm, beside: &Beside) -> Vec<String> {
    let mut lines = vec![
        format!("type        {}", message.kind()),
        format!("created at  {} ({})", message.created_at(), message.created_at().seconds()),
        format!("member      {member}"),
        format!("algorithm   {algorithm}"),
    ];
    lines.extend(message.proposal_id().map(|id| format!("proposal    {id}")));
    lines.extend(beside.lines.iter().cloned());
    lines.push(size(message));
    lines.extend(content_with(message, beside).iter().map(|line| format!("  {line}")));
    lines
}

/// What a request carries, in lines, with what is known beside it.
pub fn content_with(message: &Message, beside: &Beside) -> Vec<String> {
    let payload = message.payload();
    let mut totals = String::new();
    let text = match (message.kind(), json::parse(payload)) {
        (MessageType::Withdrawal, _) => beside.actions.as_ref().map(|a| format!("withdraws the proposal to\n{a}")),
        _ if payload.is_empty() => None,
        (MessageType::RecoveryShare, _) => Some("a recovery share, which is secret and not shown".into()),
        (kind, Ok(value)) => {
            let text = content(kind, &value, beside);
            if kind == MessageType::Proposal {
                totals = proposal::totals(&value, &text, payload.len(), &sha256(payload));
            }
            Some(text)
        }
        (_, Err(_)) => Some("not JSON".into()),
    };
    text.iter().flat_map(|text| text.lines()).map(visible).chain(totals.lines().map(Into::into)).collect()
}

/// The few lines by which a request is known, to be repeated where the rest of it may have left the screen.
pub fn essence(message: &Message) -> Vec<String> {
    let mut lines = vec![format!("type        {}", message.kind())];
    lines.extend(message.proposal_id().map(|id| format!("proposal    {id}")));
    let value = json::parse(message.payload()).unwrap_or_default();
    match message.kind() {
        MessageType::Proposal => {
            lines.push(format!("actions     {}", value.get("actions").and_then(Value::as_array).map_or(0, Vec::len)));
        }
        MessageType::Ballot => {
            let script = value.get("ballot").and_then(Value::as_str).unwrap_or_default();
            let exact = ballot::one_proposal(script);
            lines.push(format!("vote        {}", Vote::of(script, exact.as_ref())));
        }
        _ => {}
    }
    lines.push(size(message));
    lines
}

fn size(message: &Message) -> String {
    match message.payload() {
        [] => "content     empty".into(),
        payload => format!("content     {} bytes, SHA-256 {}", payload.len(), hex::encode(sha256(payload))),
    }
}

fn content(kind: MessageType, value: &Value, beside: &Beside) -> String {
    match (kind, value.get("ballot").and_then(Value::as_str)) {
        (MessageType::Proposal, _) => beside.actions.clone().unwrap_or_else(|| proposal::summary(value)),
        (MessageType::Ballot, Some(script)) => {
            let surplus = value.as_object().into_iter().flatten().filter(|(name, _)| *name != "ballot");
            let surplus =
                surplus.map(|(name, value)| format!("(not read by any service) {name}: {}\n", abridged(value)));
            surplus.collect::<String>() + &on_proposal(script, beside)
        }
        _ => serde_json::to_string_pretty(&abridged(value)).unwrap_or_default(),
    }
}

/// What a ballot says, and then of what.
fn on_proposal(script: &str, beside: &Beside) -> String {
    let exact = ballot::one_proposal(script);
    let vote = Vote::of(script, exact.as_ref());
    let shown = || format!("{}\n", shortened(script, LONG_SCRIPT).trim_end());
    let mut text = match vote {
        Vote::Script => format!("vote: {vote}\n{}", shown()),
        Vote::Guarded(_) if !beside.script => format!("vote: {vote}\n{}", while_(script)),
        Vote::Guarded(_) => format!("{}vote: {vote}\n{}", shown(), while_(script)),
        _ if beside.script => format!("{}vote: {vote}\n", shown()),
        _ => format!("vote: {vote}\n"),
    };
    match (&beside.actions, exact) {
        (Some(actions), Some(_)) => text += actions,
        (None, Some(exact)) => text += &proposal::summary(exact.value()),
        (Some(actions), None) => text += &format!("on the proposal to\n{actions}"),
        (None, None) => {}
    }
    text
}

/// What a guarded ballot rests on, a line each.
fn while_(script: &str) -> String {
    ballot::guards(script).into_iter().flatten().map(|guard| format!("  while {guard}\n")).collect()
}

/// How a script votes.
#[derive(Clone, Copy, Debug)]
enum Vote {
    Accept,
    Reject,
    /// Yes on this many actions.
    Exact(usize),
    /// Yes on this many actions, while its guards hold.
    Guarded(usize),
    Script,
}

impl Vote {
    fn of(script: &str, exact: Option<&Proposal>) -> Self {
        match (exact, ballot::kind(script)) {
            (Some(exact), ballot::BallotKind::Guarded) => Self::Guarded(exact.actions().len()),
            (Some(exact), _) => Self::Exact(exact.actions().len()),
            (None, ballot::BallotKind::Accept) => Self::Accept,
            (None, ballot::BallotKind::Reject) => Self::Reject,
            _ => Self::Script,
        }
    }
}

impl fmt::Display for Vote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("yes, whatever the proposal is"),
            Self::Reject => f.write_str("no, whatever the proposal is"),
            Self::Exact(1) => f.write_str("yes on exactly this action, no on any others"),
            Self::Exact(actions) => write!(f, "yes on exactly these {actions} actions, no on any others"),
            Self::Guarded(1) => f.write_str("yes on exactly this action while the service is as it was seen, else no"),
            Self::Guarded(actions) => {
                write!(f, "yes on exactly these {actions} actions while the service is as it was seen, else no")
            }
            Self::Script => f.write_str("decided by this script"),
        }
    }
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
        assert!(lines.contains(&r#"  (not read by any service) evil: {"x":1}"#.to_owned()), "{lines:?}");
    }

    /// A ballot, shown with what is known of the proposal.
    fn shown(ballot: &ballot::Ballot, beside: &Beside) -> (String, Vec<String>) {
        let (at, id) = (CreatedAt::from_seconds(0).unwrap(), "7".repeat(64).parse().ok());
        let message = Message::new(MessageType::Ballot, at, id, ballot.payload()).unwrap();
        let lines = summary_with(&message, MemberId::from_bytes([0; 32]), Algorithm::ES384, beside);
        (lines.join("\n"), essence(&message))
    }

    #[test]
    fn a_ballot_says_how_it_votes_and_on_what_and_the_content_comes_last() {
        let proposal = br#"{"actions": [{"name": "remove_node", "args": {"node_id": "x"}}, {"name": "y"}]}"#;
        let exact = ballot::exact(&proposal::Proposal::parse(proposal).unwrap()).unwrap();
        let (text, essence) = shown(&exact, &Beside::default());
        assert!(text.ends_with("  vote: yes on exactly these 2 actions, no on any others\n    1. remove_node\n         node_id: x\n    2. y"), "{text}");
        assert!(!text.contains("function same") && text.find("algorithm") < text.find("vote"), "{text}");
        assert_eq!(essence.len(), 4, "{essence:?}");
        assert!(
            essence[3].contains("SHA-256")
                && essence[2] == "vote        yes on exactly these 2 actions, no on any others"
        );
        let (text, _) = shown(&exact, &Beside { script: true, ..Beside::default() });
        assert!(text.find("function same") < text.find("vote: yes"), "{text}");

        let known = Beside { lines: vec!["state       Open".into()], actions: Some("  1. z\n".into()), script: false };
        let (text, _) = shown(&ballot::accept(), &known);
        assert!(text.ends_with("  vote: yes, whatever the proposal is\n  on the proposal to\n    1. z"), "{text}");
        assert!(text.find("state       Open") < text.find("content"), "{text}");
        let (text, _) = shown(&ballot::reject(), &Beside::default());
        assert!(text.ends_with("vote: no, whatever the proposal is"), "{text}");
        let other = ballot::Ballot::parse(br#"{"ballot": "export function vote(p) { return !p; }"}"#).unwrap();
        let (text, _) = shown(&other, &known);
        assert!(text.find("decided by this script") < text.find("return !p") && text.ends_with("1. z"), "{text}");
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
        assert!(last.trim_start().starts_with("In all: 20 actions, ") && last.ends_with(&digest), "{last}");
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
