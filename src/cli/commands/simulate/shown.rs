//! A simulation for a person and for a program.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use ccf_gov::id::{MemberId, ProposalId};
use ccf_gov::kv::Tables;
use ccf_gov::review::simulate::{
    Again, ConstitutionChange, Outcome, Passing, Simulation, Validity, changes_in_words, effect_in_words, name_of,
    shown_key, shown_value,
};
use ccf_gov::review::state::State;
use ccf_gov::text::{visible, visible_lines};

/// One proposal that was tried.
pub struct Simulated {
    pub source: String,
    pub simulation: Simulation,
    pub rules: Option<ConstitutionChange>,
    pub before: Tables,
    pub after: Tables,
}

/// What is printed as JSON: of one proposal its fields, of several a list.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Shown {
    One(Box<One>),
    Several { simulations: Vec<One> },
}

/// A proposal that was tried.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct One {
    proposal: String,
    /// Made up for one that is not submitted.
    proposal_id: ProposalId,
    proposer_id: MemberId,
    valid: bool,
    /// Why it is not valid, or why resolve or apply failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Where a script failed: its calls, with file and line.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    /// Every smallest set of members whose yes passes it, beside the votes that are given; absent where there are too many members.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_with: Option<Vec<Vec<MemberId>>>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    passes: Option<String>,
    /// When every active member votes yes who has not voted: Accepted, Open, Rejected, or Failed if resolve or apply throws.
    state: Option<&'static str>,
    changes: Vec<ShownChange>,
    in_words: Vec<String>,
    effects: Vec<String>,
    drops: Vec<ProposalId>,
    ballots: Vec<ShownBallot>,
    /// What another constitution changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<ShownRules>,
    /// What the outcome rests on and is not known.
    uncertain: Vec<ShownUncertain>,
    /// When the state was read that it was tried on.
    state_read_at: String,
    state_transaction_id: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ShownChange {
    table: String,
    /// Empty for a table that holds one value.
    key: String,
    before: Option<Value>,
    after: Option<Value>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ShownBallot {
    member_id: MemberId,
    /// null if it gives no vote.
    vote: Option<bool>,
    answer: String,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ShownRules {
    /// Whether the actions could be compared.
    compared: bool,
    appear: Vec<String>,
    disappear: Vec<String>,
    change: Vec<String>,
    /// null if that is not known.
    can_change_again: Option<bool>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ShownUncertain {
    what: String,
    why: String,
}

impl Shown {
    pub fn of(state: &State, each: &[Simulated]) -> Self {
        match each {
            [one] => Self::One(Box::new(One::of(state, one))),
            several => Self::Several { simulations: several.iter().map(|one| One::of(state, one)).collect() },
        }
    }
}

impl One {
    fn of(state: &State, one: &Simulated) -> Self {
        let simulation = &one.simulation;
        let value = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(shown_value);
        let (reason, trace) = failure(simulation);
        Self {
            proposal: one.source.clone(),
            proposal_id: simulation.id,
            proposer_id: simulation.proposer,
            valid: simulation.validity == Validity::Valid,
            reason,
            trace,
            accepted_with: simulation.passing.as_ref().and_then(|passing| passing.accepted_with.clone()),
            passes: simulation.passing.as_ref().map(|passing| passes(passing, &one.before)),
            state: simulation.outcome.name(),
            changes: simulation
                .changes
                .iter()
                .map(|change| ShownChange {
                    table: change.table.clone(),
                    key: shown_key(&change.key),
                    before: value(&change.before),
                    after: value(&change.after),
                })
                .collect(),
            in_words: words(one, usize::MAX),
            effects: simulation.effects.iter().map(effect_in_words).collect(),
            drops: simulation.drops.clone(),
            ballots: simulation
                .ballots
                .iter()
                .map(|run| ShownBallot {
                    member_id: run.member,
                    vote: run.answer.vote(),
                    answer: run.answer.describe(),
                })
                .collect(),
            rules: one.rules.as_ref().map(|rules| ShownRules {
                compared: rules.compared,
                appear: rules.appear.clone(),
                disappear: rules.disappear.clone(),
                change: rules.change.clone(),
                can_change_again: match rules.again {
                    Again::Yes => Some(true),
                    Again::No(_) => Some(false),
                    Again::Unknown(_) => None,
                },
            }),
            uncertain: simulation
                .uncertain
                .iter()
                .map(|one| ShownUncertain { what: one.what.clone(), why: one.why.clone() })
                .collect(),
            state_read_at: state.read_at.format(&Rfc3339).unwrap_or_default(),
            state_transaction_id: state.transaction.map(|id| id.to_string()),
        }
    }
}

fn words(one: &Simulated, limit: usize) -> Vec<String> {
    let names = if one.simulation.changes.is_empty() { &one.before } else { &one.after };
    changes_in_words(&one.simulation.changes, names, limit)
}

fn failure(simulation: &Simulation) -> (Option<String>, Option<String>) {
    match (&simulation.failure, &simulation.validity) {
        (Some(failure), _) | (None, Validity::Threw(failure)) => (Some(failure.reason.clone()), failure.trace.clone()),
        (None, validity) => (validity.reason().map(str::to_owned), None),
    }
}

/// The report for a person; of each changed text at most `limit` lines.
pub fn human(state: &State, each: &[Simulated], limit: usize) -> String {
    let mut text = format!("On the state of the service, {}.\n", state.age(OffsetDateTime::now_utc()));
    for one in each {
        let simulation = &one.simulation;
        text += &format!("\n{}\n", visible(&one.source));
        text += &format!("  proposed by {}\n", who(simulation.proposer, &one.before));
        text += &format!("  {}\n", verdict(simulation));
        if let (_, Some(trace)) = failure(simulation) {
            text += &indented(&visible_lines(&trace), "      ");
        }
        for run in &simulation.ballots {
            text += &format!("  ballot of {}: {}\n", who(run.member, &one.before), visible(&run.answer.describe()));
        }
        if let Some(passing) = &simulation.passing {
            text += &format!("  {}\n", passes(passing, &one.before));
        }
        let lines = words(one, limit);
        if !lines.is_empty() {
            text += "  What changes:\n";
            lines.iter().for_each(|line| text += &format!("    {line}\n"));
        } else if simulation.outcome == Outcome::Accepted {
            text += "  Nothing changes in the tables.\n";
        }
        simulation.effects.iter().for_each(|effect| text += &format!("  Also: {}\n", effect_in_words(effect)));
        simulation.drops.iter().for_each(|id| text += &format!("  Drops the open proposal {id}\n"));
        for line in one.rules.iter().flat_map(ConstitutionChange::lines) {
            text += &format!("  Rules: {}\n", visible(&line));
        }
        for one in &simulation.uncertain {
            text += &format!("  Uncertain: {}: {}\n", visible(&one.what), visible(&one.why));
        }
    }
    text
}

fn verdict(simulation: &Simulation) -> String {
    let (reason, _) = failure(simulation);
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

/// When it passes, in a sentence.
fn passes(passing: &Passing, tables: &Tables) -> String {
    use ccf_gov::constitution::Resolution;
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

fn who(id: MemberId, tables: &Tables) -> String {
    match name_of(&id.to_string(), tables) {
        Some(name) => format!("{name} ({})", &id.to_string()[..8]),
        None => id.to_string(),
    }
}

fn indented(text: &str, indent: &str) -> String {
    text.lines().map(|line| format!("{indent}{line}\n")).collect()
}
