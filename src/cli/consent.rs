//! Nothing is signed that was not shown; where there is a terminal, not before somebody said yes.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};

use super::common::Context;
use super::error::CliError;

impl Context {
    /// Shows on standard error what will be signed, and asks at the terminal unless `--yes` was given.
    ///
    /// Where nobody can be asked (standard error is no terminal: a script, a pipeline whose errors are kept), it
    /// goes on after showing, so that a script written for `ccf_cose_sign1` works with one word changed.
    /// The question goes to the terminal itself: standard input may be the content, and standard output is the envelope.
    pub fn consent(&self, requests: &[Vec<String>]) -> Result<(), CliError> {
        let many = requests.len() > 1;
        let show = |(at, lines): (usize, &Vec<String>)| {
            let title =
                if many { format!("To be signed, {} of {}:", at + 1, requests.len()) } else { "To be signed:".into() };
            format!("{title}\n  {}", lines.join("\n  "))
        };
        self.output.note(requests.iter().enumerate().map(show).collect::<Vec<_>>().join("\n"));
        if self.yes || !io::stderr().is_terminal() {
            return Ok(());
        }
        let question = if many { format!("Sign these {}?", requests.len()) } else { "Sign this?".into() };
        match ask(&question) {
            Some(answer) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(()),
            Some(_) => Err(CliError::failed("nothing was signed", "the answer was not yes")),
            None => Ok(()),
        }
    }
}

/// Asks at the terminal that this process belongs to; `None` if there is none.
fn ask(question: &str) -> Option<String> {
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
    write!(terminal, "{question} [y/N] ").and_then(|()| terminal.flush()).ok()?;
    let mut answer = String::new();
    BufReader::new(terminal.take(1024)).read_line(&mut answer).ok()?;
    Some(answer)
}
