//! `inspect`: what an envelope says, who signed it, and whether it is valid.

use std::path::PathBuf;

use base64::prelude::{BASE64_STANDARD, Engine};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::cose::{
    Algorithm, CreatedAt, Envelope, Examined, MAX_ENVELOPE, MemberCertificate, MessageType, Sign1, content_with,
};
use ccf_gov::text::visible;
use ccf_gov::{files, json};

/// Show what an envelope contains, who signed it, and whether it is valid
///
/// Without --cert the signature cannot be checked, and `valid` is null. With it: exit code 0 if the envelope is
/// valid and by that member, 3 if not. An envelope that a service would refuse is shown too, as far as it can be read,
/// with what is wrong (exit code 3); a file that is nothing like an envelope ends with exit code 2.
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov inspect proposal.cose --cert alice_cert.pem
  ccf-gov inspect ballot.cose --output json | jq .payload")]
pub struct Inspect {
    /// The envelope; - for standard input
    #[arg(value_name = "ENVELOPE")]
    file: PathBuf,
}

impl Inspect {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let bytes = files::read(&self.file, MAX_ENVELOPE)?;
        let examined = Sign1::examine(&bytes).map_err(|e| {
            CliError::from(e).doing(format!("{} is not a COSE_Sign1 envelope", files::shown(&self.file)))
        })?;
        let certificate = context.certificate()?;
        let report = Report::new(examined, certificate.as_ref());
        let about = report.vote(context).await;
        context.output.result(&report.shown(), || report.text() + &about)?;
        Ok(if report.valid() == Some(false) { Exit::No } else { Exit::Done })
    }
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Inspected<'a> {
    /// Null, as the next four, where the header has none.
    #[serde(rename = "type")]
    kind: Option<&'a str>,
    /// Seconds since the epoch.
    created_at: Option<i64>,
    proposal_id: Option<&'a str>,
    /// The member.
    kid: Option<&'a str>,
    algorithm: Option<Algorithm>,
    /// The payload's JSON value; null if it is empty or a recovery share; text if it is not JSON; `{"base64": …}` if it is not text.
    payload: &'a Value,
    /// Null without a certificate, but false if a service would refuse the envelope from any signer.
    valid: Option<bool>,
    signature: SignatureState,
    /// Why `valid` is false.
    problems: Vec<String>,
    /// What is worth knowing and changes nothing.
    remarks: Vec<&'a str>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
enum SignatureState {
    Good,
    Bad,
    /// No certificate was given.
    Unchecked,
}

struct Report {
    cose: Sign1,
    kid: Option<String>,
    algorithm: Option<Algorithm>,
    payload: Value,
    /// Why a service would refuse it, whoever signed it.
    problems: Vec<String>,
    /// Whether the certificate's key signed it, if there is a certificate.
    signature: Option<Result<(), String>>,
    /// Forms that CCF reads and its tools don't write.
    warnings: Vec<String>,
    /// What is worth knowing and does not make it invalid.
    remarks: Vec<String>,
}

impl Report {
    fn new(examined: Examined, certificate: Option<&MemberCertificate>) -> Self {
        let Examined { cose, forms, faults } = examined;
        let kid = cose.header.kid.as_ref().map(|kid| String::from_utf8_lossy(kid).into_owned());
        let algorithm = cose.header.alg.and_then(Algorithm::from_cose_id);
        let mut problems: Vec<String> = faults.iter().map(ToString::to_string).collect();
        // Of a message that is cut off, what follows is known from that already.
        if let (Err(error), false) =
            (Envelope::from_sign1(cose.clone()), cose.signature.is_empty() && !faults.is_empty())
        {
            problems.push(chain(&error));
        }
        let warnings =
            forms.iter().map(|form| format!("{form}. CCF reads this form, but its tools do not write it")).collect();
        // What can't be read as a request may still hold the share.
        let secret = cose.header.message_type.as_deref() == Some(MessageType::RecoveryShare.name());
        let payload = match json::parse(&cose.payload) {
            _ if cose.payload.is_empty() => Value::Null,
            _ if secret => Value::Null,
            Ok(value) => value,
            Err(_) => match std::str::from_utf8(&cose.payload) {
                Ok(text) => text.into(),
                Err(_) => json!({"base64": BASE64_STANDARD.encode(&cose.payload)}),
            },
        };
        let mut remarks = Vec::new();
        if !cose.header.others.is_empty() {
            remarks.push(format!("the header has parameters that CCF passes over: {}", cose.header.others.join(", ")));
        }
        if let Some(Err(e)) = certificate.map(|c| c.check_in_date(OffsetDateTime::now_utc())) {
            remarks.push(e.to_string());
        }
        let created_at = cose.header.created_at.and_then(|s| CreatedAt::from_seconds(u64::try_from(s).ok()?).ok());
        remarks.extend(created_at.and_then(|time| time.ahead(OffsetDateTime::now_utc())));
        let signature =
            certificate.map(|certificate| cose.check_signed_by(certificate).map_err(|error| error.to_string()));
        Self { kid, algorithm, payload, problems, signature, warnings, remarks, cose }
    }

    fn valid(&self) -> Option<bool> {
        match &self.signature {
            _ if !self.problems.is_empty() => Some(false),
            Some(result) => Some(result.is_ok()),
            None => None,
        }
    }

    fn shown(&self) -> Inspected<'_> {
        let header = &self.cose.header;
        Inspected {
            kind: header.message_type.as_deref(),
            created_at: header.created_at,
            proposal_id: header.proposal_id.as_deref(),
            kid: self.kid.as_deref(),
            algorithm: self.algorithm,
            payload: &self.payload,
            valid: self.valid(),
            signature: match &self.signature {
                None => SignatureState::Unchecked,
                Some(Ok(())) => SignatureState::Good,
                Some(Err(_)) => SignatureState::Bad,
            },
            problems: self.all_problems(),
            remarks: self.warnings.iter().chain(&self.remarks).map(String::as_str).collect(),
        }
    }

    fn all_problems(&self) -> Vec<String> {
        let signature = self.signature.iter().filter_map(|s| s.as_ref().err()).cloned();
        self.problems.iter().cloned().chain(signature).collect()
    }

    fn text(&self) -> String {
        let header = &self.cose.header;
        let or_none = |text: Option<String>| text.map_or("(none)".into(), |t| visible(&t));
        let created_at = header.created_at.map(|s| {
            let time = u64::try_from(s).ok().and_then(|s| CreatedAt::from_seconds(s).ok());
            time.map_or(s.to_string(), |t| format!("{t} ({s})"))
        });
        let algorithm = self.algorithm.map(|a| a.to_string()).or(header.alg.map(|a| format!("{a} (unknown)")));
        let mut text = format!(
            "Type        {}\nCreated at  {}\nProposal    {}\nMember      {}\nAlgorithm   {}\n",
            or_none(header.message_type.clone()),
            or_none(created_at),
            or_none(header.proposal_id.clone()),
            or_none(self.kid.clone()),
            or_none(algorithm),
        );
        text += &match &self.signature {
            None => "Signature   not checked: give the member's certificate with --cert\n".into(),
            Some(Ok(())) => "Signature   good, by this member\n".to_owned(),
            Some(Err(why)) => format!("Signature   BAD: {why}\n"),
        };
        for problem in &self.problems {
            text += &format!("Refused by a service: {}\n", visible(problem));
        }
        for warning in &self.warnings {
            text += &format!("Warning: {}\n", visible(warning));
        }
        for remark in &self.remarks {
            text += &format!("Note: {}\n", visible(remark));
        }
        if self.request().is_some() {
            return text;
        }
        let payload = match &self.payload {
            Value::Null if self.cose.payload.is_empty() => "(empty)".to_owned(),
            Value::Null => "(a recovery share, which is secret and not shown)".to_owned(),
            Value::String(script) => script.clone(),
            value => serde_json::to_string_pretty(value).unwrap_or_default(),
        };
        text += "Payload\n";
        payload.lines().for_each(|line| text += &format!("  {}\n", visible(line)));
        text
    }
}

impl Report {
    /// The ballot or withdrawal in it, which is shown by what it means.
    fn request(&self) -> Option<Envelope> {
        let envelope = Envelope::from_sign1(self.cose.clone()).ok()?;
        envelope.message().kind().names_proposal().then_some(envelope)
    }

    /// What that says, and of which proposal, for people.
    async fn vote(&self, context: &Context) -> String {
        let Some(envelope) = self.request().filter(|_| !context.output.is_json()) else { return String::new() };
        let beside = context.beside_signed(envelope.message(), envelope.member()).await;
        let line = |line: &String| format!("  {line}\n");
        let content = content_with(envelope.message(), &beside);
        let content =
            if content.is_empty() { "  (empty)\n".into() } else { content.iter().map(line).collect::<String>() };
        let about = beside.lines.iter().map(line).collect::<String>();
        let about = if about.is_empty() { about } else { format!("On the proposal\n{about}") };
        format!("{about}Payload\n{content}")
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text += &format!(": {cause}");
        next = cause.source();
    }
    text
}
