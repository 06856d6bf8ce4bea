//! `keys generate`: a member's keys, in files.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::cose::Algorithm;
use ccf_gov::id::MemberId;
use ccf_gov::signer::{DEFAULT_DAYS, KeyFiles, NewKeys};

/// Make a member's key and certificate, and an encryption key if wanted
///
/// Writes NAME_privk.pem (the private key, PKCS#8) and NAME_cert.pem (its self-signed certificate, which the
/// consortium registers), and with --encryption NAME_enc_privk.pem and NAME_enc_pubk.pem (RSA-2048, for recovery
/// shares). Only the owner can read the private keys. All files are written, or none.
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov keys generate alice --encryption
  ccf-gov keys generate bob --curve p256 --out keys/")]
pub struct Generate {
    /// The member's name: it begins the files' names and is the certificate's CN. 1 to 64 letters, digits, '_', '-', '.' or '@', neither '-' nor '.' first
    name: String,
    /// The key's curve
    #[arg(long, value_enum, default_value_t = Curve::P384)]
    curve: Curve,
    /// Also make a key for recovery shares
    #[arg(long)]
    encryption: bool,
    /// How many days the certificate is valid, from now: 1 to 36525
    #[arg(long, default_value_t = DEFAULT_DAYS)]
    days: u32,
    /// The folder to write into; it must exist
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Curve {
    P256,
    P384,
    P521,
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Generated<'a> {
    member_id: MemberId,
    algorithm: Algorithm,
    curve: &'static str,
    #[serde(flatten)]
    files: &'a KeyFiles,
}

impl Generate {
    pub fn run(self, context: &Context) -> Result<Exit, CliError> {
        let algorithm = match self.curve {
            Curve::P256 => Algorithm::ES256,
            Curve::P384 => Algorithm::ES384,
            Curve::P521 => Algorithm::ES512,
        };
        let keys = NewKeys::generate(&self.name, algorithm, self.days, self.encryption)
            .map_err(|e| CliError::from(e).doing("cannot generate the keys"))?;
        let files = keys.write(&self.out, self.force)?;
        let member = keys.certificate().member_id();
        let result = Generated { member_id: member, algorithm, curve: algorithm.curve().name(), files: &files };
        context.output.result(&result, || {
            let mut text = format!(
                "Member id    {member}\nPrivate key  {}  (keep it; nobody else needs it)\nCertificate  {}  (to be registered)\n",
                files.private_key.display(),
                files.certificate.display()
            );
            if let (Some(private), Some(public)) = (&files.encryption_private_key, &files.encryption_public_key) {
                text += &format!(
                    "Encryption   {}  (keep it; nobody else needs it)\n             {}  (to be registered)\n",
                    private.display(),
                    public.display()
                );
            }
            text
        })?;
        Ok(Exit::Done)
    }
}
