//! What another constitution would change: its actions, and whether the rules could still be changed.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Value, json};

use super::{Outcome, SimulateError, Simulation, Simulator, Trial};
use crate::kv::table;

/// So many members are tried as proposers of the next constitution.
const MOST_PROPOSERS: usize = 50;

/// Two constitutions beside each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConstitutionChange {
    /// Whether both declare their actions so that they can be compared; otherwise the three lists are empty.
    pub compared: bool,
    /// Actions that only the new one has.
    pub appear: Vec<String>,
    /// Actions that only the old one has.
    pub disappear: Vec<String>,
    /// Actions that both have, with another text: other checks, or another effect.
    pub change: Vec<String>,
    /// Whether there are votes that pass another `set_constitution` under the new one.
    pub again: Again,
}

/// Whether a constitution could be changed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Again {
    /// Some votes pass another `set_constitution`.
    Yes,
    /// None do, of those that were tried: the consortium would be locked out. Why not.
    No(String),
    /// The engine lacks something that the rules need. What.
    Unknown(String),
}

impl ConstitutionChange {
    /// Compares the actions of two sources, as far as they are declared as in CCF's constitutions or in ours.
    fn between(old: &str, new: &str, again: Again) -> Self {
        let (old, new) = (actions(old), actions(new));
        if old.is_empty() || new.is_empty() {
            let none = Vec::new;
            return Self { compared: false, appear: none(), disappear: none(), change: none(), again };
        }
        let only = |a: &BTreeMap<String, String>, b: &BTreeMap<String, String>| {
            a.keys().filter(|name| !b.contains_key(*name)).cloned().collect::<Vec<_>>()
        };
        let change = old.iter().filter(|(name, text)| new.get(*name).is_some_and(|other| other != *text));
        let change = change.map(|(name, _)| name.clone()).collect();
        Self { compared: true, appear: only(&new, &old), disappear: only(&old, &new), change, again }
    }

    /// What `simulation` changes in the rules, if it does; `after` is the simulator after it.
    ///
    /// # Errors
    /// The new rules cannot be run at all.
    pub fn of(simulation: &Simulation, after: &Simulator) -> Option<Result<Self, SimulateError>> {
        let change = simulation.changes.iter().find(|change| change.table == table::CONSTITUTION)?;
        let (old, new) = (source(&change.before), source(&change.after));
        Some(again(after, &[&old, &new]).map(|again| Self::between(&old, &new, again)))
    }

    /// In lines for a person.
    pub fn lines(&self) -> Vec<String> {
        let list = |what: &str, names: &[String]| match names {
            [] => None,
            names => Some(format!("{what}: {}", names.join(", "))),
        };
        let not_compared =
            "one of the two does not declare its actions as CCF's constitutions do, so they are not compared";
        let fate = match &self.again {
            Again::Yes => {
                "the new constitution can be changed again: there are votes that pass another set_constitution".into()
            }
            Again::No(why) => format!(
                "LOCKED OUT: under the new constitution no votes that were tried pass another set_constitution, so nobody could change it again: {why}"
            ),
            Again::Unknown(what) => format!("whether the new constitution could be changed again is not known: {what}"),
        };
        let lines = [
            (!self.compared).then(|| not_compared.to_owned()),
            list("actions that appear", &self.appear),
            list("actions that disappear", &self.disappear),
            list("actions whose text changes", &self.change),
            Some(fate),
        ];
        lines.into_iter().flatten().collect()
    }
}

/// Whether one of the members could propose to set one of `sources`, and some votes pass it.
///
/// # Errors
/// There are no rules to judge by.
pub fn again(simulator: &Simulator, sources: &[&str]) -> Result<Again, SimulateError> {
    let mut why = Again::No("there is no active member".into());
    for source in sources {
        let text = json!({"actions": [{"name": "set_constitution", "args": {"constitution": source}}]}).to_string();
        for proposer in simulator.active_members().into_iter().take(MOST_PROPOSERS) {
            let simulation = simulator.clone().run(&Trial::new(&text, proposer))?;
            match simulation.obstacle() {
                None => return Ok(Again::Yes),
                Some(what) if simulation.outcome == Outcome::Unknown => why = Again::Unknown(what),
                Some(what) if !matches!(why, Again::Unknown(_)) => why = Again::No(what),
                Some(_) => {}
            }
        }
    }
    Ok(why)
}

fn source(value: &Option<Vec<u8>>) -> String {
    let value: Option<Value> = value.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok());
    value.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Each action with its text, as CCF's constitutions declare them, `["name", new Action(…)]`, and as ours does, by a call
/// that begins a line: `action("name", …)`.
fn actions(source: &str) -> BTreeMap<String, String> {
    const DECLARATION: &str =
        r#"(?m)(?:\[\s*["'](\w{1,100})["']\s*,\s*new\s+Action\b|^\w+\(\s*["'](\w{1,100})["']\s*,)"#;
    let Ok(pattern) = Regex::new(DECLARATION) else { return BTreeMap::new() };
    let found: Vec<(usize, &str)> = pattern
        .captures_iter(source)
        .filter_map(|found| Some((found.get(0)?.start(), found.get(1).or(found.get(2))?.as_str())))
        .collect();
    let ends = found.iter().skip(1).map(|(at, _)| *at).chain([source.len()]);
    let each = found.iter().zip(ends).map(|((at, name), end)| ((*name).to_owned(), declaration(&source[*at..end])));
    each.collect()
}

/// The text of one action: up to the first line that begins with something new.
fn declaration(text: &str) -> String {
    let ends = |(at, _): &(usize, char)| {
        let next = text[at + 1..].chars().next();
        next.is_some_and(|next| !next.is_whitespace() && !matches!(next, ')' | '}'))
    };
    let end = text.char_indices().filter(|(_, letter)| *letter == '\n').find(ends).map_or(text.len(), |(at, _)| at);
    text[..end].trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constitution::DEFAULT;
    use crate::proposal::catalogue::Catalogue;

    #[test]
    fn every_action_of_our_constitution_is_found() {
        let found = actions(DEFAULT);
        let lacks = |name: &&str| !found.contains_key(*name) && DEFAULT.contains(&format!("\"{name}\""));
        let templates = Catalogue::builtin().templates().map(|template| template.name.as_str());
        assert_eq!(templates.filter(lacks).collect::<Vec<_>>(), [""; 0]);
        assert!(found.len() > 40 && found.values().all(|text| text.lines().count() < 60));
    }
}
