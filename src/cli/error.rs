//! One error for all commands: kind, message, causes, hint. Printed in [`super::output`] only.

use std::error::Error;
use std::fmt;

use serde::Serialize;

use super::exit::Exit;
use ccf_gov::evidence::node::PathError;
use ccf_gov::evidence::recognise::EvidenceError;
use ccf_gov::proposal::catalogue::TemplateError;
use ccf_gov::review::vain::Vain;

/// What kind of failure it was; the exit code follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Something failed here.
    Failed,
    /// The command line, or an input named on it, is wrong.
    Usage,
    /// A check said no.
    No,
    /// The service refused, or would refuse.
    Refused,
    /// The service cannot be reached.
    Unreachable,
    /// The person who was asked said no.
    Declined,
}

impl Kind {
    /// The exit code of this kind.
    pub const fn exit(self) -> Exit {
        match self {
            Self::Failed => Exit::Failed,
            Self::Usage => Exit::Usage,
            Self::No => Exit::No,
            Self::Refused => Exit::Refused,
            Self::Unreachable => Exit::Unreachable,
            Self::Declined => Exit::Declined,
        }
    }
}

/// A command's failure, for people and for scripts.
#[derive(Debug)]
pub struct CliError {
    pub kind: Kind,
    pub message: String,
    pub source: Option<Box<dyn Error + Send + Sync>>,
    pub hint: Option<String>,
}

impl CliError {
    /// `doing` could not be done because of `source`.
    pub fn new(kind: Kind, doing: impl fmt::Display, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, message: doing.to_string(), source: Some(source.into()), hint: None }
    }

    /// Something failed here.
    pub fn failed(doing: impl fmt::Display, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Kind::Failed, doing, source)
    }

    /// An input is wrong; there is no deeper cause.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Usage, message: message.to_string(), source: None, hint: None }
    }

    /// What to do about it.
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// The texts of all causes, outermost first.
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next = self.source.as_deref().map(|e| e as &dyn Error);
        while let Some(error) = next {
            causes.push(error.to_string());
            next = error.source();
        }
        causes
    }
}

impl From<EvidenceError> for CliError {
    fn from(error: EvidenceError) -> Self {
        let message = error.to_string();
        match error {
            EvidenceError::File(error) => error.into(),
            EvidenceError::Folder { source, .. } => Self::new(Kind::Usage, message, source),
            EvidenceError::Igvm { source, .. } => Self::new(Kind::Usage, message, source),
        }
    }
}

impl From<TemplateError> for CliError {
    fn from(error: TemplateError) -> Self {
        let hint = match &error {
            TemplateError::File(_) => None,
            TemplateError::Folder { .. } => Some("`templates` in ccf-gov.toml and --templates name folders"),
            TemplateError::TooMany { .. } => Some("give a folder that holds templates and nothing else"),
            TemplateError::NotToml { .. } => Some("move it to another folder, or rename it if it is a template"),
            TemplateError::Name { .. } => Some("name the file after the action, as the constitution calls it"),
            TemplateError::Fault { .. } => Some("docs/proposals.md describes the format"),
            TemplateError::BuiltIn { .. } => Some(
                "remove the file; if your constitution has another action of this name, call that one otherwise, for members would \
                 take it for CCF's own",
            ),
            TemplateError::Twice { .. } => Some("remove one of the two, or leave one of the folders out"),
        };
        match error {
            TemplateError::File(error) => error.into(),
            error => {
                let message = error.to_string();
                let cause = Error::source(&error).map(ToString::to_string);
                let source = cause.map(Into::into);
                CliError { kind: Kind::Usage, message, source, hint: hint.map(Into::into) }
            }
        }
    }
}

impl From<Vain> for CliError {
    fn from(vain: Vain) -> Self {
        let kind = if matches!(vain, Vain::Proposed { .. }) { Kind::No } else { Kind::Refused };
        let message = format!("nothing was signed: {vain}");
        CliError { kind, message, source: None, hint: Some(vain.advice()) }
    }
}

impl From<PathError> for CliError {
    fn from(error: PathError) -> Self {
        let message = error.to_string();
        match error {
            PathError::File(error) => error.into(),
            PathError::Folder { source, .. } => Self::new(Kind::Usage, message, source),
            PathError::Part { source, .. } => Self::new(Kind::Usage, message, source),
            PathError::Empty { .. } => Self::usage(message),
        }
    }
}

impl From<ccf_gov::files::FileError> for CliError {
    fn from(error: ccf_gov::files::FileError) -> Self {
        use ccf_gov::files::FileError as E;
        let kind = match error {
            E::Write { .. } => Kind::Failed,
            _ => Kind::Usage,
        };
        let hint = match error {
            E::Exists { .. } => Some("name another file, or give --force if it may be replaced"),
            E::NotRegular { what: "a named pipe", .. } => {
                Some("read the pipe as standard input: - in place of the file")
            }
            E::NotAFile { .. } => Some("name another file, or - for standard output"),
            E::FolderExists { .. } => Some("name another folder"),
            E::OtherOwner { .. } => {
                Some("use a file or folder of your own, or make it yours with chown if you trust what is in it")
            }
            E::WritableByOthers { .. } => Some("look at what is in it, then take that right away: chmod go-w"),
            _ => None,
        };
        let cause = Error::source(&error).map(ToString::to_string);
        let mut this = CliError { kind, message: error.to_string(), source: cause.map(Into::into), hint: None };
        this.hint = hint.map(Into::into);
        this
    }
}
