//! `exec:`: another program that signs.
//!
//! The program gets the [`SigningRequest`] as one line of JSON on its standard input and writes the signature to its
//! standard output, in any form that [`Signature::from_file`] reads. Its standard error is ours, so that what it says
//! to people reaches them at once. It does not inherit [`SECRET_VARIABLES`]. It is killed when its time is over.

use std::fmt;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::{CommandOptions, SECRET_VARIABLES, Signer, SignerError};
use crate::cose::{MemberCertificate, Signature, SigningRequest};

/// How long a program may take where nothing else is said: a person may have to touch a key.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long after a program's end its standard output is still read, if something it started keeps that open.
const AFTERWARDS: Duration = Duration::from_millis(500);
/// The most that is read from a program, in bytes; a signature takes a few hundred.
const MAX_ANSWER: u64 = 64 << 10;

/// A key behind another program.
pub struct CommandSigner {
    program: String,
    arguments: Vec<String>,
    patience: Duration,
    certificate: MemberCertificate,
}

/// Why a program gave no signature.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It could not be started, or its pipes broke.
    #[error("cannot run {program:?}")]
    Run {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It ended with a failure.
    #[error("{program:?} did not return a signature: {status}; what it wrote to standard error is above")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// It took too long and was killed.
    #[error(
        "{program:?} did not return a signature within {} and was killed; its child processes may still be running",
        seconds(*after)
    )]
    Timeout {
        /// The program.
        program: String,
        /// The time it had.
        after: Duration,
    },
    /// It wrote more than any signature takes.
    #[error("{program:?} wrote more than {MAX_ANSWER} bytes, but a signature is a few hundred bytes")]
    TooMuch {
        /// The program.
        program: String,
    },
}

impl CommandSigner {
    /// A signer that asks `program`, which is looked up in `PATH` unless it holds a slash.
    pub fn new(program: &str, options: CommandOptions, certificate: MemberCertificate) -> Self {
        let CommandOptions { arguments, timeout } = options;
        Self { program: program.into(), arguments, patience: timeout.unwrap_or(PATIENCE), certificate }
    }

    /// The signing request, as `prepare` writes it; for bytes that are no governance request only what signing takes.
    fn request(&self, message: &[u8]) -> Vec<u8> {
        let algorithm = self.algorithm();
        let request = SigningRequest::from_to_be_signed(message, &self.certificate).map(|request| request.to_json());
        let request = request.unwrap_or_else(|| {
            json!({
                "alg": algorithm.name(),
                "value": URL_SAFE_NO_PAD.encode(algorithm.digest(message)),
                "member_id": self.certificate.member_id(),
                "to_be_signed": URL_SAFE_NO_PAD.encode(message),
            })
        });
        format!("{request}\n").into_bytes()
    }

    /// Runs the program once and gives what it wrote.
    async fn ask(&self, request: Vec<u8>) -> Result<Vec<u8>, CommandError> {
        let failed = |source| CommandError::Run { program: self.program.clone(), source };
        let mut command = Command::new(&self.program);
        for name in SECRET_VARIABLES {
            command.env_remove(name);
        }
        let mut child = command
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        // A program may answer without reading everything, so a broken pipe is no failure; its exit status tells.
        let give = async move {
            if let Some(mut stdin) = stdin {
                let _ = stdin.write_all(&request).await;
            }
        };
        let mut answer = Vec::new();
        let talk = async {
            let ((), read) = tokio::join!(give, read_bounded(stdout, &mut answer));
            read
        };
        // What a program leaves running can keep its standard output open: after its end that is waited for only shortly.
        let end = async {
            let status = child.wait().await;
            tokio::time::sleep(AFTERWARDS).await;
            status
        };
        let read = tokio::select! {
            read = talk => read,
            status = end => status.map(drop),
        };
        read.map_err(failed)?;
        if answer.len() as u64 > MAX_ANSWER {
            return Err(CommandError::TooMuch { program: self.program.clone() });
        }
        let status = child.wait().await.map_err(failed)?;
        if !status.success() {
            return Err(CommandError::Failed { program: self.program.clone(), status });
        }
        Ok(answer)
    }
}

fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f32();
    if seconds == 1.0 { "1 second".into() } else { format!("{seconds} seconds") }
}

async fn read_bounded(from: Option<impl AsyncRead + Unpin>, answer: &mut Vec<u8>) -> io::Result<()> {
    match from {
        Some(from) => from.take(MAX_ANSWER + 1).read_to_end(answer).await.map(drop),
        None => Ok(()),
    }
}

#[async_trait]
impl Signer for CommandSigner {
    fn certificate(&self) -> &MemberCertificate {
        &self.certificate
    }

    async fn sign(&self, message: &[u8]) -> Result<Signature, SignerError> {
        tracing::debug!(program = self.program, "asking a program for a signature");
        // Dropping the unfinished call kills the program.
        let answer = tokio::time::timeout(self.patience, self.ask(self.request(message))).await;
        let timeout = |_| CommandError::Timeout { program: self.program.clone(), after: self.patience };
        let answer = answer.map_err(timeout)??;
        Ok(Signature::from_file(self.algorithm(), &answer)?)
    }
}

impl fmt::Debug for CommandSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Arguments stay out: people put secrets there.
        f.debug_struct("CommandSigner")
            .field("program", &self.program)
            .field("member", &self.certificate.member_id())
            .finish_non_exhaustive()
    }
}
