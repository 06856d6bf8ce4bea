//! One error for all commands: kind, message, causes, hint. Printed in [`super::output`] only.
//!
//! A library error comes in by its [`Library`] implementation, which says its kind (the exit code follows from that) and its hint. What a
//! command was doing is added with [`CliError::doing`]. The exit code of checks is [`super::checks::exit`].

use std::error::Error;
use std::fmt;

use serde::Serialize;

use super::exit::Exit;
use ccf_gov::cose::{
    CertificateError, CoseError, CreatedAt, CreatedAtError, EnvelopeError, MessageError, RequestError, SignatureError,
};
use ccf_gov::evidence::node::{NodeError, PathError};
use ccf_gov::evidence::policy::deployment::DeploymentError;
use ccf_gov::evidence::recognise::EvidenceError;
use ccf_gov::evidence::sgx::ArtefactError;
use ccf_gov::evidence::snp::ContextError;
use ccf_gov::evidence::snp::launch::LaunchError;
use ccf_gov::evidence::snp::launch::igvm::IgvmError;
use ccf_gov::evidence::snp::uvm::UvmError;
use ccf_gov::files::FileError;
use ccf_gov::proposal::ballot::BallotError;
use ccf_gov::proposal::catalogue::{TemplateError, UnknownTemplate};
use ccf_gov::proposal::private_key::PrivateKey;
use ccf_gov::proposal::{MergeError, NewError, ProposalError};
use ccf_gov::review::simulate::{NotAsMeant, SimulateError};
use ccf_gov::review::vain::Vain;
use ccf_gov::review::{NotDeletable, NotVotable};
use ccf_gov::sandbox::SandboxError;
use ccf_gov::service::{ReferenceError, Refusal, ResolveError, ServiceError};
use ccf_gov::signer::{GenerateError, KeyError, KeyUriError, Pkcs11Error, SignerError};
use ccf_gov::upgrade::{IntentError, LoadError, NoWayBack, NotNow, StopsTheService, UpgradeError};

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
    /// The texts of all causes, outermost first.
    pub causes: Vec<String>,
    pub hint: Option<String>,
}

impl CliError {
    /// Something failed here.
    pub fn failed(doing: impl fmt::Display, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: Kind::Failed, ..Self::usage(doing) }.because(source)
    }

    /// An input is wrong; there is no deeper cause.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Usage, message: message.to_string(), causes: Vec::new(), hint: None }
    }

    /// A check said no.
    pub fn no(message: impl fmt::Display) -> Self {
        Self { kind: Kind::No, ..Self::usage(message) }
    }

    /// The service would refuse.
    pub fn refused(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Refused, ..Self::usage(message) }
    }

    /// It is not known what the service did.
    pub fn unreachable(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Unreachable, ..Self::usage(message) }
    }

    /// The person who was asked said no.
    pub fn declined(message: impl fmt::Display) -> Self {
        Self { kind: Kind::Declined, ..Self::usage(message) }
    }

    /// What caused it, with its own causes.
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.causes.extend(chain(Some(&*source.into())));
        self
    }

    /// What to do about it.
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// What was being done: the message so far becomes the first cause.
    pub fn doing(mut self, doing: impl fmt::Display) -> Self {
        self.causes.insert(0, std::mem::replace(&mut self.message, doing.to_string()));
        self
    }

    /// It kept something from being signed.
    pub fn unsigned(self) -> Self {
        self.prefixed("nothing was signed")
    }

    /// What was being done, before the message.
    pub fn prefixed(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }
}

/// The texts of an error and of those that caused it.
fn chain(mut next: Option<&(dyn Error + 'static)>) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    texts
}

/// How a library error is reported. Unless it says otherwise, something that was named on the command line is wrong.
trait Library: Error {
    /// The kind, and so the exit code.
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    /// What to do about it.
    fn hint(&self) -> Option<String> {
        None
    }

    /// What went wrong.
    fn message(&self) -> String {
        self.to_string()
    }

    /// The texts of all causes, outermost first.
    fn causes(&self) -> Vec<String> {
        chain(self.source())
    }
}

impl<E: Library> From<E> for CliError {
    fn from(error: E) -> Self {
        Self { kind: error.kind(), message: error.message(), causes: error.causes(), hint: error.hint() }
    }
}

impl Library for ServiceError {
    fn kind(&self) -> Kind {
        match self {
            Self::Certificate(_) | Self::NoAddress | Self::NoSuchCall(_) => Kind::Usage,
            Self::Client(_) | Self::NotUnderstood { .. } | Self::AnotherProposal(_) => Kind::Failed,
            Self::Unreachable { .. } | Self::Undecided { .. } | Self::Contradiction { .. } => Kind::Unreachable,
            Self::Purged(_) | Self::Refused(_) => Kind::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Certificate(_) => "--service-cert takes a PEM file with the service's certificate and nothing else",
            Self::NotUnderstood { .. } => "is this the address of a CCF node?",
            Self::Unreachable { quorum: Some(_), .. } => {
                "nothing was done; the service goes on when enough of its trusted nodes run and reach each other again"
            }
            Self::Unreachable { .. } => {
                "nothing was done; look at the reasons above, and give the addresses of other nodes with --service"
            }
            Self::Undecided { .. } => "send the same signed envelope again, which is safe; do not sign again",
            Self::Contradiction { .. } => {
                "one of them does not speak for the service: find out which, and give only addresses of the others with --service"
            }
            Self::AnotherProposal(_) => {
                "compare what was sent with `ccf-gov proposal show ID`; the node that answered is not to be trusted"
            }
            Self::Refused(refusal) => return refusal_hint(refusal),
            Self::NoAddress | Self::NoSuchCall(_) | Self::Client(_) | Self::Purged(_) => return None,
        };
        Some(hint.into())
    }

    // Its text has them all.
    fn causes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What to do about a refusal.
fn refusal_hint(refusal: &Refusal) -> Option<String> {
    Some(match refusal.code.as_str() {
        "ProposalCreatedTooLongAgo" => {
            let minimum = refusal.message.rsplit(' ').next().and_then(|n| n.trim_end_matches('.').parse().ok());
            let minimum = minimum.and_then(|n| CreatedAt::from_seconds(n).ok());
            let after = minimum.map_or_else(String::new, |m| format!(" than {m} (created_at {})", m.seconds()));
            format!(
                "the service takes only proposals that are newer{after}, half of the recent ones being newer than that: sign it again now, and see whether this machine's clock is behind"
            )
        }
        "InvalidAuthenticationInfo" => {
            "the signer must be a member of this service, and active (`ccf-gov member list`, `ccf-gov member activate`)".into()
        }
        "ProposalFailedToValidate" => "the service's constitution does not accept it: correct the proposal".into(),
        "VoteAlreadyExists" => "a ballot cannot be changed; the first one counts (`ccf-gov proposal show ID --votes`)".into(),
        "ProposalNotOpen" => "see how it ended with `ccf-gov proposal show ID`".into(),
        "ProposalNotFound" => {
            "it never was, or it was resolved and then removed when another proposal was resolved; the ledger alone has those".into()
        }
        "MissingApiVersionParameter" | "UnsupportedApiVersionValue" => "choose one of these with --api-version".into(),
        "RequestBodyTooLarge" => {
            "the service's nodes take no request of this size: make it smaller (an application without what it does not need), or ask \
             the operator to raise max_body_size in the http_configuration of the nodes' interfaces"
                .into()
        }
        "NodeNotRetiredCommitted" => "a node is deleted after the members have removed it and that is committed".into(),
        "InternalError" if refusal.message.starts_with("Failed to apply") => {
            "the proposal was accepted, but applying it failed, so the service made no change: it is as if this last request had not been sent".into()
        }
        _ => return None,
    })
}

impl Library for ResolveError {
    fn kind(&self) -> Kind {
        match self {
            Self::Service(error) => error.kind(),
            Self::Nothing { .. } | Self::NoneOpen { .. } => Kind::Refused,
            Self::Several { .. } | Self::SeveralOpen { .. } => Kind::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Service(error) => return error.hint(),
            Self::Nothing { noun: "proposal", .. } => {
                "it never was, or it was resolved and then removed when another proposal was resolved"
            }
            Self::Several { .. } => "give more digits of its id",
            Self::SeveralOpen { .. } => "give its id, or at least the first 8 digits of it",
            Self::Nothing { .. } | Self::NoneOpen { .. } => return None,
        };
        Some(hint.into())
    }

    fn causes(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Library for SignerError {
    fn kind(&self) -> Kind {
        if self.is_input() { Kind::Usage } else { Kind::Failed }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::CertificateMissing => "give the member's certificate with --cert FILE",
            Self::Key(KeyError::Passphrase(_)) => {
                "give its passphrase with --passphrase-file FILE or in the environment variable CCF_GOV_PASSPHRASE"
            }
            Self::Mismatch => "give the certificate of this key with --cert, or the key of this certificate with --key",
            Self::Pkcs11(Pkcs11Error::WrongPin { .. }) => {
                "make sure of the PIN before you try again: a few wrong ones lock the token"
            }
            Self::Pkcs11(Pkcs11Error::Call { .. }) => {
                "take the token out and put it back, then run the command again; the module's own log may say more"
            }
            Self::Signature(_) | Self::Envelope(_) => {
                "nothing was written; make sure that --key and --cert belong together, and that the key's home is sound"
            }
            _ => return None,
        };
        Some(hint.into())
    }
}

impl Library for GenerateError {
    fn kind(&self) -> Kind {
        match self {
            Self::File(error) => error.kind(),
            Self::Crypto(_) => Kind::Failed,
            Self::Name(_) | Self::Days(_) => Kind::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        if let Self::File(error) = self { error.hint() } else { None }
    }
}

impl Library for CertificateError {
    fn hint(&self) -> Option<String> {
        let clock = "see whether this machine's clock is right; otherwise sign once it is valid";
        matches!(self, Self::NotYetValid(_)).then(|| clock.into())
    }
}

impl Library for RequestError {
    fn kind(&self) -> Kind {
        if self.is_disagreement() { Kind::No } else { Kind::Usage }
    }
}

impl Library for NotVotable {
    fn kind(&self) -> Kind {
        Kind::No
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Another { .. } => {
                "in each line: what the ballot is for / what the service holds. `ccf-gov proposal show ID -o FILE` writes the service's"
            }
            Self::Unreadable { .. } => "do not vote on it, and ask the service's operators what it is",
        };
        Some(hint.into())
    }
}

impl Library for SimulateError {
    fn kind(&self) -> Kind {
        if matches!(self, Self::NotOpen(_)) { Kind::Refused } else { Kind::Failed }
    }
}

impl Library for NotAsMeant {
    fn kind(&self) -> Kind {
        Kind::No
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Throws(_) | Self::DoesNotLoad(_) => {
                "correct the script, and try it with `ccf-gov ballot test FILE --proposal ID`"
            }
            Self::VotesNo => {
                "see what it rests on with `ccf-gov ballot show FILE`, and write a new one with `ccf-gov ballot new`"
            }
        };
        Some(hint.into())
    }
}

impl Library for NotDeletable {
    fn kind(&self) -> Kind {
        Kind::No
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotCommitted(_) => {
                "wait a little and try again; stop its process only after `ccf-gov node list` says that it can be deleted"
            }
            Self::Trusted(_) => "the members remove it first: `ccf-gov proposal new remove_node`",
            Self::Pending(_) => {
                "stop its process; when the members remove it (`ccf-gov proposal new remove_node`), the service forgets it at once, and there is nothing left to delete"
            }
        };
        Some(hint.into())
    }
}

impl Library for NotNow {
    fn kind(&self) -> Kind {
        if matches!(self, Self::NotThere(_)) { Kind::Refused } else { Kind::No }
    }
}

impl Library for StopsTheService {
    fn kind(&self) -> Kind {
        Kind::No
    }

    fn hint(&self) -> Option<String> {
        Some(self.advice().into())
    }
}

impl Library for Vain {
    fn kind(&self) -> Kind {
        if matches!(self, Self::Proposed { .. }) { Kind::No } else { Kind::Refused }
    }

    fn hint(&self) -> Option<String> {
        Some(self.advice())
    }

    fn message(&self) -> String {
        format!("nothing was signed: {self}")
    }
}

/// What to do about a private key in what a service would take.
const PRIVATE_KEY: &str = "give the certificate or the public key instead; if anybody else may have seen the private key, replace it by a new one";

impl Library for PrivateKey {
    fn kind(&self) -> Kind {
        Kind::No
    }

    fn hint(&self) -> Option<String> {
        Some(PRIVATE_KEY.into())
    }
}

impl Library for UnknownTemplate {
    fn hint(&self) -> Option<String> {
        Some("`ccf-gov proposal templates` lists them".into())
    }
}

/// What to do about a setting that does not fit its template.
pub fn parameters(template: &str) -> String {
    format!("`ccf-gov proposal templates {template}` shows what each parameter takes")
}

impl Library for NewError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Template(error) => return error.hint(),
            Self::Unknown { template, .. } | Self::Missing { template, .. } => parameters(template),
            Self::Value { .. } => return None,
            Self::HostData { .. } => "leave host_data out: it is computed from the policy".into(),
            Self::PrivateKey(_) => PRIVATE_KEY.into(),
            Self::Clock(_) => "set the clock, or give valid_from".into(),
        })
    }
}

impl Library for MergeError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Conflict { first, second, .. } if first.0 == second.0 => "leave one of the two actions out",
            Self::Conflict { .. } => "keep the one that you intend, and leave the other out",
            Self::PrivateKey { .. } => PRIVATE_KEY,
            Self::Surplus { .. } => "remove the key, or submit that proposal alone",
        };
        Some(hint.into())
    }
}

impl Library for TemplateError {
    fn kind(&self) -> Kind {
        if let Self::File(error) = self { error.kind() } else { Kind::Usage }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::File(error) => return error.hint(),
            Self::Folder { .. } => Some("`templates` in ccf-gov.toml and --templates name folders"),
            Self::TooMany { .. } => Some("give a folder that holds templates and nothing else"),
            Self::NotToml { .. } => Some("move it to another folder, or rename it if it is a template"),
            Self::Name { .. } => Some("name the file after the action, as the constitution calls it"),
            Self::Fault { .. } => Some("docs/proposals.md describes the format"),
            Self::BuiltIn { .. } => Some(
                "remove the file; if your constitution has another action of this name, call that one otherwise, for members would \
                 take it for CCF's own",
            ),
            Self::Twice { .. } => Some("remove one of the two, or leave one of the folders out"),
        };
        hint.map(String::from)
    }
}

impl Library for EvidenceError {
    fn kind(&self) -> Kind {
        if let Self::File(error) = self { error.kind() } else { Kind::Usage }
    }

    fn hint(&self) -> Option<String> {
        if let Self::File(error) = self { error.hint() } else { None }
    }
}

impl Library for PathError {
    fn kind(&self) -> Kind {
        if let Self::File(error) = self { error.kind() } else { Kind::Usage }
    }

    fn hint(&self) -> Option<String> {
        if let Self::File(error) = self { error.hint() } else { None }
    }
}

impl Library for SandboxError {
    fn kind(&self) -> Kind {
        match self {
            Self::File(error) => error.kind(),
            Self::State { .. } | Self::Listen { .. } | Self::Constitution(_) => Kind::Usage,
            _ => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::Listen { address, .. } => {
                Some(format!("give another address with --listen, for example {}:0 for free ports", address.ip()))
            }
            _ => None,
        }
    }
}

impl Library for UpgradeError {
    fn kind(&self) -> Kind {
        match self {
            Self::Service(error) => error.kind(),
            _ => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        if let Self::Service(error) = self { error.hint() } else { None }
    }

    fn causes(&self) -> Vec<String> {
        if let Self::Service(error) = self { error.causes() } else { chain(self.source()) }
    }
}

impl Library for NoWayBack {
    fn kind(&self) -> Kind {
        Kind::No
    }

    fn hint(&self) -> Option<String> {
        Some("write an upgrade.toml whose [new] is the old code, and upgrade to that".into())
    }
}

impl Library for LoadError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Evidence { source, .. } => source.hint(),
            Self::Artefact { source, .. } => source.hint(),
            Self::Certificate { .. } => Some("it is PEM, and the service's operator provides it".into()),
            Self::Intent(IntentError::Form { .. }) => Some("docs/upgrade.md explains every key".into()),
            _ => None,
        }
    }
}

impl Library for FileError {
    fn kind(&self) -> Kind {
        if matches!(self, Self::Write { .. }) { Kind::Failed } else { Kind::Usage }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Exists { .. } => Some("name another file, or give --force if it may be replaced"),
            Self::NotRegular { what: "a named pipe", .. } => {
                Some("read the pipe as standard input: - in place of the file")
            }
            Self::NotAFile { .. } => Some("name another file, or - for standard output"),
            Self::FolderExists { .. } => Some("name another folder"),
            Self::OtherOwner { .. } => {
                Some("use a file or folder of your own, or make it yours with chown if you trust what is in it")
            }
            Self::WritableByOthers { .. } => Some("look at what is in it, then take that right away: chmod go-w"),
            _ => None,
        };
        hint.map(String::from)
    }
}

// What was named on the command line is wrong, and the error's text says all.

impl Library for ProposalError {}

impl Library for BallotError {}

impl Library for CreatedAtError {}

impl Library for MessageError {}

impl Library for SignatureError {}

impl Library for EnvelopeError {}

impl Library for CoseError {}

impl Library for KeyUriError {}

impl Library for ReferenceError {}

impl Library for NodeError {}

impl Library for DeploymentError {}

impl Library for ContextError {}

impl Library for UvmError {}

impl Library for LaunchError {}

impl Library for IgvmError {}

impl Library for ArtefactError {}
