//! Nothing is signed that was not shown; where there is a terminal, not before somebody said yes.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};

use rustix::termios::{QueueSelector, tcflush};

use super::common::Context;
use super::error::CliError;

impl Context {
    /// Shows on standard error what will be signed, and asks at the terminal unless `--yes` was given.
    ///
    /// Where nobody can be asked (standard error is no terminal: a script, a pipeline whose errors are kept), it
    /// goes on after showing, so that a script written for `ccf_cose_sign1` works with one word changed.
    /// The question goes to the terminal itself: standard input may be the content, and standard output is the envelope.
    pub fn consent(&self, requests: &[impl AsRef<[String]>]) -> Result<(), CliError> {
        let many = requests.len() > 1;
        let show = |(at, lines): (usize, &[String])| {
            let title =
                if many { format!("To be signed, {} of {}:", at + 1, requests.len()) } else { "To be signed:".into() };
            format!("{title}\n  {}", lines.join("\n  "))
        };
        self.output.note(requests.iter().map(AsRef::as_ref).enumerate().map(show).collect::<Vec<_>>().join("\n"));
        if self.yes || !io::stderr().is_terminal() {
            return Ok(());
        }
        let question = if many { format!("Sign these {}?", requests.len()) } else { "Sign this?".into() };
        match ask(&question) {
            Ok(answer) if matches!(answer.trim_ascii(), b"y" | b"Y" | b"yes") => Ok(()),
            Ok(_) => Err(CliError::failed("nothing was signed", "the answer was not yes")),
            Err(error) => Err(CliError::failed("nothing was signed: nobody can be asked at the terminal", error)
                .hint("give --yes if what was shown may be signed")),
        }
    }
}

/// Asks at the terminal that this process belongs to. What was typed before the question is no answer to it.
fn ask(question: &str) -> io::Result<Vec<u8>> {
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    tcflush(&terminal, QueueSelector::IFlush)?;
    write!(terminal, "{question} [y/N] ").and_then(|()| terminal.flush())?;
    let mut answer = Vec::new();
    BufReader::new(terminal.take(1024)).read_until(b'\n', &mut answer)?;
    Ok(answer)
}
