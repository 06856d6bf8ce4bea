//! Where envelopes go, and where requests come from: one file or standard output for one, a new folder for many.

use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use clap::Args;
use serde::Serialize;

use super::common::Context;
use super::error::CliError;
use super::guard::Guarded;
use super::interrupt::{Interruptible, interrupted};
use super::output::stdout_is_terminal;
use ccf_gov::cose::{Algorithm, CreatedAt, Envelope, Message, MessageType, SigningRequest};
use ccf_gov::files::{self, FileError, NewFolder, Readers};
use ccf_gov::id::{MemberId, ProposalId};
use ccf_gov::upgrade::NetworkChange;

/// Where the envelope goes.
#[derive(Args)]
pub struct Out {
    /// Where the envelope goes; - for standard output, which must not be a terminal. Several go into a new folder
    #[arg(long, short = 'o', value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

/// The envelopes of a batch. Several become a folder, which appears whole at the end or not at all.
pub struct Batch {
    folder: Option<NewFolder>,
    made: Vec<Made>,
}

/// An envelope that is written into the folder already is kept in mind by its description alone.
enum Made {
    Envelope(Box<Envelope>),
    File(Signed),
}

/// An envelope as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Signed {
    #[serde(rename = "type")]
    kind: MessageType,
    /// Seconds since the epoch.
    created_at: CreatedAt,
    proposal_id: Option<ProposalId>,
    /// The member.
    kid: MemberId,
    algorithm: Algorithm,
    /// Where it was written; in a folder, its name there.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    /// Base64, where it would have gone to standard output.
    #[serde(skip_serializing_if = "Option::is_none")]
    envelope: Option<String>,
}

/// One envelope as it is printed, with the guard's judgement.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    signed: Signed,
    #[serde(flatten)]
    guarded: Guarded<'a>,
}

/// Several envelopes as they are printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SignedBatch<'a> {
    folder: &'a Path,
    envelopes: &'a [&'a Signed],
}

impl Out {
    fn is_stdout(&self) -> bool {
        self.out == Path::new("-")
    }

    /// Refuses, before anything is signed, where `count` envelopes could not be written: they are binary and would only
    /// disturb a terminal, and what exists is not replaced unasked, a folder never.
    pub fn check(&self, context: &Context, count: usize) -> Result<(), CliError> {
        if self.is_folder(count) {
            if self.is_stdout() {
                return Err(CliError::usage(format!("{count} envelopes do not fit into standard output"))
                    .hint("give a new folder for them with -o DIR"));
            }
            return Ok(NewFolder::check(&self.out)?);
        }
        if !self.is_stdout() {
            return Ok(files::refuse_existing(&self.out, self.force)?);
        }
        if !context.output.is_json() && stdout_is_terminal() {
            return Err(CliError::usage("an envelope is binary, and standard output is a terminal")
                .hint("write it to a file with -o FILE, or pipe it: … | curl --data-binary @- …"));
        }
        Ok(())
    }

    /// As [`Self::check`], for one envelope that was not a batch.
    pub fn check_file(&self, context: &Context) -> Result<(), CliError> {
        if self.names_folder() {
            return Err(CliError::usage(format!("{} is a folder, but one envelope is a file", self.out.display()))
                .hint("give a file with -o FILE"));
        }
        self.check(context, 1)
    }

    /// Whether `count` envelopes go into a folder.
    fn is_folder(&self, count: usize) -> bool {
        count > 1 || self.names_folder()
    }

    /// A path that ends as folders do.
    fn names_folder(&self) -> bool {
        self.out.as_os_str().as_encoded_bytes().ends_with(b"/")
    }

    /// Begins a batch of `count` envelopes that [`Self::check`] found to have a place. Interrupted, it leaves nothing behind.
    pub fn batch(&self, count: usize) -> Result<Interruptible<Batch>, CliError> {
        Interruptible::new(|| {
            let folder = if self.is_folder(count) { Some(NewFolder::new(&self.out)?) } else { None };
            Ok(Batch { folder, made: Vec::new() })
        })
    }

    /// Writes an envelope where it was asked for; with `--output json` says what it is.
    pub fn write(&self, context: &Context, envelope: &Envelope, guard: Option<&NetworkChange>) -> Result<(), CliError> {
        let bytes = envelope.to_bytes();
        let access = access(envelope.message());
        if !context.output.is_json() {
            return context.output.file(&self.out, &bytes, access, self.force);
        }
        let mut result = Signed::of(envelope);
        if self.is_stdout() {
            result.envelope = Some(BASE64_STANDARD.encode(&bytes));
        } else {
            context.output.file(&self.out, &bytes, access, self.force)?;
            result.file = Some(self.out.clone());
        }
        context.output.result(&Shown { signed: result, guarded: Guarded { guard } }, String::new)
    }

    /// Ends a batch: its folder gets its name, or its one envelope is written.
    pub fn finish(&self, context: &Context, batch: Interruptible<Batch>) -> Result<(), CliError> {
        let batch = batch.take().ok_or_else(interrupted)?;
        let Some(folder) = batch.folder else {
            return batch.made.iter().try_for_each(|made| match made {
                Made::Envelope(envelope) => self.write(context, envelope, None),
                Made::File(_) => Ok(()),
            });
        };
        let path = folder.finish()?;
        let envelopes: Vec<_> =
            batch.made.iter().filter_map(|m| if let Made::File(v) = m { Some(v) } else { None }).collect();
        context.output.result(&SignedBatch { folder: &path, envelopes: &envelopes }, || {
            format!("{} envelopes in {}\n", envelopes.len(), path.display())
        })
    }
}

impl Batch {
    /// Takes the next envelope; into the folder, if there is one, as `0001-ballot.cose`.
    pub fn add(&mut self, envelope: Envelope) -> Result<(), FileError> {
        let made = match &self.folder {
            None => Made::Envelope(Box::new(envelope)),
            Some(folder) => {
                let name = format!("{:04}-{}.cose", self.made.len() + 1, envelope.message().kind());
                folder.write(&name, &envelope.to_bytes(), access(envelope.message()))?;
                Made::File(Signed { file: Some(name.into()), ..Signed::of(&envelope) })
            }
        };
        self.made.push(made);
        Ok(())
    }
}

/// Who may read what carries `message`: a recovery share is secret.
pub fn access(message: &Message) -> Readers {
    if message.kind() == MessageType::RecoveryShare { Readers::Private } else { Readers::Shared }
}

impl Signed {
    fn of(envelope: &Envelope) -> Self {
        let message = envelope.message();
        Self {
            kind: message.kind(),
            created_at: message.created_at(),
            proposal_id: message.proposal_id(),
            kid: envelope.member(),
            algorithm: envelope.algorithm(),
            file: None,
            envelope: None,
        }
    }
}

/// The requests in these files, in order; at least one.
pub fn read_requests(paths: &[PathBuf]) -> Result<Vec<SigningRequest>, CliError> {
    let mut requests = Vec::new();
    for path in paths {
        let bytes = files::read(path, files::MAX_FILE)?;
        requests.extend(SigningRequest::parse_file(&bytes).map_err(|e| {
            CliError::from(e).doing(format!("{} cannot be used as a signing request", files::shown(path)))
        })?);
    }
    Ok(requests)
}
