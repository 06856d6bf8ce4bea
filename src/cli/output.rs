//! The only file that prints. Standard output is data; standard error is for people.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use clap::ValueEnum;
use clap::error::ErrorKind;
use indicatif::{ProgressBar, ProgressFinish};
use serde::{Deserialize, Serialize};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use super::error::CliError;
use super::exit::Exit;
use super::usage::Usage;
use ccf_gov::files;
use ccf_gov::text;

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Text for people
    Human,
    /// One JSON object, of the shape that docs/json.md gives
    Json,
    /// A Mermaid flowchart, of `upgrade plan` alone
    #[value(hide = true)]
    Mermaid,
}

/// Where a command's results and remarks go. Whatever is printed goes through [`text`], so that nothing that others wrote steers
/// a terminal; what goes to standard error is indented after its first line, so that nothing there looks like a line of this program's.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    format: Format,
}

/// What `--output json` prints as `warnings`, with the result or the error.
static WARNINGS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A result, and what there was to warn of.
#[derive(Serialize)]
struct Warned<'r, T> {
    #[serde(flatten)]
    result: &'r T,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// An error as JSON.
#[derive(Serialize)]
struct Failed<'e> {
    kind: super::error::Kind,
    message: &'e str,
    causes: &'e [String],
    hint: Option<&'e str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

impl Output {
    pub fn new(format: Format) -> Self {
        Self { format }
    }

    /// Whether results are JSON.
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Whether a flowchart is wanted.
    pub fn is_mermaid(&self) -> bool {
        self.format == Format::Mermaid
    }

    /// Prints a result: `json` as one object with the warnings so far, or the text that `human` makes of it.
    pub fn result(&self, json: &impl Serialize, human: impl FnOnce() -> String) -> Result<(), CliError> {
        let text = match self.format {
            Format::Json => serde_json::to_string_pretty(&Warned { result: json, warnings: warnings() })
                .map(|text| text::json(&text))
                .map_err(|e| CliError::failed("cannot write the result as JSON", e))?,
            Format::Human | Format::Mermaid => text::harmless(&human()),
        };
        self.bytes(format!("{}\n", text.trim_end_matches('\n')).as_bytes())
    }

    /// Prints one of several results as soon as it is there: `json` as one line, or the text that `human` makes of it.
    pub fn line(&self, json: &impl Serialize, human: impl FnOnce() -> String) -> Result<(), CliError> {
        let text = match self.format {
            Format::Json => serde_json::to_string(json)
                .map(|text| text::json(&text))
                .map_err(|e| CliError::failed("cannot write the result as JSON", e))?,
            Format::Human | Format::Mermaid => text::harmless(&human()),
        };
        self.bytes(format!("{}\n", text.trim_end_matches('\n')).as_bytes())
    }

    /// Writes `bytes` to standard output as they are. At a terminal, text is made harmless first.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), CliError> {
        let bytes = match std::str::from_utf8(bytes) {
            Ok(text) if stdout_is_terminal() => Cow::Owned(text::harmless(text).into_bytes()),
            _ => Cow::Borrowed(bytes),
        };
        let mut out = io::stdout().lock();
        match out.write_all(&bytes).and_then(|()| out.flush()) {
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
                Err(CliError::failed("cannot write to standard output", e))
            }
            _ => Ok(()),
        }
    }

    /// Writes a file that a command makes, or standard output for `-`. Nothing is overwritten unless `force`.
    pub fn file(&self, path: &Path, bytes: &[u8], access: files::Readers, force: bool) -> Result<(), CliError> {
        if path == Path::new("-") {
            return self.bytes(bytes);
        }
        files::write(path, bytes, access, force)?;
        self.wrote(path);
        Ok(())
    }

    /// Says what was written, to people.
    pub fn wrote(&self, path: &Path) {
        if !self.is_json() {
            self.note(format!("Wrote {}.", path.display()));
        }
    }

    /// A line for people, on standard error. Scripts that read JSON get none.
    pub fn note(&self, text: impl std::fmt::Display) {
        if !self.is_json() {
            let _ = write!(io::stderr().lock(), "{}", own_lines(&text.to_string()));
        }
    }

    /// A warning: for people on standard error, for scripts in the `warnings` of the result or error.
    pub fn warn(&self, text: impl std::fmt::Display) {
        match self.format {
            Format::Json => WARNINGS.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_string()),
            Format::Human | Format::Mermaid => {
                let _ = write!(io::stderr().lock(), "{}", line("Warning", &text.to_string()));
            }
        }
    }

    /// A bar that counts to `length` on standard error, if that is a terminal.
    pub fn progress(&self, length: usize) -> ProgressBar {
        if length < 2 || self.is_json() {
            return ProgressBar::hidden();
        }
        ProgressBar::new(length as u64).with_finish(ProgressFinish::Abandon)
    }

    /// When a command is done: prints the warnings that no result took along, as one JSON object on standard error.
    pub fn finish(&self) {
        let warnings = warnings();
        if !warnings.is_empty() {
            let body = serde_json::json!({ "warnings": warnings }).to_string();
            let _ = writeln!(io::stderr().lock(), "{}", text::json(&body));
        }
    }
}

fn warnings() -> Vec<String> {
    std::mem::take(&mut WARNINGS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Writes a log of this program's own events to standard error; those of the libraries below it are left out.
pub fn start_log(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => Level::INFO,
        2 => Level::DEBUG,
        _ => Level::TRACE,
    };
    let ours = Targets::new().with_target("ccf_gov", level);
    let lines = tracing_subscriber::fmt::layer().with_writer(|| Log).with_ansi(false);
    let _ = tracing_subscriber::registry().with(lines.with_filter(ours)).try_init();
}

/// The log on standard error: an event is one line, whatever it quotes.
struct Log;

impl Write for Log {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        writeln!(io::stderr().lock(), "{}", text::visible(text.trim_end()))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether standard output is a terminal.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Prints what clap says of a command line, and gives its exit code.
pub fn usage(error: &clap::Error) -> Exit {
    let shows_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if !error.use_stderr() || (shows_help && !asked_for_json()) {
        let _ = error.print();
        return if error.use_stderr() { Exit::Usage } else { Exit::Done };
    }
    let Usage { error, usage } = super::usage::explain(error);
    if asked_for_json() {
        return self::error(&error, true);
    }
    let exit = self::error(&error, false);
    let usage = usage.map(|usage| format!("\n{}\n", text::visible_lines(&usage))).unwrap_or_default();
    let _ = write!(io::stderr().lock(), "{usage}\nFor more information, try '--help'.\n");
    exit
}

/// Whether a command line that cannot be parsed asks for JSON all the same.
fn asked_for_json() -> bool {
    let args: Vec<_> = std::env::args_os().collect();
    let given = args.iter().any(|a| a == "--output=json")
        || args.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json");
    given || std::env::var_os("CCF_GOV_OUTPUT").is_some_and(|format| format == "json")
}

/// Prints an error, and gives its exit code.
pub fn error(error: &CliError, json: bool) -> Exit {
    let mut err = io::stderr().lock();
    let causes = &error.causes;
    let _ = if json {
        let (message, hint) = (error.message.as_str(), error.hint.as_deref());
        let body = Failed { kind: error.kind, message, causes, hint, warnings: warnings() };
        writeln!(err, "{}", text::json(&serde_json::json!({ "error": body }).to_string()))
    } else {
        let mut text = line("Error", &error.message);
        for cause in causes {
            text += &line("Caused by", cause);
        }
        if let Some(hint) = &error.hint {
            text += &line("Hint", hint);
        }
        write!(err, "{text}")
    };
    error.kind.exit()
}

/// Errors quote files and services: nothing of them moves the cursor, hides, or looks like a line of this program's own.
fn line(label: &str, text: &str) -> String {
    own_lines(&format!("{label}: {text}"))
}

/// `text` and a line break, with every line after the first indented by two blanks at least.
fn own_lines(text: &str) -> String {
    let mut lines = text.trim_end_matches('\n').split('\n').map(|l| text::harmless(l.trim_end_matches('\r')));
    let first = lines.next().unwrap_or_default();
    let more = lines.map(|l| if l.starts_with("  ") || l.is_empty() { l } else { format!("  {}", l.trim_start()) });
    std::iter::once(first).chain(more).fold(String::new(), |all, l| all + &l + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_stays_on_its_own_lines() {
        assert_eq!(
            line("Error", "a\u{1b}[2J\u{202e}\nVerdict: pass"),
            "Error: a\\u{1b}[2J\\u{202e}\n  Verdict: pass\n"
        );
        assert_eq!(own_lines("a\r\n b\n    c\n\nd\n"), "a\n  b\n    c\n\n  d\n");
    }

    #[test]
    fn warnings_go_with_the_result() {
        let text = |warnings: &[&str]| {
            let warnings = warnings.iter().map(ToString::to_string).collect();
            serde_json::to_string(&Warned { result: &serde_json::json!({"a": 1.5}), warnings }).unwrap()
        };
        assert_eq!(text(&[]), r#"{"a":1.5}"#);
        assert_eq!(text(&["b"]), r#"{"a":1.5,"warnings":["b"]}"#);
    }
}
