//! The only file that prints. Standard output is data; standard error is for people.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressFinish};
use serde::Serialize;

use super::error::CliError;
use super::exit::Exit;
use ccf_gov::files;
use ccf_gov::text::visible_lines;

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text for people
    Human,
    /// One JSON object, of the shape that docs/json.md gives
    Json,
}

/// Where a command's results and remarks go.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    format: Format,
}

impl Output {
    pub fn new(format: Format) -> Self {
        Self { format }
    }

    /// Whether results are JSON.
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints a result: `json` as one object, or the text that `human` makes of it.
    pub fn result(&self, json: &impl Serialize, human: impl FnOnce() -> String) -> Result<(), CliError> {
        let text = match self.format {
            Format::Json => serde_json::to_string_pretty(json)
                .map_err(|e| CliError::failed("cannot write the result as JSON", e))?,
            Format::Human => human(),
        };
        self.bytes(format!("{}\n", text.trim_end_matches('\n')).as_bytes())
    }

    /// Writes `bytes` to standard output as they are.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
                Err(CliError::failed("cannot write to standard output", e))
            }
            _ => Ok(()),
        }
    }

    /// Writes a file that a command makes, or standard output for `-`. Nothing is overwritten unless `force`.
    pub fn file(&self, path: &Path, bytes: &[u8], access: files::Access, force: bool) -> Result<(), CliError> {
        if path == Path::new("-") {
            return self.bytes(bytes);
        }
        Ok(files::write(path, bytes, access, force)?)
    }

    /// A line for people, on standard error.
    pub fn note(&self, text: impl std::fmt::Display) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// A bar that counts to `length` on standard error, if that is a terminal.
    pub fn progress(&self, length: usize) -> ProgressBar {
        if length < 2 {
            return ProgressBar::hidden();
        }
        ProgressBar::new(length as u64).with_finish(ProgressFinish::Abandon)
    }

    /// A warning for people, on standard error.
    pub fn warn(&self, text: impl std::fmt::Display) {
        let _ = writeln!(io::stderr().lock(), "Warning: {text}");
    }
}

/// Whether standard output is a terminal.
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Prints what clap says of a command line, and gives its exit code.
pub fn usage(error: &clap::Error) -> Exit {
    if error.use_stderr() && asked_for_json() {
        let text = error.render().to_string();
        let message = text.trim().strip_prefix("error: ").unwrap_or(&text).to_owned();
        return self::error(&CliError::usage(message.trim()), true);
    }
    let _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Done }
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
    let causes = error.causes();
    let _ = if json {
        let body = serde_json::json!({"error": {
            "kind": error.kind, "message": error.message, "causes": causes, "hint": error.hint,
        }});
        writeln!(err, "{body}")
    } else {
        let mut text = line("Error", &error.message);
        for cause in &causes {
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
    format!("{label}: {}\n", visible_lines(text).replace('\n', "\n  ").replace("\n    ", "\n  "))
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
    }
}
