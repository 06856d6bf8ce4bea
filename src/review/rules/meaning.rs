//! Rules about what the proposal would do.

use std::collections::HashMap;

use super::{Finding, Subject};
use crate::check::Verdict::{Fail, Warn};
use crate::proposal::conflicts;

/// Actions that contradict or repeat each other.
pub(super) fn contradictions(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let actions: Vec<_> = subject.proposal.actions().iter().collect();
    if actions.len() < 2 {
        return None;
    }
    let mut found: Vec<_> = conflicts(&actions, subject.catalogue).iter().map(|c| (Fail, c.told(&actions))).collect();
    let mut said = HashMap::new();
    for (at, action) in actions.iter().enumerate() {
        let first = *said.entry(*action).or_insert(at);
        if first != at {
            found.push((Warn, format!("{} says the same as {}", action.title(at), action.title(first))));
        }
    }
    Some(found)
}

/// Whether the rules change by which everything after it is decided.
pub(super) fn rules(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    subject.each(&["set_constitution"], |_, found| {
        let text = "the service's rules change: who decides, what is taken, and what every later action does. What differs from the \
                    constitution in force is shown by `ccf-gov proposal show`, and before anything is signed";
        found(Warn, text.into());
    })
}

/// What else is dropped when it is applied.
pub(super) fn drops(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let dropping = subject.actions().filter(|(_, _, template)| template.is_some_and(|t| t.drops));
    let mut names: Vec<_> = dropping.map(|(_, action, _)| action.name.as_str()).collect();
    names.dedup();
    if names.is_empty() {
        return Some(Vec::new());
    }
    let text = format!(
        "{}: when it is applied, every other open proposal is dropped. Merge into it whatever else must be decided now \
         (`proposal merge`), and propose to trust nodes only afterwards",
        names.join(", ")
    );
    Some(vec![(Warn, text)])
}

/// Changes to who decides.
pub(super) fn members(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let names = &["remove_member", "set_member", "set_recovery_threshold", "set_service_configuration"];
    subject.each(names, |action, found| match action.name.as_str() {
        "remove_member" => found(Warn, "a member is removed: how many votes are needed changes with it".into()),
        "set_member" if action.arg("recovery_role").is_some() && action.arg("encryption_pub_key").is_none() => {
            found(Fail, "recovery_role needs encryption_pub_key".into());
        }
        "set_recovery_threshold" | "set_service_configuration"
            if action.arg("recovery_threshold").and_then(serde_json::Value::as_i64) == Some(1) =>
        {
            found(
                Warn,
                "with a recovery threshold of 1, any recovery member alone can recover the ledger's secrets".into(),
            );
        }
        _ => {}
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::proposal::catalogue::Catalogue;
    use crate::proposal::{Action, Proposal};

    #[test]
    fn one_of_very_many_actions_that_says_the_same_is_found() {
        let remove = |n: usize| Action::new("remove_snp_host_data", Some(json!({"host_data": format!("{n:064x}")})));
        let proposal = Proposal::of((0..40_000).chain([7]).map(remove).collect());
        let now = time::OffsetDateTime::UNIX_EPOCH;
        let found = contradictions(&Subject::new(&proposal, Catalogue::builtin(), None, now)).unwrap();
        assert!(matches!(&found[..], [(Warn, text)] if text.contains("action 40001") && text.contains("action 8 ")));
    }
}
