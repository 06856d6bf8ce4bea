//! A script in a proposal, made of one source or several.

use super::value::{Source, ValueError, text};
use crate::constitution::{ScriptFault, check_constitution, check_join_policy};
use crate::files;

/// A script, and which of its lines came from where.
#[derive(Debug)]
pub struct Script {
    /// The parts, joined by newlines as CCF's own tools join them.
    pub text: String,
    /// Of each part that is a file, its name and its first line, from 1.
    parts: Vec<(String, usize)>,
}

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
    pub fn read(sources: &[Source]) -> Result<Self, ValueError> {
        let mut script = Self { text: String::new(), parts: Vec::new() };
        for (at, source) in sources.iter().enumerate() {
            if at > 0 {
                script.text.push('\n');
            }
            if let Source::File(path) = source {
                script.parts.push((files::shown(path).into_owned(), script.text.matches('\n').count() + 1));
            }
            script.text += &text(source)?;
            if script.text.len() as u64 > super::MAX_PROPOSAL {
                return Err(ValueError::TooLong);
            }
        }
        if script.text.trim().is_empty() { Err(ValueError::Empty) } else { Ok(script) }
    }

    /// Checks the script as one that `action` would put in force.
    ///
    /// # Errors
    /// What is wrong with it, and in which line of which file.
    pub fn check(&self, action: &str) -> Result<(), ScriptRefusal> {
        let check = match action {
            "set_constitution" => check_constitution(&self.text),
            "set_node_join_policy" => check_join_policy(&self.text),
            _ => Ok(()),
        };
        match check {
            // Lint reports that; it is no fault of the script.
            Err(fault) if fault.is_of_engine() => Ok(()),
            Err(ScriptFault { reason, line }) => {
                Err(ScriptRefusal { place: line.map(|line| self.place(line as usize)), reason })
            }
            Ok(()) => Ok(()),
        }
    }

    fn place(&self, line: usize) -> String {
        match self.parts.iter().rev().find(|(_, first)| *first <= line) {
            Some((file, first)) => format!("{file}, line {}", line + 1 - first),
            None => format!("line {line}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_placed_in_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Source::File(path)
        };
        let good = write("a.js", "export function validate(i) {}\nexport function resolve(p, i, v) {}\n");
        let bad = write("b.js", "\nexport function apply(p) {}\n");
        let script = Script::read(&[good.clone(), bad]).unwrap();
        let refusal = script.check("set_constitution").unwrap_err();
        assert!(refusal.place.unwrap().ends_with("b.js, line 2") && refusal.reason.contains("apply with 1 arg"));
        assert_eq!(script.check("set_node_join_policy"), Ok(()));
        let text = Script::read(&[Source::Text("export function apply( {".into())]).unwrap();
        assert_eq!(text.check("set_node_join_policy").unwrap_err().place.as_deref(), Some("line 1"));
        let apply = Source::Text("export function apply(p, i) {}".into());
        assert_eq!(Script::read(&[good, apply]).unwrap().check("set_constitution"), Ok(()));
    }
}
