//! `sign`: a request becomes an envelope.

use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use clap::Args;
use serde_json::json;

use super::common::Context;
use super::error::CliError;
use super::exit::Exit;
use super::key::key_error;
use super::message_args::MessageArgs;
use super::output::stdout_is_terminal;
use ccf_gov::cose::{Envelope, summary};
use ccf_gov::files::Access;
use ccf_gov::signer;

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
  ccf-gov sign --type withdrawal --proposal-id ID -o withdrawal.cose")]
pub struct Sign {
    #[command(flatten)]
    message: MessageArgs,
    /// Where the envelope goes; - for standard output, which must not be a terminal
    #[arg(long = "out", short = 'o', value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

impl Sign {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        refuse_terminal(context, &self.out)?;
        let message = self.message.message()?;
        let signer = context.signer().await?;
        context.consent(&[summary(&message, signer.certificate().member_id(), signer.algorithm())])?;
        let envelope = signer::sign(&*signer, message)
            .await
            .map_err(|e| key_error(format!("cannot sign as member {}", signer.certificate().member_id()), e))?;
        write(context, &envelope, &self.out, self.force)?;
        Ok(Exit::Done)
    }
}

/// An envelope is binary: it would only disturb a terminal.
pub fn refuse_terminal(context: &Context, out: &Path) -> Result<(), CliError> {
    if out == Path::new("-") && !context.output.is_json() && stdout_is_terminal() {
        return Err(CliError::usage("an envelope is binary, and standard output is a terminal")
            .hint("write it to a file with -o FILE, or pipe it: … | curl --data-binary @- …"));
    }
    Ok(())
}

/// Writes an envelope where it was asked for; with `--output json` says what it is.
pub fn write(context: &Context, envelope: &Envelope, out: &Path, force: bool) -> Result<(), CliError> {
    let bytes = envelope.to_bytes();
    let to_stdout = out == Path::new("-");
    if !(to_stdout && context.output.is_json()) {
        context.output.file(out, &bytes, Access::Shared, force)?;
    }
    if context.output.is_json() {
        let message = envelope.message();
        let result = json!({
            "type": message.kind(), "created_at": message.created_at(), "proposal_id": message.proposal_id(),
            "kid": envelope.member(), "algorithm": envelope.algorithm(),
            "file": (!to_stdout).then_some(out), "envelope": to_stdout.then(|| BASE64_STANDARD.encode(&bytes)),
        });
        context.output.result(&result, String::new)?;
    }
    Ok(())
}
