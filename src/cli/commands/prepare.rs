//! `prepare`: a request for a signature that is made elsewhere.

use std::path::PathBuf;

use clap::Args;

use crate::cli::common::Context;
use crate::cli::envelopes;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::message_args::{MessageArgs, certificate};
use crate::cli::tested::Precautions;
use ccf_gov::cose::SigningRequest;

/// Write a signing request for a key that is elsewhere: on a machine without a network, or in a vault
///
/// The request is JSON. It holds all that is to be signed and a summary to check, and is the body of Azure Key
/// Vault's sign call as it is (`alg` and `value`, the digest). What comes back goes to `ccf-gov finish`;
/// `ccf-gov sign --request` signs it on another machine. Takes the spellings of ccf_cose_sign1_prepare too.
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov prepare --type ballot --content ballot.json --proposal-id ID --cert alice_cert.pem -o request.json
  ccf-gov finish request.json --signature answer.json -o ballot.cose")]
pub struct Prepare {
    #[command(flatten)]
    message: MessageArgs,
    /// Where the request goes; - for standard output
    #[arg(long, short = 'o', value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    precautions: Precautions,
}

impl Prepare {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let request = SigningRequest::new(self.message.message(context).await?, certificate(context)?);
        let access = envelopes::access(request.message());
        let (message, certificate) = (request.message(), request.certificate());
        let service = context.service_if_any([message]).await;
        let (member, algorithm) = (certificate.member_id(), certificate.algorithm());
        let (shown, _) = context.shown(service.as_ref(), message, member, algorithm, &self.precautions).await?;
        context.output.note(format!("To be signed:\n  {}", shown.lines.join("\n  ")));
        let text = serde_json::to_string_pretty(&request.to_json())
            .map_err(|e| CliError::failed("cannot write the request as JSON", e))?;
        context.output.file(&self.out, format!("{text}\n").as_bytes(), access, self.force)?;
        Ok(Exit::Done)
    }
}
