//! `proposal show`: what it would do, where it stands, who voted.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::carry;
use crate::cli::common::Context;
use crate::cli::connect::with_committed;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::files::Access;
use ccf_gov::id::{MemberId, ProposalId};
use ccf_gov::proposal::{self, shown};
use ccf_gov::review::Standing;
use ccf_gov::service::{Member, MemberStatus, Proposal, Reference, Service};

/// Show a proposal: where it stands, what it would do, who voted
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov proposal show 71af4505250701568dae25e5f7b47ae51810ade7248446c2c18d4ed31cbff965 --votes
  ccf-gov proposal show 71af4505250701568dae25e5f7b47ae51810ade7248446c2c18d4ed31cbff965 -o proposal.json")]
pub struct Show {
    /// The proposal: its id, or the first digits of it; without it, the only open one
    #[arg(value_name = "ID")]
    id: Option<Reference<ProposalId>>,
    /// List every active member: who voted, with what kind of ballot, and who has not yet
    #[arg(long)]
    votes: bool,
    /// Write the proposal itself to a file, to be checked, compared, and voted on exactly
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long, requires = "out")]
    force: bool,
}

/// One member's part.
struct Vote {
    member: MemberId,
    ballot: Option<String>,
    counted: Option<bool>,
    failed: bool,
    active: bool,
}

impl Show {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let service = context.connect().await?;
        let id = context.proposal(&service, self.id.as_ref()).await?;
        let read = async || {
            let Some(proposal) = service.find_proposal(id).await? else { return Err(super::not_held(id)) };
            let actions = service.actions(id).await?;
            let standing = match &actions {
                Some(actions) => Standing::read(&service, &actions.raw).await?,
                None => Standing::default(),
            };
            let votes = if self.votes { Some(votes(&service, &proposal).await?) } else { None };
            Ok((proposal, actions, standing, votes))
        };
        let ((proposal, actions, standing, votes), committed) = context.read(&service, read).await?;
        let mut json = with_committed(carry::with_transaction(&proposal.raw, proposal.transaction), committed);
        if let (Some(actions), Value::Object(object)) = (&actions, &mut json) {
            shown::insert(&actions.raw, object);
        }
        if let (Some(votes), Value::Object(object)) = (&votes, &mut json) {
            object.insert("ballotsByNobodyListed".into(), json!(of_nobody(&proposal, votes)));
            object.insert("votes".into(), votes.iter().map(Vote::json).collect());
        }
        if let Some(path) = &self.out {
            let actions = actions.as_ref().ok_or_else(|| super::not_held(id))?;
            context.output.file(path, format!("{:#}\n", actions.raw).as_bytes(), Access::Shared, self.force)?;
            context.output.note(format!("Wrote the proposal to {}.", ccf_gov::files::shown(path)));
        }
        context.output.result(&json, || {
            let mut text = carry::describe(&proposal);
            if let Some(actions) = &actions {
                text += &format!("Actions\n{}", context.actions(&actions.raw, &standing));
                text += &proposal::totals(&actions.raw, actions.length, &actions.sha256)
                    .map_or_else(String::new, |t| format!("{t}\n"));
            }
            if let Some(votes) = &votes {
                let voted = votes.iter().filter(|v| v.voted()).count();
                text += &format!("Votes: {voted} of {} members\n", votes.len());
                text.extend(votes.iter().map(Vote::line));
                match of_nobody(&proposal, votes) {
                    0 => {}
                    n => {
                        text +=
                            &format!("  and {n} by nobody who is listed: removed members, whose ballots still stand\n")
                    }
                }
            }
            text
        })?;
        Ok(Exit::Done)
    }
}

/// Every active member, and whoever voted and is not active any more, or no member any more.
async fn votes(service: &Service, proposal: &Proposal) -> Result<Vec<Vote>, CliError> {
    let mut votes = Vec::new();
    let listed = service.members().await?;
    let is_active = |m: &&Member| m.status == MemberStatus::Active;
    let active: BTreeSet<MemberId> = listed.iter().filter(is_active).map(|m| m.member_id).collect();
    let mut members: BTreeSet<MemberId> = listed.iter().map(|m| m.member_id).collect();
    // The service lists no removed members; those whose ballots it judged stand in its result.
    members.extend(proposal.final_votes.iter().flatten().map(|(member, _)| *member));
    members.extend(proposal.vote_failures.iter().flatten().map(|(member, _)| *member));
    for member in members {
        let ballot = service.ballot(proposal.proposal_id, member).await?;
        let active = active.contains(&member);
        let failed = proposal.vote_failures.as_ref().is_some_and(|v| v.contains_key(&member));
        let counted = proposal.final_votes.as_ref().and_then(|v| v.get(&member).copied());
        if active || ballot.is_some() || counted.is_some() || failed {
            votes.push(Vote { member, ballot, counted, failed, active });
        }
    }
    Ok(votes)
}

/// How many ballots the service counts that are by nobody who is listed: members who were removed since.
fn of_nobody(proposal: &Proposal, votes: &[Vote]) -> u64 {
    let known = votes.iter().filter(|v| v.voted()).count() as u64;
    proposal.ballot_count.saturating_sub(known)
}

impl Vote {
    fn voted(&self) -> bool {
        self.ballot.is_some() || self.counted.is_some() || self.failed
    }

    fn json(&self) -> Value {
        json!({"memberId": self.member, "voted": self.voted(), "kind": self.kind(),
            "vote": self.counted, "ballot": self.ballot, "active": self.active})
    }

    fn kind(&self) -> Option<&'static str> {
        self.ballot.as_deref().map(crate::cli::ballot::kind)
    }

    fn line(&self) -> String {
        let vote = match (self.kind(), self.counted) {
            (None, _) if !self.voted() => "not yet".to_owned(),
            (_, None) if self.failed => "voted, and the ballot failed".to_owned(),
            (None, None) => "voted".to_owned(),
            (None, Some(counted)) => format!("voted {}", if counted { "yes" } else { "no" }),
            (Some(kind), None) => format!("voted ({kind})"),
            (Some(kind), Some(counted)) => format!("voted {} ({kind})", if counted { "yes" } else { "no" }),
        };
        let note = if self.active { "" } else { "  (not active)" };
        format!("  {}  {vote}{note}\n", self.member)
    }
}
