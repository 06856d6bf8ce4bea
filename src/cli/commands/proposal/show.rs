//! `proposal show`: what it would do, where it stands, who voted.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::votes;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::object::{Read, beside};
use crate::cli::sign_and_submit;
use ccf_gov::files::Readers;
use ccf_gov::id::ProposalId;
use ccf_gov::proposal::{self, shown};
use ccf_gov::review::ServiceView;
use ccf_gov::service::Reference;

/// Show a proposal: its state, what it would do, who voted
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov proposal show --votes
  ccf-gov proposal show 71af4505 -o proposal.json")]
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

/// What is shown beside the proposal and its `actions`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct More<'a> {
    /// What it would do, in a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    /// Ballots of members who were removed since; with `--votes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    ballots_by_nobody_listed: Option<u64>,
    /// With `--votes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    votes: Option<Vec<votes::Line<'a>>>,
    #[serde(flatten)]
    read: Read,
}

impl Show {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let service = context.connect().await?;
        let id = context.proposal(&service, self.id.as_ref()).await?;
        let read = async || {
            let Some(proposal) = service.find_proposal(id).await? else { return Err(super::not_held(id)) };
            let actions = service.actions(id).await?;
            let standing = match &actions {
                Some(actions) => ServiceView::read(&service, &actions.raw).await?,
                None => ServiceView::default(),
            };
            let votes = if self.votes { Some(service.votes(&proposal).await?) } else { None };
            let names = service.names().await?;
            Ok((proposal, actions, standing, votes, names))
        };
        let ((proposal, actions, standing, votes, names), committed) = context.read(&service, read).await?;
        let title = actions.as_ref().map(|actions| proposal::title(&actions.raw, |id| names.get(id)));
        let you = context.member().ok();
        let more = More {
            title: title.as_deref(),
            ballots_by_nobody_listed: votes.as_ref().map(|votes| votes.by_nobody_listed),
            votes: votes.as_ref().map(|votes| votes.each.iter().map(|vote| votes::Line::of(vote, you)).collect()),
            read: Read { committed, transaction_id: proposal.transaction },
        };
        let mut json = beside(&proposal.raw, &more)?;
        if let (Some(actions), Value::Object(object)) = (&actions, &mut json) {
            shown::insert(&actions.raw, object);
        }
        if let Some(path) = &self.out {
            let actions = actions.as_ref().ok_or_else(|| super::not_held(id))?;
            context.output.file(path, format!("{:#}\n", actions.raw).as_bytes(), Readers::Shared, self.force)?;
        }
        context.output.result(&json, || {
            let mut text =
                if votes.is_some() { sign_and_submit::head(&proposal) } else { sign_and_submit::describe(&proposal) };
            if let Some(title) = &title {
                text += &format!("Title     {title}\n");
            }
            if let Some(actions) = &actions {
                let shown = context.actions(&actions.raw, &standing);
                text += &format!("Actions\n{shown}");
                text += &proposal::totals(&actions.raw, &shown, actions.length, &actions.sha256);
            }
            if let Some(votes) = &votes {
                text += &votes::table(&proposal, votes, you, context.verbose);
            }
            text
        })?;
        Ok(Exit::Done)
    }
}
