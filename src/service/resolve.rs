//! From what a person gives to the one id that is meant. Never a guess: what is not unique is refused.

use std::fmt::Display;

use super::reference::{Referable, Reference};
use super::{Member, Names, Node, Proposal, ProposalState, Service, ServiceError};
use crate::id::{MemberId, NodeId, ProposalId};
use crate::proposal::title;
use crate::text::visible;

/// The most candidates that are listed.
const LISTED: usize = 20;

/// The id that was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meant<Id> {
    /// The whole id.
    pub id: Id,
    /// What it is, as the service lists it; nothing for an id that was given whole, which is taken as it is.
    pub what: Option<String>,
}

/// Why nobody can say which one was meant.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The service could not be asked.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// None is.
    #[error("the service has no {noun} {given}{}", list("; it has", listed))]
    Nothing {
        /// What kind of thing.
        noun: &'static str,
        /// What was given.
        given: String,
        /// What there is.
        listed: Vec<String>,
    },
    /// Several could be.
    #[error("{given} could be any of {} {noun}s{}", listed.len(), list("", listed))]
    Several {
        /// What kind of thing.
        noun: &'static str,
        /// What was given.
        given: String,
        /// Those that it could be.
        listed: Vec<String>,
    },
    /// None is open.
    #[error("the service has no open proposal{}", list("; it has", listed))]
    NoneOpen {
        /// What there is.
        listed: Vec<String>,
    },
    /// More than one is open, and none was given.
    #[error("{} proposals are open; choose one by its id{}", listed.len(), list("", listed))]
    SeveralOpen {
        /// The open ones.
        listed: Vec<String>,
    },
}

impl Service {
    /// The proposal that `given` refers to; without it, the only open one.
    pub async fn meant_proposal(
        &self,
        given: Option<&Reference<ProposalId>>,
    ) -> Result<Meant<ProposalId>, ResolveError> {
        if let Some(meant) = given.and_then(whole) {
            return Ok(meant);
        }
        let all = self.proposals().await?.value;
        let matches = |p: &&Proposal| match given {
            Some(given) => given.begins(p.proposal_id),
            None => p.proposal_state == ProposalState::Open,
        };
        let found: Vec<&Proposal> = all.iter().filter(matches).collect();
        let names = self.names().await.unwrap_or_default();
        if let [one] = found[..] {
            return Ok(Meant { id: one.proposal_id, what: Some(self.describe_proposal(one, &names).await) });
        }
        let none = found.is_empty();
        let mut listed = Vec::new();
        for (at, proposal) in if none { all.iter().collect() } else { found }.into_iter().enumerate() {
            let what = if at < LISTED { self.describe_proposal(proposal, &names).await } else { String::new() };
            listed.push(format!("{}  {what}", proposal.proposal_id));
        }
        Err(match (given, none) {
            (None, true) => ResolveError::NoneOpen { listed },
            (None, false) => ResolveError::SeveralOpen { listed },
            (Some(given), _) => failed(given, none, listed),
        })
    }

    /// The node that `given` refers to: by id, or by any address that it publishes.
    pub async fn meant_node(&self, given: &Reference<NodeId>) -> Result<Meant<NodeId>, ResolveError> {
        if let Some(meant) = whole(given) {
            return Ok(meant);
        }
        let matches = |n: &&Node| {
            let mut addresses = n.rpc_interfaces.values().map(|i| &i.published_address);
            given.begins(n.node_id) || addresses.any(|a| given.is_address(a))
        };
        let what = |n: &Node| format!("{}, {}", n.status, n.address().map_or_else(|| "no address".into(), visible));
        only(given, &self.nodes().await?, matches, |n| n.node_id, what)
    }

    /// The member that `given` refers to: by id, or by the name in the certificate.
    pub async fn meant_member(&self, given: &Reference<MemberId>) -> Result<Meant<MemberId>, ResolveError> {
        if let Some(meant) = whole(given) {
            return Ok(meant);
        }
        let matches = |m: &&Member| given.begins(m.member_id) || m.name().is_some_and(|name| given.is_name(&name));
        let what = |m: &Member| {
            let name = m.name().map_or_else(|| "no name".into(), |name| visible(&name));
            format!("{:?}, {name}", m.status)
        };
        only(given, &self.members().await?, matches, |m| m.member_id, what)
    }

    /// State, proposer and title of a proposal; without what cannot be read.
    async fn describe_proposal(&self, proposal: &Proposal, names: &Names) -> String {
        let proposer = names.members.get(&proposal.proposer_id).cloned();
        let by = proposer.unwrap_or_else(|| proposal.proposer_id.short());
        let title = match self.actions(proposal.proposal_id).await {
            Ok(Some(actions)) => format!(": {}", title(&actions.raw, |id| names.get(id))),
            _ => String::new(),
        };
        format!("{}, by {by}{title}", proposal.proposal_state)
    }
}

fn whole<Id: Referable>(given: &Reference<Id>) -> Option<Meant<Id>> {
    given.whole().map(|id| Meant { id: *id, what: None })
}

/// The only one of `all` that matches.
fn only<T, Id: Referable>(
    given: &Reference<Id>,
    all: &[T],
    matches: impl FnMut(&&T) -> bool,
    id: impl Fn(&T) -> Id,
    what: impl Fn(&T) -> String,
) -> Result<Meant<Id>, ResolveError> {
    let found: Vec<&T> = all.iter().filter(matches).collect();
    if let [one] = found[..] {
        return Ok(Meant { id: id(one), what: Some(what(one)) });
    }
    let none = found.is_empty();
    let candidates = if none { all.iter().collect() } else { found };
    let listed = candidates.into_iter().map(|t| format!("{}  {}", id(t), what(t))).collect();
    Err(failed(given, none, listed))
}

fn failed<Id: Referable>(given: &Reference<Id>, none: bool, listed: Vec<String>) -> ResolveError {
    let (noun, given) = (Id::NOUN, given.to_string());
    match none {
        true => ResolveError::Nothing { noun, given, listed },
        false => ResolveError::Several { noun, given, listed },
    }
}

fn list(before: &str, lines: &[impl Display]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut text = format!("{before}:");
    lines.iter().take(LISTED).for_each(|line| text += &format!("\n  {line}"));
    if lines.len() > LISTED {
        text += &format!("\n  and {} more", lines.len() - LISTED);
    }
    text
}
