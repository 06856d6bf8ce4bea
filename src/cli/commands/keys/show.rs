//! `keys show`: whose key or certificate it is, until when, and whether the two belong together.

use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::cose::{Algorithm, CertificateError, MemberCertificate};
use ccf_gov::id::MemberId;
use ccf_gov::signer::{KeyUri, SignerError};

/// Show a certificate (--cert), a key (--key), or whether the two belong together (both)
///
/// Exit code 3 if the key does not fit the certificate, or the certificate is not in date.
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov keys show --cert alice_cert.pem
  ccf-gov keys show --key alice_privk.pem --cert alice_cert.pem
  ccf-gov keys show --key azurekms://my-vault/alice --output json | jq -r .member_id")]
pub struct Show;

impl Show {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        // What is named here is shown, not compared with what the configuration file has for every day.
        let (key, cert) = (context.key.is_some(), context.cert.is_some());
        let only_cert = cert && context.key_is_from_file && !context.cert_is_from_file;
        let only_key = key && context.cert_is_from_file && !context.key_is_from_file;
        let certificate = if only_key { None } else { context.certificate()? };
        let known = match (context.key.as_ref().filter(|_| !only_cert), certificate) {
            (None, None) => {
                return Err(
                    CliError::usage("there is nothing to show").hint("give --cert FILE, --key KEY-URI, or both")
                );
            }
            (None, Some(certificate)) => Known::of(certificate, None),
            (Some(_), certificate) => Known::of_key(context, certificate).await?,
        };
        context.output.result(&known.shown(), || known.text())?;
        let good = known.fits != Some(false) && known.date.as_ref().is_none_or(Result::is_ok);
        Ok(if good { Exit::Done } else { Exit::No })
    }
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shown {
    /// Null, as the times and `in_date`, for a key file alone.
    member_id: Option<MemberId>,
    algorithm: Algorithm,
    curve: &'static str,
    /// RFC 3339.
    not_before: Option<String>,
    not_after: Option<String>,
    in_date: Option<bool>,
    /// Null where only one of the two is known, or another program holds the key.
    key_fits_certificate: Option<bool>,
}

struct Known {
    algorithm: Algorithm,
    certificate: Option<MemberCertificate>,
    date: Option<Result<(), CertificateError>>,
    /// Whether the key fits the certificate; `None` where only one of them is known.
    fits: Option<bool>,
}

impl Known {
    fn of(certificate: MemberCertificate, fits: Option<bool>) -> Self {
        let date = Some(certificate.check_in_date(OffsetDateTime::now_utc()));
        Self { algorithm: certificate.algorithm(), date, certificate: Some(certificate), fits }
    }

    async fn of_key(context: &Context, given: Option<MemberCertificate>) -> Result<Self, CliError> {
        let uri = context.key_uri()?;
        if let (KeyUri::File(path), None) = (&uri, &given) {
            let algorithm = context.private_key(path)?.algorithm();
            return Ok(Self { algorithm, certificate: None, date: None, fits: None });
        }
        match (context.open(&uri, given.clone()).await, given) {
            // Another program is trusted with the key, and tells whose it is by signing only.
            (Ok(signer), _) => {
                let fits = !matches!(uri, KeyUri::Command(_));
                Ok(Self::of(signer.certificate().clone(), fits.then_some(true)))
            }
            (Err(SignerError::Mismatch), Some(certificate)) => Ok(Self::of(certificate, Some(false))),
            (Err(error), _) => Err(CliError::from(error).doing(format!("cannot use the key {uri}"))),
        }
    }

    fn shown(&self) -> Shown {
        let certificate = self.certificate.as_ref();
        Shown {
            member_id: certificate.map(MemberCertificate::member_id),
            algorithm: self.algorithm,
            curve: self.algorithm.curve().name(),
            not_before: certificate.map(|c| rfc3339(c.not_before())),
            not_after: certificate.map(|c| rfc3339(c.not_after())),
            in_date: self.date.as_ref().map(Result::is_ok),
            key_fits_certificate: self.fits,
        }
    }

    fn text(&self) -> String {
        let mut text = match &self.certificate {
            None => "Member id   not known: it comes from the certificate; give it with --cert\n".to_owned(),
            Some(c) => format!(
                "Member id   {}\nValid       {} to {}\n",
                c.member_id(),
                rfc3339(c.not_before()),
                rfc3339(c.not_after())
            ),
        };
        match &self.date {
            Some(Err(e)) => text += &format!("In date     NO: {e}\n"),
            Some(Ok(())) => text += "In date     yes\n",
            None => {}
        }
        text += &format!("Algorithm   {} ({})\n", self.algorithm, self.algorithm.curve());
        text += match self.fits {
            None => "Key         not compared with a certificate\n",
            Some(true) => "Key         fits the certificate\n",
            Some(false) => "Key         DOES NOT FIT the certificate\n",
        };
        text
    }
}

fn rfc3339(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_else(|_| time.to_string())
}
