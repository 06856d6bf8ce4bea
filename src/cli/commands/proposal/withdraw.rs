//! `proposal withdraw`: take one's own proposal back.

use clap::Args;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::sign_and_submit;
use ccf_gov::cose::MessageType;
use ccf_gov::id::ProposalId;
use ccf_gov::review::Subject;
use ccf_gov::review::vain::Effect;
use ccf_gov::service::Reference;

/// Withdraw your own proposal
#[derive(Args)]
#[command(after_help = "Example:
  ccf-gov proposal withdraw 71af4505250701568dae25e5f7b47ae51810ade7248446c2c18d4ed31cbff965 \\
    --key alice_privk.pem --cert alice_cert.pem")]
pub struct Withdraw {
    /// The proposal: its id, or the first digits of it; without it, the only open one
    #[arg(value_name = "ID")]
    id: Option<Reference<ProposalId>>,
}

impl Withdraw {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let signer = context.signer().await?;
        let service = context.connect().await?;
        let id = context.proposal_to_sign(&service, self.id.as_ref()).await?;
        let read = async || Subject::read(&service, id).await?.ok_or_else(|| super::not_held(id));
        let (subject, committed) = context.read(&service, read).await?;
        let member = signer.certificate().member_id();
        if subject.withdrawal(member)? == Effect::Held && committed {
            sign_and_submit::print_held(context, &subject.proposal, "withdrawn", "the proposal is withdrawn already")?;
            return Ok(Exit::Done);
        }
        let beside = context.beside_subject(&subject, member, None);
        let kind = MessageType::Withdrawal;
        let submission =
            sign_and_submit::sign_and_submit(context, &service, &*signer, kind, Some(id), Vec::new(), &beside).await?;
        sign_and_submit::print(context, Some(id), &submission, None)?;
        Ok(Exit::Done)
    }
}
