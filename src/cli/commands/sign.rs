//! `sign`: a request becomes an envelope.

use std::path::PathBuf;

use clap::Args;

use crate::cli::common::Context;
use crate::cli::envelopes;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::interrupt::interrupted;
use crate::cli::message_args::MessageArgs;
use crate::cli::private_keys;
use crate::cli::tested::Precautions;
use ccf_gov::cose::{Envelope, SigningRequest};
use ccf_gov::files::FileError;
use ccf_gov::signer::{self, SignerError};

/// Sign a governance request
///
/// Writes the signed request, a COSE_Sign1 envelope, to standard output or to a file. What is signed is shown on
/// standard error first; where there is a terminal, you are asked, unless --yes is given.
///
/// Takes the spellings of ccf_cose_sign1 too: --ccf-gov-msg-type, --ccf-gov-msg-created-at, --ccf-gov-msg-proposal-id,
/// --signing-key, --signing-cert.
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov sign --type proposal --content proposal.json --key alice_privk.pem --cert alice_cert.pem -o proposal.cose
  ccf-gov sign --type ballot --content ballot.json --proposal-id ID | curl … --data-binary @-
  ccf-gov sign --type withdrawal --proposal-id ID -o withdrawal.cose
  ccf-gov sign --request REQUESTS.json --key alice_privk.pem -o envelopes/")]
pub struct Sign {
    #[command(flatten)]
    message: MessageArgs,
    /// Sign what `prepare` wrote; repeat for several files
    #[arg(long, value_name = "FILE", conflicts_with_all = ["kind", "content", "proposal_id", "created_at"])]
    request: Vec<PathBuf>,
    #[command(flatten)]
    out: envelopes::Out,
    #[command(flatten)]
    precautions: Precautions,
}

impl Sign {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        if !self.request.is_empty() {
            return self.requests(context).await;
        }
        self.out.check_file(context)?;
        let message = self.message.message(context).await?;
        let signer = context.signer().await?;
        let member = signer.certificate().member_id();
        let service = context.service_if_any([&message]).await;
        let algorithm = signer.algorithm();
        let (shown, guard) = context.shown(service.as_ref(), &message, member, algorithm, &self.precautions).await?;
        context.consent(&[shown])?;
        let envelope = signer::sign(&*signer, message)
            .await
            .map_err(|e| CliError::from(e).doing(format!("cannot sign as member {member}")))?;
        self.out.write(context, &envelope, guard.as_ref())?;
        Ok(Exit::Done)
    }

    async fn requests(self, context: &Context) -> Result<Exit, CliError> {
        let requests = envelopes::read_requests(&self.request)?;
        for message in requests.iter().map(SigningRequest::message) {
            private_keys::refuse(
                format!("a {} among the requests", message.kind()),
                message.kind(),
                message.payload(),
            )?;
        }
        let certificate = requests[0].certificate().clone();
        let member = certificate.member_id();
        if requests.iter().any(|r| *r.certificate() != certificate) {
            return Err(CliError::usage("the requests are for different members, but one key signs for one member"));
        }
        if context.certificate()?.is_some_and(|given| given != certificate) {
            return Err(CliError::no("cannot sign the request")
                .because(format!("it is for member {member}, but --cert is another member's")));
        }
        self.out.check(context, requests.len())?;
        let signer = context.signer_for(Some(certificate)).await?;
        let service = context.service_if_any(requests.iter().map(SigningRequest::message)).await;
        let mut shown = Vec::with_capacity(requests.len());
        for request in &requests {
            let (message, algorithm) = (request.message(), signer.algorithm());
            shown.push(context.shown(service.as_ref(), message, member, algorithm, &self.precautions).await?.0);
        }
        context.consent(&shown)?;
        let batch = self.out.batch(requests.len())?;
        let progress = context.output.progress(requests.len());
        let messages = requests.into_iter().map(|request| request.into_parts().0).collect();
        let sink = batch.clone();
        let done = move |envelope: Envelope| {
            progress.inc(1);
            Ok(sink.with(|batch| batch.add(envelope)).ok_or(BatchError::Interrupted)??)
        };
        let result = tokio::select! {
            result = signer::sign_all(&*signer, messages, done) => result,
            () = batch.gone() => Err(BatchError::Interrupted),
        };
        result.map_err(|e| match e {
            BatchError::Signer(e) => CliError::from(e).doing(format!("cannot sign as member {member}")),
            BatchError::File(e) => e.into(),
            BatchError::Interrupted => interrupted(),
        })?;
        self.out.finish(context, batch)?;
        Ok(Exit::Done)
    }
}

/// What can go wrong in a batch: a signature, or writing it down; or the person changes their mind.
enum BatchError {
    Signer(SignerError),
    File(FileError),
    Interrupted,
}

impl From<SignerError> for BatchError {
    fn from(error: SignerError) -> Self {
        Self::Signer(error)
    }
}

impl From<FileError> for BatchError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}
