//! Who voted on an open proposal, what their ballots answer now, and who has not voted.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Person;
use crate::constitution::decide::ProposalInfo;
use crate::id::MemberId;
use crate::kv::row::rows;
use crate::kv::table;
use crate::proposal::ballot::{self, BallotKind};
use crate::review::simulate::Simulated;

/// The votes on an open proposal.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Votes {
    /// The ballots that were cast.
    pub cast: Vec<Cast>,
    /// The active members who have not voted.
    pub missing: Vec<Person>,
}

/// A ballot that was cast.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Cast {
    /// Whose it is.
    pub member: Person,
    /// Whether the member is active.
    pub active: bool,
    /// What the ballot does, as its text tells.
    pub kind: BallotKind,
    /// What it answers today; null if it gives no vote.
    pub vote: Option<bool>,
    /// The same in words.
    pub answer: String,
}

impl Votes {
    pub(super) fn of(simulated: &Simulated, me: Option<MemberId>) -> Self {
        let tables = &simulated.before;
        let person = |id: MemberId| Person::of(id, tables, me);
        let status: BTreeMap<MemberId, bool> = rows(tables, table::MEMBER_INFO)
            .filter_map(|(id, row)| Some((id.parse().ok()?, row["status"] == "Active")))
            .collect();
        let info = ProposalInfo::read(tables, &simulated.simulation.id.to_string());
        let scripts = info.map(|info| info.ballots).unwrap_or_default();
        let cast = |run: &crate::review::simulate::BallotRun| Cast {
            member: person(run.member),
            active: status.get(&run.member).copied().unwrap_or(false),
            kind: scripts.get(&run.member.to_string()).map_or(BallotKind::Other, |script| ballot::kind(script)),
            vote: run.answer.vote(),
            answer: run.answer.describe(),
        };
        let cast: Vec<Cast> = simulated.simulation.ballots.iter().map(cast).collect();
        let voted = |id: &MemberId| cast.iter().any(|one| one.member.member_id == *id);
        let missing = status.iter().filter(|(id, active)| **active && !voted(id)).map(|(id, _)| person(*id)).collect();
        Self { cast, missing }
    }

    /// The ballot of who is about to vote, if there is one already.
    pub fn yours(&self) -> Option<&Cast> {
        self.cast.iter().find(|one| one.member.you)
    }

    /// Everything in lines.
    pub fn lines(&self) -> Vec<String> {
        let cast = |one: &Cast| {
            let active = if one.active { "" } else { ", not active" };
            format!("{}{active}: {} ({} ballot)", one.member.who(), one.answer, one.kind)
        };
        let missing = |one: &Person| format!("{}: not yet", one.who());
        self.cast.iter().map(cast).chain(self.missing.iter().map(missing)).collect()
    }
}
