//! Simulations for a person and for a program.

use serde::Serialize;
use time::OffsetDateTime;

use ccf_gov::review::simulate::{ConstitutionChange, Outcome, Simulated, Told, effect_in_words, who};
use ccf_gov::review::state::State;
use ccf_gov::text::{visible, visible_lines};

/// What is printed as JSON: of one proposal its fields, of several a list.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Shown {
    One(Box<Told>),
    Several { simulations: Vec<Told> },
}

impl Shown {
    pub fn of(state: &State, each: &[Simulated]) -> Self {
        match each {
            [one] => Self::One(Box::new(Told::of(state, one))),
            several => Self::Several { simulations: several.iter().map(|one| Told::of(state, one)).collect() },
        }
    }
}

/// The report for a person; of each changed text at most `limit` lines.
pub fn human(state: &State, each: &[Simulated], limit: usize) -> String {
    let mut text = format!("On the state of the service, {}.\n", state.age(OffsetDateTime::now_utc()));
    for one in each {
        let simulation = &one.simulation;
        text += &format!("\n{}\n", visible(&one.source));
        text += &format!("  proposed by {}\n", who(simulation.proposer, &one.before));
        text += &format!("  {}\n", one.ends());
        if let (_, Some(trace)) = one.failure() {
            text += &indented(&visible_lines(&trace), "      ");
        }
        for run in &simulation.ballots {
            text += &format!("  ballot of {}: {}\n", who(run.member, &one.before), visible(&run.answer.describe()));
        }
        if let Some(passes) = one.passes() {
            text += &format!("  {passes}\n");
        }
        let lines = one.words(limit);
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

fn indented(text: &str, indent: &str) -> String {
    text.lines().map(|line| format!("{indent}{line}\n")).collect()
}
