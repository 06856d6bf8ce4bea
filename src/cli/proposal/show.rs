//! `proposal show`: what it would do, where it stands, who voted.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::carry;
use crate::cli::common::Context;
use crate::cli::connect::with_committed;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::id::{MemberId, ProposalId};
use ccf_gov::proposal::summary;
use ccf_gov::service::{MemberStatus, Proposal, Service};

/// Show a proposal: where it stands, what it would do, who voted
#[derive(Args)]
#[command(after_help = "Example:
  ccf-gov proposal show 71af4505250701568dae25e5f7b47ae51810ade7248446c2c18d4ed31cbff965 --votes")]
pub struct Show {
    /// The proposal's id
    #[arg(value_name = "ID")]
    id: ProposalId,
    /// List every active member: who voted, with what kind of ballot, and who has not yet
    #[arg(long)]
    votes: bool,
}

/// One member's part.
struct Vote {
    member: MemberId,
    ballot: Option<String>,
    counted: Option<bool>,
    active: bool,
}

impl Show {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let service = context.connect().await?;
        let read = async || {
            let Some(proposal) = service.find_proposal(self.id).await? else { return Err(super::not_held(self.id)) };
            let actions = service.actions(self.id).await?;
            let votes = if self.votes { Some(votes(&service, &proposal).await?) } else { None };
            Ok((proposal, actions, votes))
        };
        let ((proposal, actions, votes), committed) = context.read(&service, read).await?;
        let mut json = with_committed(carry::with_transaction(&proposal.raw, proposal.transaction), committed);
        if let (Some(actions), Value::Object(object)) = (&actions, &mut json) {
            object.insert("actions".into(), actions.raw.get("actions").cloned().unwrap_or_default());
        }
        if let (Some(votes), Value::Object(object)) = (&votes, &mut json) {
            object.insert("votes".into(), votes.iter().map(Vote::json).collect());
        }
        context.output.result(&json, || {
            let mut text = carry::describe(&proposal);
            if let Some(actions) = &actions {
                text += &format!("Actions\n{}", summary(&actions.raw));
            }
            if let Some(votes) = &votes {
                let voted = votes.iter().filter(|v| v.ballot.is_some()).count();
                text += &format!("Votes: {voted} of {} members\n", votes.len());
                text.extend(votes.iter().map(Vote::line));
            }
            text
        })?;
        Ok(Exit::Done)
    }
}

/// Every active member, and whoever voted and is not active any more.
async fn votes(service: &Service, proposal: &Proposal) -> Result<Vec<Vote>, CliError> {
    let mut votes = Vec::new();
    for member in service.members().await?.iter() {
        let ballot = service.ballot(proposal.proposal_id, member.member_id).await?;
        let active = member.status == MemberStatus::Active;
        if active || ballot.is_some() {
            let counted = proposal.final_votes.as_ref().and_then(|v| v.get(&member.member_id).copied());
            votes.push(Vote { member: member.member_id, ballot, counted, active });
        }
    }
    Ok(votes)
}

impl Vote {
    fn json(&self) -> Value {
        json!({"memberId": self.member, "voted": self.ballot.is_some(), "kind": self.kind(),
            "vote": self.counted, "ballot": self.ballot, "active": self.active})
    }

    fn kind(&self) -> Option<&'static str> {
        self.ballot.as_deref().map(crate::cli::ballot::kind)
    }

    fn line(&self) -> String {
        let vote = match (self.kind(), self.counted) {
            (None, _) => "not yet".to_owned(),
            (Some(kind), None) => format!("voted ({kind})"),
            (Some(kind), Some(counted)) => format!("voted {} ({kind})", if counted { "yes" } else { "no" }),
        };
        let note = if self.active { "" } else { "  (not active)" };
        format!("  {}  {vote}{note}\n", self.member)
    }
}
