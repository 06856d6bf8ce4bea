//! The ballot that a review would have a member sign, ready as a command.

use serde::Serialize;

use super::checks::against;
use super::{Parts, Votes};
use crate::check::{Checks, Conclusion};
use crate::id::ProposalId;
use crate::proposal::Proposal;
use crate::proposal::ballot::{self, Ballot, BallotKind, Guard, Watched};

/// What the commands are made of. Everything is written for a shell.
#[derive(Clone, Debug, Default)]
pub struct Commands {
    /// The file that was reviewed, if it was one that can be read again.
    pub file: Option<String>,
    /// Where the ballot is written, if it is.
    pub ballot: Option<String>,
    /// Options that every command needs to reach the service and to sign, each with a blank before it.
    pub options: String,
}

/// The ballot to sign.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Advice {
    /// `guarded`, `exact` or `reject`; null if there is none to sign.
    pub kind: Option<BallotKind>,
    /// Why this one.
    pub why: String,
    /// What of the service it rests on, if it is guarded.
    pub rests_on: Vec<String>,
    /// The ballot's script; null if there is none to sign.
    pub script: Option<String>,
    /// What to type, in this order.
    pub commands: Vec<String>,
    /// What to type to vote no instead; null if that is what the ballot does, or nothing can be voted on.
    pub otherwise: Option<String>,
}

impl Advice {
    pub(super) fn of(parts: &Parts<'_>, proposal: Option<&Proposal>, checks: &Checks, votes: Option<&Votes>) -> Self {
        if let Some(yours) = votes.and_then(Votes::yours) {
            return Self::none(format!("the service holds your ballot already; today it answers: {}", yours.answer));
        }
        if let (Some(votes), Some(me)) = (votes, parts.me)
            && !votes.missing.iter().any(|one| one.member_id == me)
        {
            return Self::none(format!("member {me} is not active, so it cannot vote"));
        }
        let verdict = checks.verdict();
        if verdict == Conclusion::Fail {
            return Self::reject(parts, against(checks));
        }
        let Some((ballot, guards)) = proposal.and_then(|proposal| yes(parts, proposal)) else {
            return Self::none(
                "no ballot can hold this proposal exactly, so none votes yes on it and nothing else".into(),
            );
        };
        let kind = ballot.kind();
        let open = match verdict {
            Conclusion::Incomplete => ". Something could not be checked: settle that first",
            Conclusion::Pass | Conclusion::Fail => "",
        };
        let not_yet = if parts.id.is_none() { ". It is not submitted: ID is its id, once it is" } else { "" };
        Self {
            kind: Some(kind),
            why: format!("it {}{open}{not_yet}", kind.words()),
            rests_on: guards.iter().map(ToString::to_string).collect(),
            script: Some(ballot.script().into()),
            commands: commands(parts, kind),
            otherwise: parts.id.map(|id| reject(id, parts)),
        }
    }

    fn none(why: String) -> Self {
        Self { kind: None, why, rests_on: Vec::new(), script: None, commands: Vec::new(), otherwise: None }
    }

    fn reject(parts: &Parts<'_>, why: String) -> Self {
        let Some(id) = parts.id else { return Self::none(format!("it is not submitted, and should not be: {why}")) };
        let commands = match &parts.commands.ballot {
            Some(file) => vec![submit(&id.to_string(), file, parts)],
            None => vec![reject(id, parts)],
        };
        let script = Some(ballot::reject().script().into());
        Self { kind: Some(BallotKind::Reject), script, commands, ..Self::none(why) }
    }

    /// The ballot itself, to be written to a file.
    pub fn ballot(&self) -> Option<Ballot> {
        self.script.as_deref().map(Ballot::of_script)
    }
}

/// A ballot that votes yes on exactly this, guarded by the state that was reviewed if that can be.
fn yes(parts: &Parts<'_>, proposal: &Proposal) -> Option<(Ballot, Vec<Guard>)> {
    let guards = parts.state.and_then(|state| state.seen()?.guards(Watched::by(proposal)).ok()).unwrap_or_default();
    match ballot::guarded(proposal, &guards) {
        Ok(ballot) => Some((ballot, guards)),
        Err(_) => Some((ballot::exact(proposal).ok()?, Vec::new())),
    }
}

fn commands(parts: &Parts<'_>, kind: BallotKind) -> Vec<String> {
    let Commands { file, ballot, options } = &parts.commands;
    let id = parts.id.map_or_else(|| "ID".to_owned(), |id| id.to_string());
    match (ballot, file, parts.id) {
        (Some(ballot), _, _) => vec![submit(&id, ballot, parts)],
        (None, Some(file), None) => vec![format!("ccf-gov ballot submit ID --{kind} {file}{options}")],
        (None, None, None) => Vec::new(),
        (None, file, Some(known)) => {
            let (proposal, ballot) = (file.clone().unwrap_or(id.clone()), format!("ballot-{}.json", known.short()));
            let new = format!("ccf-gov ballot new {kind} --proposal {proposal} -o {ballot}{options}");
            vec![new, submit(&id, &ballot, parts)]
        }
    }
}

fn submit(id: &str, ballot: &str, parts: &Parts<'_>) -> String {
    format!("ccf-gov ballot submit {id} --ballot {ballot}{}", parts.commands.options)
}

fn reject(id: ProposalId, parts: &Parts<'_>) -> String {
    format!("ccf-gov ballot submit {id} --reject{}", parts.commands.options)
}
