//! `member activate`: state digest, then acknowledgement.

use clap::Args;
use serde::Serialize;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::interrupt::unless_interrupted;
use crate::cli::sign_and_submit;
use ccf_gov::cose::{Beside, MessageType};
use ccf_gov::id::{MemberId, TransactionId};
use ccf_gov::review::vain;
use ccf_gov::service::{Activation, MemberStatus};

/// Acknowledge the service's state, which makes an accepted member active
///
/// Asks the service for a fresh digest of its state, and signs that digest. Safe to repeat.
#[derive(Args)]
#[command(after_help = "Example:
  ccf-gov member activate --key alice_privk.pem --cert alice_cert.pem")]
pub struct Activate {}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Activated {
    member_id: MemberId,
    /// Null if the service does not list the member.
    status: Option<MemberStatus>,
    transaction_id: TransactionId,
}

impl Activate {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let signer = context.signer().await?;
        let service = context.connect().await?;
        let member = signer.certificate().member_id();
        vain::listed(&service.members().await?, member)?;
        let beside = Beside::default();
        let mut activation = Activation::default();
        let transaction = loop {
            let kind = MessageType::StateDigest;
            let asked =
                sign_and_submit::sign_and_submit(context, &service, &*signer, kind, None, Vec::new(), &beside).await?;
            let Some(payload) = Activation::acknowledgement(&asked) else {
                return Err(CliError::failed("the service gave no state digest", "its answer has none"));
            };
            let ack = sign_and_submit::sign(context, &*signer, MessageType::Ack, None, payload, &beside).await?;
            match unless_interrupted(service.submit(&ack)).await {
                Some(Err(error)) if activation.begins_again(&error) => {}
                result => break sign_and_submit::sent(context, &ack, result)?.transaction,
            }
        };
        let members = service.members().await?;
        let status = members.iter().find(|m| m.member_id == member).map(|m| m.status);
        let json = Activated { member_id: member, status, transaction_id: transaction };
        context.output.result(&json, || match status {
            Some(status) => format!("Member {member} is {status:?}.\n"),
            None => format!("Member {member} acknowledged the state in transaction {transaction}.\n"),
        })?;
        Ok(Exit::Done)
    }
}
