//! `ballot show`: in words, what a ballot does.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use serde::Serialize;

use crate::cli::commands::proposal::not_held;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::files;
use ccf_gov::id::{MemberId, ProposalId};
use ccf_gov::proposal::ballot::{Ballot, BallotKind, MAX_BALLOT, Seen};
use ccf_gov::proposal::{difference, summary};
use ccf_gov::service::{Reference, Vote};

/// Say in words what a ballot does, or each ballot on a proposal that the service holds
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov ballot show ballot.json
  ccf-gov ballot show 71af4505
  ccf-gov ballot show 71af4505 --member alice")]
pub struct Show {
    /// A ballot, as `ballot new` writes it; or a proposal: its id, or the first digits of it
    #[arg(value_name = "FILE|ID")]
    source: BallotSource,
    /// With a proposal: only the ballot of this member, by id, its first digits, or name
    #[arg(long, value_name = "MEMBER")]
    member: Option<Reference<MemberId>>,
}

/// A ballot's file, or the id of the proposal that it is on.
#[derive(Clone, Debug)]
enum BallotSource {
    File(PathBuf),
    Id(Reference<ProposalId>),
}

impl FromStr for BallotSource {
    type Err = Infallible;

    /// Hexadecimal digits are an id, unless a file has that name.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.parse() {
            Ok(id) if !Path::new(text).exists() => Self::Id(id),
            _ => Self::File(text.into()),
        })
    }
}

/// What is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// The proposal at the service; null for a file.
    proposal_id: Option<ProposalId>,
    ballots: Vec<Line>,
}

/// One ballot.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct Line {
    /// Whose it is; null for a file.
    member_id: Option<MemberId>,
    /// The name in the member's certificate.
    name: Option<String>,
    kind: BallotKind,
    /// The kind in words.
    does: &'static str,
    /// The actions of the one proposal that it accepts; null if it is not for one.
    actions: Option<Vec<serde_json::Value>>,
    /// Whether the service holds exactly that proposal; null for a file, and if it is not for one.
    for_this_proposal: Option<bool>,
    /// What a guarded ballot rests on.
    guards: Vec<Guard>,
    script: String,
}

/// Something of the service that must be as it was.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct Guard {
    says: String,
    /// Whether the service is so now; null for a file.
    holds: Option<bool>,
}

impl Show {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let shown = match (&self.source, &self.member) {
            (BallotSource::File(_), Some(_)) => {
                return Err(CliError::usage("a file holds one ballot: --member is for a proposal's ballots")
                    .hint("omit --member, or give the proposal's id"));
            }
            (BallotSource::File(path), None) => {
                let ballot = Ballot::parse(&files::read(path, MAX_BALLOT)?)
                    .map_err(|e| CliError::from(e).doing(format!("{} is not a ballot", files::shown(path))))?;
                Shown { proposal_id: None, ballots: vec![Line::of(&ballot, None, None, None)] }
            }
            (BallotSource::Id(id), member) => held(context, id, member.as_ref()).await?,
        };
        context.output.result(&shown, || shown.text())?;
        Ok(Exit::Done)
    }
}

/// The ballots on a proposal that the service holds.
async fn held(
    context: &Context,
    id: &Reference<ProposalId>,
    member: Option<&Reference<MemberId>>,
) -> Result<Shown, CliError> {
    let service = context.connect().await?;
    let id = context.proposal(&service, Some(id)).await?;
    let member = match member {
        Some(member) => Some(context.member_meant(&service, member).await?),
        None => None,
    };
    let read = async || {
        let proposal = service.find_proposal(id).await?.ok_or_else(|| not_held(id))?;
        let votes = service.votes(&proposal).await?;
        let actions = service.actions(id).await?.ok_or_else(|| not_held(id))?;
        Ok((votes, actions, service.seen().await?))
    };
    let ((votes, actions, seen), _) = context.read(&service, read).await?;
    let each = votes.each.iter().filter(|vote| member.is_none_or(|member| vote.member == member));
    let ballots: Vec<_> = each
        .filter_map(|vote| {
            let ballot = Ballot::of_script(vote.ballot.as_deref()?);
            Some(Line::of(&ballot, Some(vote), Some(&actions.raw), Some(&seen)))
        })
        .collect();
    match (ballots.is_empty(), member) {
        (true, Some(member)) => {
            Err(CliError::refused(format!("the service shows no ballot of member {member} on proposal {id}"))
                .hint("`ccf-gov proposal show --votes` lists who voted"))
        }
        _ => Ok(Shown { proposal_id: Some(id), ballots }),
    }
}

impl Line {
    fn of(ballot: &Ballot, vote: Option<&Vote>, held: Option<&serde_json::Value>, seen: Option<&Seen>) -> Self {
        let (kind, only) = (ballot.kind(), ballot.proposal());
        let for_this = only.as_ref().zip(held).map(|(only, held)| difference(only.value(), held).is_none());
        let guards = ballot.guards().unwrap_or_default();
        Self {
            member_id: vote.map(|vote| vote.member),
            name: vote.and_then(|vote| vote.name.clone()),
            kind,
            does: kind.words(),
            actions: only.as_ref().and_then(|p| p.value()["actions"].as_array().cloned()),
            for_this_proposal: for_this,
            guards: guards
                .iter()
                .map(|guard| Guard { says: guard.to_string(), holds: seen.map(|seen| guard.holds(seen)) })
                .collect(),
            script: ballot.script().to_owned(),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(member) = self.member_id {
            let name = self.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
            text += &format!("Member    {member}{name}\n");
        }
        text += &format!("Ballot    {}\n", self.does);
        for guard in &self.guards {
            let holds = match guard.holds {
                Some(true) => " (it is)",
                Some(false) => " (NOT SO NOW)",
                None => "",
            };
            text += &format!("While     {}{holds}\n", guard.says);
        }
        match (self.for_this_proposal, &self.actions) {
            (Some(true), _) => text += "Proposal  the one that the service holds\n",
            (_, Some(actions)) => {
                if self.for_this_proposal.is_some() {
                    text += "Proposal  NOT the one that the service holds: it votes no\n";
                }
                text += &format!("Actions\n{}", summary(&serde_json::json!({ "actions": actions })));
            }
            (_, None) if self.kind == BallotKind::Other => {
                text += "Script\n";
                self.script.lines().for_each(|line| text += &format!("  {line}\n"));
            }
            _ => {}
        }
        text
    }
}

impl Shown {
    fn text(&self) -> String {
        if self.ballots.is_empty() {
            return "No ballots yet\n".into();
        }
        self.ballots.iter().map(Line::text).collect::<Vec<_>>().join("\n")
    }
}
