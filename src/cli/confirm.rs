//! Nothing is signed that was not shown.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

use super::common::Context;
use super::error::CliError;
use ccf_gov::digest::sha256;

/// The longest text that is shown whole.
const LONG: usize = 600;

impl Context {
    /// Asks at the terminal, unless --yes was given.
    pub fn confirm(&self, question: &str) -> Result<(), CliError> {
        if self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(CliError::usage("nothing was signed: there is no terminal to ask at")
                .hint("look at what is shown above, and add --yes to sign it"));
        }
        let failed = |e| CliError::failed("cannot ask at the terminal", e);
        let mut err = io::stderr().lock();
        write!(err, "{question} [y/N] ").and_then(|()| err.flush()).map_err(failed)?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map_err(failed)?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(CliError::usage("nothing was signed: you said no")),
        }
    }
}

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

/// Text of others on one's own terminal: what could steer it, or hide something, is written as an escape.
pub fn printable(text: &str) -> String {
    let hides = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if hides(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
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
