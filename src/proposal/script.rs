//! A script in a proposal, made of one source or several.

use super::value::{ValueError, ValueSource, text};
use crate::files;

/// A script, and which of its lines came from where.
#[derive(Debug)]
pub struct Script {
    /// The parts, joined by newlines as CCF's own tools join them.
    pub text: String,
    /// Of each part that is a file, its name and its first line, from 1.
    parts: Vec<(String, usize)>,
}

/// Says whether a service could go on with a script that an action of this name puts in force.
pub type ScriptCheck = fn(action: &str, script: &Script) -> Result<(), ScriptRefusal>;

/// A script with which a service could not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default())]
pub struct ScriptRefusal {
    /// The file and the line in it, or the line in the text, if it is known.
    pub place: Option<String>,
    /// What is wrong.
    pub reason: String,
}

impl Script {
    /// Reads and joins the parts.
    ///
    /// # Errors
    /// Files that cannot be read, and a script of nothing.
    pub fn read(sources: &[ValueSource]) -> Result<Self, ValueError> {
        let mut script = Self { text: String::new(), parts: Vec::new() };
        for (at, source) in sources.iter().enumerate() {
            if at > 0 {
                script.text.push('\n');
            }
            if let ValueSource::File(path) = source {
                script.parts.push((files::shown(path).into_owned(), script.text.matches('\n').count() + 1));
            }
            script.text += &text(source)?;
            if script.text.len() as u64 > super::MAX_PROPOSAL {
                return Err(ValueError::TooLong);
            }
        }
        if script.text.trim().is_empty() { Err(ValueError::Empty) } else { Ok(script) }
    }

    /// Where a line of the script came from: the file and the line in it, or the line in the text. Lines count from 1.
    pub fn place(&self, line: usize) -> String {
        match self.parts.iter().rev().find(|(_, first)| *first <= line) {
            Some((file, first)) => format!("{file}, line {}", line + 1 - first),
            None => format!("line {line}"),
        }
    }
}
