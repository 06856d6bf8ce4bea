//! What stands in a proposal beside the values that evidence can back.

use std::collections::HashMap;

use serde_json::Value;

use super::evidence::registers;
use super::{Finding, Subject};
use crate::check::Verdict::{Incomplete, Warn};
use crate::proposal::catalogue::Template;
use crate::text::visible;

/// Actions that no evidence can back, each once, with what they do: the answer is no yes unless the caller names them.
pub(super) fn other_actions(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let found = actions(subject).into_iter().filter_map(|other| {
        let template = other.template.filter(|_| !other.is_named(subject))?;
        Some((Incomplete, format!("{}: {REVIEW}. {}", other.shown(), does(template))))
    });
    Some(found.collect())
}

/// Actions that nobody knows: they could register anything, or be a registration whose name is misspelt.
pub(super) fn unknown_actions(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let unknown = actions(subject).into_iter().filter(|other| other.template.is_none() && !other.is_named(subject));
    let found = unknown
        .map(|other| (Incomplete, format!("{}: {REVIEW}. {}", other.shown(), unknown_does(subject, other.name))));
    Some(found.collect())
}

/// Actions that the caller named.
pub(super) fn named_actions(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let named = actions(subject).into_iter().filter(|other| other.is_named(subject));
    let found = named.map(|other| {
        let does = other.template.map_or_else(|| unknown_does(subject, other.name), does);
        (Warn, format!("{} was named by the caller; no evidence backs it. {does}", other.shown()))
    });
    Some(found.collect())
}

const REVIEW: &str = "no evidence can back it; review it, and name it (--also) if it is wanted";

struct Other<'a> {
    name: &'a str,
    count: usize,
    template: Option<&'a Template>,
}

impl Other<'_> {
    fn is_named(&self, subject: &Subject<'_>) -> bool {
        subject.also.is_some_and(|also| also.contains(self.name))
    }

    fn shown(&self) -> String {
        let name = if self.template.is_some() { self.name.to_owned() } else { format!("{:?}", self.name) };
        if self.count > 1 { format!("{name} ({} times)", self.count) } else { name }
    }
}

fn actions<'a>(subject: &Subject<'a>) -> Vec<Other<'a>> {
    let names = || subject.proposal.actions().iter().map(|action| action.name.as_str()).filter(|name| !registers(name));
    let mut counts: HashMap<&str, usize> = HashMap::new();
    names().for_each(|name| *counts.entry(name).or_default() += 1);
    let once = names().filter_map(|name| counts.remove_entry(name));
    once.map(|(name, count)| Other { name, count, template: subject.catalogue.find(name) }).collect()
}

fn does(template: &Template) -> String {
    let does = template.description.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("What it does: {}", does.trim_end_matches('.'))
}

fn unknown_does(subject: &Subject<'_>, name: &str) -> String {
    let near = subject.catalogue.nearest(name).map(|n| format!("; did you mean {n}?")).unwrap_or_default();
    format!("No constitution of CCF's own has it, so what it does is not known{near}")
}

/// What stands beside the values, which no evidence backs: a service's own constitution may read it.
pub(super) fn surplus(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let mut found = Vec::new();
    let top = subject.proposal.value().as_object().into_iter().flatten();
    found.extend(top.map(|(key, _)| key.clone()).filter(|key| key != "actions"));
    let list = subject.proposal.value().get("actions").and_then(Value::as_array).into_iter().flatten();
    for (at, action) in list.enumerate() {
        let members = action.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
        found.extend(members.filter(|k| !matches!(*k, "name" | "args")).map(|k| format!("actions[{at}].{k}")));
        let name = action.get("name").and_then(Value::as_str).unwrap_or_default();
        let Some(template) = subject.catalogue.find(name).filter(|_| registers(name)) else { continue };
        let args = action.get("args").and_then(Value::as_object).into_iter().flatten();
        let unknown = args.filter(|(key, _)| template.parameter(key).is_none());
        found.extend(unknown.map(|(key, _)| format!("actions[{at}].args.{key}")));
    }
    if found.is_empty() {
        return None;
    }
    found.truncate(8);
    let names = found.iter().map(|name| visible(name)).collect::<Vec<_>>().join(", ");
    Some(vec![(Incomplete, format!("no evidence can back what accompanies the values: {names}"))])
}

/// That code is taken back is said: whoever votes by the verdict alone would vote out what the evidence is.
pub(super) fn deregisters(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let removes = |name: &str| registers(name) && name.starts_with("remove_");
    let count = subject.proposal.actions().iter().filter(|action| removes(&action.name)).count();
    let (values, them) = match count {
        0 => return None,
        1 => ("1 value".into(), "it"),
        _ => (format!("{count} values"), "them"),
    };
    Some(vec![(Warn, format!("the proposal takes back {values}: nodes can no longer join with {them}"))])
}
