//! The options that describe one request, in our spelling and in that of CCF's own tools.

use std::path::PathBuf;
use time::OffsetDateTime;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::common::Context;
use super::error::CliError;
use super::private_keys;
use ccf_gov::cose::{CreatedAt, MAX_ENVELOPE, MemberCertificate, Message, MessageType};
use ccf_gov::id::MemberId;
use ccf_gov::proposal::shown;
use ccf_gov::{files, json};

/// One request: its type, content, proposal and time.
#[derive(Args)]
pub struct MessageArgs {
    /// What kind of request it is
    #[arg(long = "type", visible_alias = "ccf-gov-msg-type", value_name = "TYPE", value_parser = types())]
    pub kind: Option<MessageType>,
    /// The content, from a file or - for standard input; nothing for withdrawal and state_digest
    #[arg(long, value_name = "FILE")]
    pub content: Option<PathBuf>,
    /// The proposal that a ballot or withdrawal is about: its id; with a service, the first digits of it are enough
    #[arg(
        long,
        visible_alias = "ccf-gov-msg-proposal-id",
        alias = "ccf-gov-msg-proposal_id",
        value_name = "ID",
        allow_hyphen_values = true
    )]
    pub proposal_id: Option<String>,
    /// When it was made: RFC 3339 with an offset, or seconds since the epoch [default: now]
    #[arg(
        long,
        visible_alias = "ccf-gov-msg-created-at",
        alias = "ccf-gov-msg-created_at",
        value_name = "TIME",
        allow_hyphen_values = true
    )]
    pub created_at: Option<String>,
}

fn types() -> impl TypedValueParser<Value = MessageType> {
    PossibleValuesParser::new(MessageType::ALL.map(MessageType::name)).try_map(|name| name.parse::<MessageType>())
}

impl MessageArgs {
    /// The request that they describe, checked.
    pub async fn message(&self, context: &Context) -> Result<Message, CliError> {
        let kind = self.kind.ok_or_else(|| {
            CliError::usage("there is no message type").hint("give --type proposal, ballot, withdrawal, ack, …")
        })?;
        let proposal_id = match &self.proposal_id {
            Some(given) => Some(context.proposal_anywhere(given).await?),
            None => None,
        };
        let created_at = match &self.created_at {
            Some(text) => text.parse(),
            None => CreatedAt::now(),
        };
        let created_at = created_at.map_err(|e| CliError::from(e).doing("the creation time is not valid"))?;
        let (name, payload) = match &self.content {
            Some(path) => (files::shown(path).into_owned(), files::read(path, MAX_ENVELOPE - 4096)?),
            None if kind.has_payload() => {
                return Err(CliError::usage(format!("type {kind} needs content, but none was given"))
                    .hint("give --content FILE, or --content - for standard input"));
            }
            None => ("the request".into(), Vec::new()),
        };
        if kind == MessageType::Proposal && json::parse(&payload).is_ok_and(|value| shown::is_shown(&value)) {
            return Err(CliError::usage(format!("{name} is a proposal with its state, as `proposal show` prints it"))
                .hint("`ccf-gov proposal show ID -o FILE` writes only the proposal"));
        }
        private_keys::refuse(&name, kind, &payload)?;
        Message::new(kind, created_at, proposal_id, payload)
            .map_err(|e| CliError::from(e).doing(format!("cannot sign {name} as type {kind}")))
    }
}

/// The certificate that `--cert` names, where there must be one; in date.
pub fn certificate(context: &Context) -> Result<MemberCertificate, CliError> {
    let certificate = context.certificate()?.ok_or_else(|| {
        CliError::usage("there is no certificate").hint("give the member's certificate with --cert FILE")
    })?;
    in_date(context, &certificate)?;
    Ok(certificate)
}

/// Refuses a certificate by which nothing should be signed any more, or not yet; warns of one that soon will be.
pub fn in_date(context: &Context, certificate: &MemberCertificate) -> Result<(), CliError> {
    let (now, member) = (OffsetDateTime::now_utc(), certificate.member_id());
    if let Some(days) = certificate.expires_soon(now) {
        let days = if days == 1 { "1 day".into() } else { format!("{days} days") };
        context.output.warn(format!("the certificate of member {member} expires in {days}; {}", replacement(member)));
    }
    certificate.check_in_date(now).map_err(|e| {
        let error = CliError::from(e).doing("cannot sign with the member's certificate");
        match error.hint {
            Some(_) => error,
            None => error.hint(format!("another member has to act, for {}", replacement(member))),
        }
    })
}

/// How a member's certificate is replaced.
fn replacement(member: MemberId) -> String {
    format!(
        "a new certificate is a new member: make one with `ccf-gov keys generate NAME`; an active member adds it with \
         `ccf-gov proposal new set_member --set cert=@NAME_cert.pem`; `ccf-gov member activate` makes it active; then an active member \
         removes the old one with `ccf-gov proposal new remove_member --set member_id={member}` (docs/certificates.md)"
    )
}
