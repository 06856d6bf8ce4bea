//! Nothing is signed that was not shown; where there is a terminal, not before somebody said yes.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};

use rustix::termios::{QueueSelector, tcflush, tcgetwinsize};

use super::common::Context;
use super::error::CliError;
use ccf_gov::text::harmless;

/// What a person sees of a request before it is signed.
#[derive(Clone, Debug)]
pub struct Shown {
    /// All of it.
    pub lines: Vec<String>,
    /// What is repeated next to the question where the rest may have left the screen.
    pub essence: Vec<String>,
}

/// The size of a terminal that does not tell its own.
const SCREEN: (usize, usize) = (24, 80);

impl Context {
    /// Shows what will be signed, and asks at the terminal unless `--yes` was given.
    ///
    /// Where nobody can be asked (standard error is no terminal: a script, a pipeline whose errors are kept), it
    /// goes on after showing it there, so that a script written for `ccf_cose_sign1` works with one word changed.
    /// The question goes to the terminal itself, and what it is about, too: standard input may be the content, standard
    /// output is the envelope, and with `--output json` standard error has no room for it.
    pub fn consent(&self, requests: &[Shown]) -> Result<(), CliError> {
        let text = shown(requests);
        if self.yes || !io::stderr().is_terminal() {
            self.output.note(text);
            return Ok(());
        }
        let question = match requests.len() {
            1 => "Sign this?".into(),
            many => format!("Sign these {many}?"),
        };
        match ask(&text, requests, &question) {
            Ok(answer) if matches!(answer.trim_ascii(), b"y" | b"Y" | b"yes") => Ok(()),
            Ok(_) => Err(CliError::declined("nothing was signed: the answer was not yes")),
            Err(error) => Err(CliError::failed("nothing was signed: the terminal cannot be used to ask", error)
                .hint("give --yes if what was shown may be signed")),
        }
    }
}

fn shown(requests: &[Shown]) -> String {
    let title = |at: usize| match requests.len() {
        1 => "To be signed:".into(),
        many => format!("To be signed, {} of {many}:", at + 1),
    };
    let show = |(at, request): (usize, &Shown)| format!("{}\n  {}", title(at), request.lines.join("\n  "));
    requests.iter().enumerate().map(show).collect::<Vec<_>>().join("\n")
}

/// Shows `text` at the terminal that this process belongs to, and asks. What was typed before the question is no answer to it.
fn ask(text: &str, requests: &[Shown], question: &str) -> io::Result<Vec<u8>> {
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    writeln!(terminal, "{}", harmless(text))?;
    if height(text, size(&terminal).1) + 1 > size(&terminal).0 {
        writeln!(terminal, "{}", harmless(&reminder(requests)))?;
    }
    tcflush(&terminal, QueueSelector::IFlush)?;
    write!(terminal, "{question} [y/N] ").and_then(|()| terminal.flush())?;
    let mut answer = Vec::new();
    BufReader::new(terminal.take(1024)).read_until(b'\n', &mut answer)?;
    Ok(answer)
}

/// The terminal's lines and columns.
fn size(terminal: &File) -> (usize, usize) {
    match tcgetwinsize(terminal) {
        Ok(size) if size.ws_row > 0 && size.ws_col > 0 => (size.ws_row.into(), size.ws_col.into()),
        _ => SCREEN,
    }
}

/// How many lines of a terminal `text` takes.
fn height(text: &str, columns: usize) -> usize {
    text.lines().map(|line| line.chars().count().div_ceil(columns).max(1)).sum()
}

/// What the question is about, once more and in brief.
fn reminder(requests: &[Shown]) -> String {
    match requests {
        [one] => format!("In brief, of what is shown above:\n  {}", one.essence.join("\n  ")),
        many => format!("In brief: {} requests, each of which is shown above.", many.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_wrap_take_more_room() {
        assert_eq!(height("a\n\nbcdef\n", 4), 4);
        assert_eq!(height(&"é".repeat(80), 80), 1);
    }

    #[test]
    fn several_requests_are_numbered() {
        let one =
            Shown { lines: vec!["type        ballot".into(), "x".into()], essence: vec!["type        ballot".into()] };
        assert_eq!(shown(std::slice::from_ref(&one)), "To be signed:\n  type        ballot\n  x");
        assert!(shown(&[one.clone(), one.clone()]).contains("To be signed, 2 of 2:\n"));
        assert_eq!(reminder(std::slice::from_ref(&one)), "In brief, of what is shown above:\n  type        ballot");
        assert!(reminder(&[one.clone(), one]).contains("2 requests"));
    }
}
