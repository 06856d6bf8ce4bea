//! A proposal for a member who is about to vote: what it says, what it would do, who voted, and the ballot to sign.
//!
//! [`Review`] is made of [`Parts`] without a clock or a network, and is what the terminal ([`Review::lines`]), the page
//! ([`Review::to_html`]) and programs (JSON) show alike.

mod advice;
mod checks;
mod html;
mod since;
#[cfg(test)]
mod tests;
mod text;
mod votes;

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::rules::{self, Registered};
use super::simulate::{SimulateError, Simulated, Told, Trial, Validity, name_of};
use super::state::State;
use crate::ccf_version::CcfVersion;
use crate::check::{Checks, Conclusion};
use crate::digest::{Sha256Digest, sha256};
use crate::id::{MemberId, ProposalId};
use crate::json;
use crate::kv::Tables;
use crate::proposal::catalogue::Catalogue;
use crate::proposal::{Note, Proposal, annotated, title};

pub use advice::{Advice, Commands};
pub use since::Since;
pub use votes::{Cast, Votes};

/// What is reviewed, and what is known beside it.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    /// What a person calls it: a file's name, or `proposal ID`.
    pub source: String,
    /// What is proposed: the text as it was signed, or would be.
    pub text: &'a str,
    /// Under which id it is open in `state`.
    pub id: Option<ProposalId>,
    /// Who would propose what is not submitted; the first active member of `state` otherwise.
    pub proposer: Option<MemberId>,
    /// What a service says of each action ([`notes`](super::notes())).
    pub notes: Vec<Note>,
    /// What evidence says of it, if some was given.
    pub evidence: Option<rules::Verified>,
    /// The service's state; without it, nothing is simulated.
    pub state: Option<&'a State>,
    /// An older state of the same service, to say what changed since.
    pub since: Option<&'a State>,
    /// Who is about to vote.
    pub me: Option<MemberId>,
    /// The actions that are known.
    pub catalogue: &'a Catalogue,
    /// The service's version, if that is known.
    pub version: Option<CcfVersion>,
    /// The moment of the review.
    pub now: OffsetDateTime,
    /// What the commands are made of.
    pub commands: Commands,
}

/// A review. Everything in it that came from the service or from a file is foreign text.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Review {
    /// What was reviewed: a file's name, or the proposal at the service.
    pub proposal: String,
    /// Its id at the service; null if it is not submitted.
    pub proposal_id: Option<ProposalId>,
    /// What it would do, in a line.
    pub title: String,
    /// Who proposed it; null if it is not submitted.
    pub proposer: Option<Person>,
    /// When the review was made, RFC 3339.
    pub reviewed_at: String,
    /// The state that it rests on; null if there was none.
    pub state: Option<RestsOn>,
    /// Whether something speaks against it.
    pub verdict: Conclusion,
    /// What the verdict rests on.
    pub checks: Checks,
    /// What each action would do, in words: lines.
    pub actions: Vec<String>,
    /// Its length in bytes.
    pub bytes: usize,
    /// The SHA-256 of its text.
    pub sha256: Sha256Digest,
    /// All of it: JSON, or the text if it is none.
    pub content: Value,
    /// What `proposal lint` finds.
    pub lint: Checks,
    /// What `verify proposal` finds; null without evidence.
    pub evidence: Option<Backing>,
    /// What would become of it, as `simulate` tells it; null without a state.
    pub simulation: Option<Told>,
    /// Who voted, and who has not; null if it is not submitted.
    pub votes: Option<Votes>,
    /// What changed since it was proposed, as far as that can be known.
    pub since: Since,
    /// The ballot to sign.
    pub ballot: Advice,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Person {
    /// The member's id.
    pub member_id: MemberId,
    /// The name in the certificate.
    pub name: Option<String>,
    /// Whether it is who is about to vote.
    pub you: bool,
}

/// The state that a review rests on.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct RestsOn {
    /// When it was read, RFC 3339.
    pub read_at: String,
    /// The newest transaction that it shows.
    pub transaction_id: Option<String>,
    /// False if an election could still undo what it shows.
    pub committed: bool,
    /// The SHA-256 of the service's certificate: which service it is.
    pub service: Option<Sha256Digest>,
    /// How old it was when the review was made, in words.
    pub age: String,
}

/// What evidence says.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Backing {
    /// Whether every value is backed, and nothing else is done.
    pub verdict: Conclusion,
    /// What was checked.
    pub checks: Checks,
    /// Every value that the proposal registers or removes.
    pub values: Vec<Registered>,
}

/// What was tried on a state.
struct Tried {
    simulated: Simulated,
    /// What `validate` says of an open proposal today.
    valid_today: Option<Validity>,
}

impl Review {
    /// Makes a review.
    ///
    /// # Errors
    /// The state has no rules to judge by, nobody who could propose, or no such open proposal.
    pub fn of(parts: Parts<'_>) -> Result<Self, SimulateError> {
        let content = json::parse(parts.text.as_bytes()).unwrap_or_else(|_| Value::from(parts.text));
        let proposal = Proposal::parse(parts.text.as_bytes()).ok();
        let lint = rules::lint(parts.text.as_bytes(), parts.catalogue, parts.version, parts.now);
        let tried = parts.state.map(|state| tried(&parts, state)).transpose()?;
        let votes = tried.as_ref().zip(parts.id).map(|(tried, _)| Votes::of(&tried.simulated, parts.me));
        let since = Since::of(&parts, tried.as_ref().map(|tried| &tried.simulated), votes.as_ref());
        let checks = checks::checks(&checks::Found {
            parts: &parts,
            content: &content,
            proposal: proposal.as_ref(),
            lint: &lint,
            tried: tried.as_ref(),
            since: &since,
        });
        let verdict = checks.verdict();
        let ballot = Advice::of(&parts, proposal.as_ref(), &checks, votes.as_ref());
        let tables = parts.state.map(|state| &state.tables);
        let name = |id: &str| tables.and_then(|tables| name_of(id, tables));
        let proposer = tried.as_ref().map(|tried| tried.simulated.simulation.proposer).filter(|_| parts.id.is_some());
        Ok(Self {
            title: title(&content, name),
            proposer: proposer.zip(tables).map(|(id, tables)| Person::of(id, tables, parts.me)),
            reviewed_at: parts.now.format(&Rfc3339).unwrap_or_default(),
            state: parts.state.map(|state| RestsOn::of(state, parts.now)),
            verdict,
            checks,
            actions: annotated(&content, &parts.notes, parts.catalogue).lines().map(str::to_owned).collect(),
            bytes: parts.text.len(),
            sha256: Sha256Digest::from_bytes(sha256(parts.text.as_bytes())),
            content,
            lint,
            simulation: parts.state.zip(tried).map(|(state, tried)| Told::of(state, &tried.simulated)),
            evidence: parts.evidence.map(|rules::Verified { checks, values }| Backing {
                verdict: checks.verdict(),
                checks,
                values,
            }),
            votes,
            since,
            ballot,
            proposal: parts.source,
            proposal_id: parts.id,
        })
    }
}

fn tried(parts: &Parts<'_>, state: &State) -> Result<Tried, SimulateError> {
    let mut simulator = state.simulator();
    let Some(id) = parts.id else {
        let proposer = parts.proposer.or_else(|| simulator.active_members().first().copied());
        let trial = Trial::new(parts.text, proposer.ok_or(SimulateError::NobodyActive)?);
        let simulated = Simulated::run(&mut simulator, parts.source.clone(), &trial)?;
        return Ok(Tried { simulated, valid_today: None });
    };
    let trial = simulator.open_proposal(id)?;
    // A service validates a proposal when it is created, and never again.
    let today = state.simulator().run(&Trial::new(parts.text, trial.proposer()))?;
    let simulated = Simulated::run(&mut simulator, parts.source.clone(), &trial)?;
    Ok(Tried { simulated, valid_today: Some(today.validity) })
}

impl Person {
    fn of(member_id: MemberId, tables: &Tables, me: Option<MemberId>) -> Self {
        Self { member_id, name: name_of(&member_id.to_string(), tables), you: me == Some(member_id) }
    }

    /// The name with the first digits of the id, or the whole id.
    pub fn who(&self) -> String {
        let you = if self.you { ", you" } else { "" };
        match &self.name {
            Some(name) => format!("{name} ({}{you})", self.member_id.short()),
            None if self.you => format!("{} (you)", self.member_id),
            None => self.member_id.to_string(),
        }
    }
}

impl RestsOn {
    fn of(state: &State, now: OffsetDateTime) -> Self {
        Self {
            read_at: state.read_at.format(&Rfc3339).unwrap_or_default(),
            transaction_id: state.transaction.map(|id| id.to_string()),
            committed: state.committed,
            service: state.identity(),
            age: state.age(now),
        }
    }
}
