//! `finish`: a signature that was made elsewhere makes the envelope whole.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use crate::cli::common::Context;
use crate::cli::envelopes;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::interrupt::interrupted;
use crate::cli::message_args::{MessageArgs, certificate, in_date};
use ccf_gov::cose::{Algorithm, EnvelopeError, Signature, SigningRequest};
use ccf_gov::{files, json};

/// The largest file of signatures: enough for a hundred thousand.
const MAX_SIGNATURES: u64 = 32 << 20;

/// Combine a request with a signature that was made elsewhere, check it, and write the envelope
///
/// Everything in the request is computed anew, and any disagreement is refused. The signature may be raw or DER, as
/// it is, in hexadecimal, base64 or base64url, as HashiCorp Vault writes it (vault:v1:…), or in a key vault's JSON
/// answer. Instead of a request file, the options
/// that were given to `prepare` or ccf_cose_sign1_prepare may be given again, --created-at included.
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov finish request.json --signature answer.json -o ballot.cose
  ccf-gov finish requests.json --signature answers.json -o envelopes/")]
pub struct Finish {
    /// What `prepare` wrote
    #[arg(value_name = "REQUEST", conflicts_with_all = ["kind", "content", "proposal_id", "created_at"])]
    request: Option<PathBuf>,
    #[command(flatten)]
    message: MessageArgs,
    /// The signature; for several requests repeat it in their order, or give a file with a JSON list
    #[arg(long, value_name = "FILE", required = true)]
    signature: Vec<PathBuf>,
    #[command(flatten)]
    out: envelopes::Out,
}

impl Finish {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        if self.request.is_none() {
            self.out.check_file(context)?;
        }
        let requests = self.requests(context).await?;
        let signatures = Signatures::read(&self.signature)?;
        if signatures.len() != requests.len() {
            return Err(CliError::usage(format!(
                "there are {} requests and {} signatures: each request needs its own",
                requests.len(),
                signatures.len()
            )));
        }
        self.out.check(context, requests.len())?;
        let batch = self.out.batch(requests.len())?;
        for (at, request) in requests.into_iter().enumerate() {
            let which = if signatures.len() > 1 { format!("signature {}", at + 1) } else { "the signature".into() };
            let signature = signatures.get(at, request.certificate().algorithm()).map_err(|e| {
                let file = self.signature.get(at).or(self.signature.first());
                let file = file.map(|f| format!(" in {}", f.display())).unwrap_or_default();
                CliError::from(e).doing(format!("cannot read {which}{file}"))
            })?;
            let member = request.certificate().member_id();
            let envelope = request.finish(signature).map_err(|e: EnvelopeError| {
                CliError::no(format!("{which} is not member {member}'s for this request")).because(e).hint(
                    "sign this very request's value (the digest) or to_be_signed (unhashed) with the member's key",
                )
            })?;
            batch.with(|batch| batch.add(envelope)).ok_or_else(interrupted)??;
        }
        self.out.finish(context, batch)?;
        Ok(Exit::Done)
    }

    async fn requests(&self, context: &Context) -> Result<Vec<SigningRequest>, CliError> {
        let Some(path) = &self.request else {
            if self.message.created_at.is_none() {
                return Err(CliError::usage("there is neither a request nor a creation time").hint(
                    "give the file that prepare wrote, or repeat all options of prepare, including --created-at",
                ));
            }
            return Ok(vec![SigningRequest::new(self.message.message(context).await?, certificate(context)?)]);
        };
        let requests = envelopes::read_requests(std::slice::from_ref(path))?;
        requests.iter().try_for_each(|request| in_date(context, request.certificate()))?;
        match context.certificate()? {
            Some(given) if requests.iter().any(|r| *r.certificate() != given) => {
                Err(CliError::no("cannot finish the request").because("it is for another member than --cert"))
            }
            _ => Ok(requests),
        }
    }
}

/// Signatures as they came: a file each, or one JSON list.
enum Signatures {
    Files(Vec<Vec<u8>>),
    List(Vec<Value>),
}

impl Signatures {
    fn read(paths: &[PathBuf]) -> Result<Self, CliError> {
        let files: Vec<_> = paths.iter().map(|p| files::read(p, MAX_SIGNATURES)).collect::<Result<_, _>>()?;
        if let [one] = &files[..]
            && let Ok(value) = json::parse(one)
            && let Some(list) = Signature::batch(&value)
        {
            return Ok(Self::List(list.to_vec()));
        }
        Ok(Self::Files(files))
    }

    fn len(&self) -> usize {
        match self {
            Self::Files(files) => files.len(),
            Self::List(list) => list.len(),
        }
    }

    fn get(&self, at: usize, algorithm: Algorithm) -> Result<Signature, ccf_gov::cose::SignatureError> {
        match self {
            Self::Files(files) => Signature::from_file(algorithm, &files[at]),
            Self::List(list) => Signature::from_json(algorithm, &list[at]),
        }
    }
}
