//! What another constitution would change: its actions, and whether the rules could still be changed.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::{Value, json};

use super::{SimulateError, Simulation, Simulator, Trial};
use crate::kv::table;

/// Two constitutions beside each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConstitutionChange {
    /// Actions that only the new one has.
    pub appear: Vec<String>,
    /// Actions that only the old one has.
    pub disappear: Vec<String>,
    /// Actions that both have, with another text: other checks, or another effect.
    pub change: Vec<String>,
    /// Whether there are votes that pass another `set_constitution` under the new rules. `false` locks the consortium out.
    pub can_change_again: bool,
}

impl ConstitutionChange {
    /// Compares the actions of two sources, as far as they are declared as in CCF's constitutions: `["name", new Action(…)]`.
    pub fn between(old: &str, new: &str) -> Self {
        let (old, new) = (actions(old), actions(new));
        let only = |a: &BTreeMap<String, String>, b: &BTreeMap<String, String>| {
            a.keys().filter(|name| !b.contains_key(*name)).cloned().collect::<Vec<_>>()
        };
        let change = old.iter().filter(|(name, text)| new.get(*name).is_some_and(|other| other != *text));
        let change = change.map(|(name, _)| name.clone()).collect();
        Self { appear: only(&new, &old), disappear: only(&old, &new), change, can_change_again: true }
    }

    /// What `simulation` changes in the rules, if it does; `after` is the simulator after it.
    ///
    /// # Errors
    /// The new rules cannot be run at all.
    pub fn of(simulation: &Simulation, after: &Simulator) -> Option<Result<Self, SimulateError>> {
        let change = simulation.changes.iter().find(|change| change.table == table::CONSTITUTION)?;
        let (old, new) = (source(&change.before), source(&change.after));
        let again = can_change(after, &[&old, &new]);
        Some(again.map(|can_change_again| Self { can_change_again, ..Self::between(&old, &new) }))
    }

    /// In lines for a person.
    pub fn lines(&self) -> Vec<String> {
        let list = |what: &str, names: &[String]| match names {
            [] => None,
            names => Some(format!("{what}: {}", names.join(", "))),
        };
        let fate = match self.can_change_again {
            true => "the new rules can be changed again: there are votes that pass another set_constitution",
            false => {
                "LOCKED OUT: under the new rules no votes pass another set_constitution, so they could never be changed"
            }
        };
        let lines = [
            list("actions that appear", &self.appear),
            list("actions that disappear", &self.disappear),
            list("actions whose text changes", &self.change),
            Some(fate.to_owned()),
        ];
        lines.into_iter().flatten().collect()
    }
}

/// Whether any member could propose to set one of `sources` again, and any votes pass it.
fn can_change(after: &Simulator, sources: &[&str]) -> Result<bool, SimulateError> {
    for source in sources {
        let text = json!({"actions": [{"name": "set_constitution", "args": {"constitution": source}}]}).to_string();
        for proposer in after.active_members().into_iter().take(8) {
            if after.can_pass(&Trial::new(&text, proposer))? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn source(value: &Option<Vec<u8>>) -> String {
    let value: Option<Value> = value.as_deref().and_then(|bytes| serde_json::from_slice(bytes).ok());
    value.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Each action with its text.
fn actions(source: &str) -> BTreeMap<String, String> {
    let Ok(pattern) = Regex::new(r#"\[\s*["']([A-Za-z_][A-Za-z0-9_]{0,99})["']\s*,\s*new\s+Action\b"#) else {
        return BTreeMap::new();
    };
    let found: Vec<_> =
        pattern.captures_iter(source).filter_map(|c| Some((c.get(0)?.start(), c[1].to_owned()))).collect();
    let ends = found.iter().skip(1).map(|(at, _)| *at).chain([source.len()]);
    let mut seen = BTreeSet::new();
    let each = found.iter().zip(ends).map(|((at, name), end)| {
        // After the last action comes the rest of the source, which is no action.
        let text = &source[*at..end];
        let text = text.find("\n]").map_or(text, |close| &text[..close]);
        (name.clone(), text.trim_end().to_owned())
    });
    each.filter(|(name, _)| seen.insert(name.clone())).collect()
}
