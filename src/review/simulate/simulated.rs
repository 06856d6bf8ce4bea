//! A proposal that was tried, and what is said of it.

use super::{
    ConstitutionChange, Outcome, Passing, SimulateError, Simulation, Simulator, Trial, Validity, changes_in_words,
    name_of,
};
use crate::constitution::Resolution;
use crate::id::MemberId;
use crate::kv::Tables;
use crate::text::visible;

/// A proposal that was tried, with the tables on which and those that it left.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// The file, or the proposal at the service.
    pub source: String,
    /// What was found.
    pub simulation: Simulation,
    /// What another constitution changes, if it sets one.
    pub rules: Option<ConstitutionChange>,
    /// The tables before.
    pub before: Tables,
    /// The tables after.
    pub after: Tables,
}

impl Simulated {
    /// Runs `trial`, and tries another constitution if it sets one.
    ///
    /// # Errors
    /// There are no rules to judge by.
    pub fn run(simulator: &mut Simulator, source: String, trial: &Trial) -> Result<Self, SimulateError> {
        let before = simulator.tables().clone();
        let simulation = simulator.run(trial)?;
        let rules = ConstitutionChange::of(&simulation, simulator).transpose()?;
        Ok(Self { source, simulation, rules, before, after: simulator.tables().clone() })
    }

    /// What changes in the tables, in words; at most `limit` lines of each changed text.
    pub fn words(&self, limit: usize) -> Vec<String> {
        let names = if self.simulation.changes.is_empty() { &self.before } else { &self.after };
        changes_in_words(&self.simulation.changes, names, limit)
    }

    /// Why it is not valid or fails, and where.
    pub fn failure(&self) -> (Option<String>, Option<String>) {
        let simulation = &self.simulation;
        match (&simulation.failure, &simulation.validity) {
            (Some(failure), _) | (None, Validity::Threw(failure)) => {
                (Some(failure.reason.clone()), failure.trace.clone())
            }
            (None, validity) => (validity.reason().map(str::to_owned), None),
        }
    }

    /// How it ends, in a sentence.
    pub fn ends(&self) -> String {
        let simulation = &self.simulation;
        let (reason, _) = self.failure();
        let reason = reason.map(|reason| visible(&reason)).unwrap_or_default();
        match (simulation.outcome, &simulation.validity) {
            (Outcome::NotValid, Validity::Threw(_)) => format!("NOT VALID: validate itself fails: {reason}"),
            (Outcome::NotValid, _) => format!("NOT VALID: {reason}"),
            (Outcome::Unknown, _) => format!("NOT JUDGED: {reason}"),
            (Outcome::Failed, _) => {
                format!("FAILS: the service refuses the request that would decide it, and nothing changes: {reason}")
            }
            (Outcome::Accepted, _) => "valid; it is accepted if those who have not voted vote yes".into(),
            (Outcome::Rejected, _) => "valid; it is REJECTED, even if all who have not voted vote yes".into(),
            (Outcome::Open, _) => "valid; it stays OPEN, even if all who have not voted vote yes".into(),
        }
    }

    /// When it passes, in a sentence; `None` if it is not valid, or `resolve` failed.
    pub fn passes(&self) -> Option<String> {
        self.simulation.passing.as_ref().map(|passing| passes(passing, &self.before))
    }
}

/// When it passes, in a sentence.
fn passes(passing: &Passing, tables: &Tables) -> String {
    match passing.now {
        Resolution::Accepted => return "it passes with the votes that are given".into(),
        Resolution::Rejected => return "the votes that are given reject it".into(),
        Resolution::Open => {}
    }
    let of = passing.voters;
    let Some(fewest) = passing.fewest else {
        return format!("it cannot pass by the votes of the {of} active members who have not voted");
    };
    let vote = |count: usize| if count == 1 { "votes" } else { "vote" };
    if passing.most == Some(fewest) {
        return match fewest {
            1 if of == 1 => "it passes when the one member votes yes who has not voted".into(),
            _ if fewest == of && passing.given == 0 => format!("it passes when all {of} members vote yes"),
            _ if fewest == of => format!("it passes when all {of} members vote yes who have not voted"),
            count if passing.given == 0 => {
                format!("it passes when {count} of {of} members {} yes: any {count}", vote(count))
            }
            count => format!(
                "it passes when {count} of the {of} members who have not voted {} yes: any {count}",
                vote(count)
            ),
        };
    }
    if let Some(sets) = &passing.accepted_with {
        let set = |set: &Vec<MemberId>| set.iter().map(|id| who(*id, tables)).collect::<Vec<_>>().join(" and ");
        return format!("it passes when these vote yes: {}", sets.iter().map(set).collect::<Vec<_>>().join("; or "));
    }
    let mut parts = vec![format!("it passes with {fewest} yes votes at the fewest")];
    for group in &passing.groups {
        let size = group.members.len();
        let alone =
            group.alone.map_or("alone never enough".into(), |count| format!("{count} of them alone are enough"));
        let rest = group.with_all_others.map_or("not enough even if all others vote yes".into(), |count| {
            format!("{count} of them are needed if all others vote yes")
        });
        parts.push(format!(
            "of {size} members like {}: {alone}, {rest}",
            group.members.first().map_or_else(String::new, |id| who(*id, tables))
        ));
    }
    parts.join("; ")
}

/// A member by name and first digits, or by its whole id.
pub fn who(id: MemberId, tables: &Tables) -> String {
    match name_of(&id.to_string(), tables) {
        Some(name) => format!("{name} ({})", &id.to_string()[..8]),
        None => id.to_string(),
    }
}
