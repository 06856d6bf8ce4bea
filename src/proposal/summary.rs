//! A proposal for a person who is about to sign it, or to vote on it.

use crate::text::clip;
use serde_json::Value;

use super::catalogue::Catalogue;
use super::pem_text;
use crate::digest::sha256;
use crate::text::visible;

/// The longest text that is shown whole; of a longer one, this many characters.
const LONG: usize = 300;

/// Summaries of more lines than this are long.
const LONG_SUMMARY: usize = 15;

/// Keys and numbers of more characters than this are shown by their beginning.
const LONG_WORD: usize = 120;

/// What a proposal would do, an action a paragraph, indented by two.
///
/// `proposal` is its JSON, ours or from a service. Everything in it is shown: long texts by their beginning, length,
/// lines and SHA-256; certificates by subject and id; keys that no constitution reads, too, and whatever is no list of named
/// actions. Nothing in it can move a terminal's cursor or hide text.
pub fn summary(proposal: &Value) -> String {
    annotated(proposal, &[], Catalogue::builtin())
}

/// What is known of an action beside its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// Lines that follow the action. Nothing in them may move a terminal's cursor or hide text.
    pub lines: Vec<String>,
    /// The argument of which the lines say what is new in it: of its text the size and the SHA-256 are shown.
    pub replaces: Option<&'static str>,
}

/// [`summary`], with what is known of each action below it, marked with `|`; `notes` are in the order of the actions, and
/// `catalogue` says which of them drop other proposals.
pub fn annotated(proposal: &Value, notes: &[Note], catalogue: &Catalogue) -> String {
    let none = Note::default();
    let mut text = String::new();
    let Some(object) = proposal.as_object() else {
        show("not a proposal", proposal, 2, &mut text);
        return text;
    };
    match object.get("actions") {
        Some(Value::Array(list)) => {
            let noted = list.iter().enumerate().map(|(at, one)| (at, one, notes.get(at).unwrap_or(&none)));
            noted.for_each(|(at, one, note)| action(at, one, note, catalogue, &mut text));
        }
        Some(other) => show("not a list of actions", other, 2, &mut text),
        None => text += "  no actions\n",
    }
    surplus(proposal, &["actions"], 2, &mut text);
    text
}

/// What is said once more, in a line, below a summary that is long enough to push its own beginning out of sight: how many
/// actions there are, and the SHA-256 of the proposal's bytes. Empty for a short one.
pub fn totals(proposal: &Value, summary: &str, bytes: usize, sha256: &[u8; 32]) -> String {
    if summary.lines().nth(LONG_SUMMARY).is_none() {
        return String::new();
    }
    let actions = proposal.get("actions").and_then(Value::as_array).map_or(0, Vec::len);
    let actions = if actions == 1 { "1 action".into() } else { format!("{actions} actions") };
    format!("In all: {actions}, {bytes} bytes, SHA-256 {}\n", hex::encode(sha256))
}

fn action(at: usize, action: &Value, note: &Note, catalogue: &Catalogue, text: &mut String) {
    let Some(name) = action.get("name").and_then(Value::as_str) else {
        return show(&format!("{}. not an action with a name", at + 1), action, 2, text);
    };
    let drops = if catalogue.drops(name) { "  (drops every other open proposal)" } else { "" };
    *text += &format!("  {}. {}{drops}\n", at + 1, word(name));
    match action.get("args") {
        Some(Value::Object(args)) => args.iter().for_each(|(name, value)| match note.replaces {
            Some(replaced) if replaced == name => *text += &format!("       {replaced}: {}\n", measure(value)),
            _ => show(&word(name), value, 7, text),
        }),
        Some(Value::Null) | None => {}
        Some(other) => show("args", other, 7, text),
    }
    surplus(action, &["name", "args"], 7, text);
    note.lines.iter().for_each(|line| *text += &format!("     | {line}\n"));
}

fn surplus(value: &Value, known: &[&str], indent: usize, text: &mut String) {
    for (name, value) in value.as_object().into_iter().flatten().filter(|(name, _)| !known.contains(&name.as_str())) {
        show(&format!("(not read by any constitution) {}", word(name)), value, indent, text);
    }
}

/// One value, below a name that is fit to be read.
fn show(name: &str, value: &Value, indent: usize, text: &mut String) {
    let mut line = |shown: &str| text.push_str(&format!("{:indent$}{name}: {shown}\n", ""));
    match value {
        Value::String(value) => match pem_text::describe(value) {
            Some(certificates) if !certificates.is_empty() => certificates.iter().for_each(|c| line(&visible(c))),
            _ => line(&shown(value)),
        },
        Value::Object(object) if value.to_string().len() > LONG => {
            line("");
            object.iter().for_each(|(name, value)| show(&word(name), value, indent + 2, text));
        }
        Value::Array(list) if value.to_string().len() > LONG => {
            line("");
            list.iter().enumerate().for_each(|(at, value)| show(&format!("[{at}]"), value, indent + 2, text));
        }
        Value::Number(number) => line(&word(number.as_str())),
        other => line(&visible(&other.to_string())),
    }
}

fn word(text: &str) -> String {
    match text.char_indices().nth(LONG_WORD) {
        None => visible(text),
        Some((end, _)) => {
            format!(
                "{}… ({} bytes, SHA-256 {})",
                visible(&text[..end]),
                text.len(),
                hex::encode(sha256(text.as_bytes()))
            )
        }
    }
}

/// A text's size and digest; of other JSON, those of its compact form.
fn measure(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let lines = text.lines().count();
    let lines = if lines > 1 { format!(", {lines} lines") } else { String::new() };
    format!("{} bytes{lines}, SHA-256 {}", text.len(), hex::encode(sha256(text.as_bytes())))
}

fn shown(text: &str) -> String {
    let lines = text.lines().count();
    // A last line break alone would not be seen.
    if lines <= 1 && !text.ends_with('\n') && text.chars().count() <= LONG {
        return visible(text);
    }
    let start = clip(text, LONG);
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
                {"args": {"cert": "unnamed"}},
                "a text",
                ["a", "list"],
                {"name": {"a": "named otherwise"}},
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
        assert!(text.contains(r#"3. not an action with a name: {"args":{"cert":"unnamed"}}"#), "{text}");
        assert!(text.contains("4. not an action with a name: a text\n"));
        assert!(text.contains(r#"5. not an action with a name: ["a","list"]"#));
        assert!(text.contains(r#"6. not an action with a name: {"name":{"a":"named otherwise"}}"#));
    }

    #[test]
    fn what_an_action_of_the_users_own_drops_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let template = "description = \"X.\"\ndrops-other-proposals = true\n";
        std::fs::write(folder.path().join("set_x.toml"), template).unwrap();
        let catalogue = Catalogue::with_folders(&[folder.path().into()]).unwrap();
        let proposal = json!({"actions": [{"name": "set_x"}]});
        assert_eq!(annotated(&proposal, &[], &catalogue), "  1. set_x  (drops every other open proposal)\n");
        assert_eq!(summary(&proposal), "  1. set_x\n");
    }

    #[test]
    fn what_is_no_list_of_actions_is_shown_whole() {
        let object = json!({"actions": {"0": {"name": "set_constitution", "args": {"constitution": "x".repeat(500)}}}});
        let text = summary(&object);
        assert!(text.starts_with("  not a list of actions: \n    0: \n      name: set_constitution\n"), "{text}");
        assert!(text.contains("(500 bytes, SHA-256 "));
        assert_eq!(summary(&json!({"actions": "x"})), "  not a list of actions: x\n");
        assert_eq!(summary(&json!({"act": 1})), "  no actions\n  (not read by any constitution) act: 1\n");
        assert_eq!(summary(&json!([1])), "  not a proposal: [1]\n");
    }

    #[test]
    fn a_block_that_is_not_closed_is_shown() {
        let [hid, hid0] = ["hid.json", "hid0.json"].map(|name| {
            let path = std::path::Path::new("tests/vectors/exact").join(name);
            summary(crate::proposal::Proposal::parse(&std::fs::read(path).unwrap()).unwrap().value())
        });
        assert!(hid0.contains("certificate of \"CN=member0\""), "{hid0}");
        assert_ne!(hid, hid0);
        assert!(hid.contains(" bytes, ") && hid.contains(", SHA-256 "), "{hid}");
    }

    #[test]
    fn keys_and_numbers_have_an_end() {
        let number: Value = crate::json::parse("7".repeat(100_000).as_bytes()).unwrap();
        let text = summary(&json!({"actions": [{"name": "x", "args": {"k".repeat(100_000): number}}]}));
        assert!(text.contains("(100000 bytes, SHA-256 ") && text.len() < 1000, "{}", text.len());
    }

    #[test]
    fn certificates_are_shown_by_subject_and_id() {
        let action = Catalogue::builtin().find("set_user").unwrap().example();
        let text = summary(crate::proposal::Proposal::of(vec![action]).value());
        assert!(text.contains("cert: certificate of \"CN=example\", id "), "{text}");
    }
}
