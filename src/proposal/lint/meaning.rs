//! Rules about what the proposal would do.

use std::collections::HashMap;

use super::{Finding, Subject};
use crate::evidence::check::Verdict::{Fail, Warn};
use crate::proposal::bundle;
use crate::proposal::merge::conflicts;

/// Actions that contradict or repeat each other.
pub fn contradictions(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let actions: Vec<_> = subject.proposal.actions().iter().collect();
    if actions.len() < 2 {
        return None;
    }
    let mut found: Vec<_> = conflicts(&actions).iter().map(|c| (Fail, c.told(&actions))).collect();
    let mut said = HashMap::new();
    for (at, action) in actions.iter().enumerate() {
        let first = *said.entry(*action).or_insert(at);
        if first != at {
            found.push((Warn, format!("{} says the same as {}", action.title(at), action.title(first))));
        }
    }
    Some(found)
}

/// What else is dropped when it is applied.
pub fn drops(subject: &Subject<'_>) -> Option<Vec<Finding>> {
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

/// A constitution that exports what a service calls.
pub fn constitution(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    subject.each(&["set_constitution"], |action, found| {
        let Some(script) = action.text("constitution") else { return };
        for name in ["validate", "resolve", "apply"] {
            if !exports(script, name) {
                found(Fail, format!("it does not export {name}: the service could never decide on a proposal again"));
            }
        }
    })
}

/// A join policy that exports what a service calls.
pub fn join_policy(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    subject.each(&["set_node_join_policy"], |action, found| {
        if action.text("policy").is_some_and(|script| !exports(script, "apply")) {
            found(Fail, "it does not export apply".into());
        }
    })
}

/// Whether a module exports `name`, as far as its text shows: `export function name`, or in a list `export { … }`.
fn exports(script: &str, name: &str) -> bool {
    let words: Vec<&str> = script.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$'))).collect();
    let words: Vec<&str> = words.into_iter().filter(|w| !w.is_empty()).collect();
    let declared = words.windows(3).any(|w| {
        w[0] == "export" && (w[1..] == ["function", name] || matches!(w[1], "const" | "let" | "var") && w[2] == name)
    });
    let lists = script.split("export").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('{'));
    let mut listed = lists.filter_map(|rest| rest.split('}').next()).flat_map(|list| list.split(','));
    declared || listed.any(|entry| entry.split_whitespace().last() == Some(name))
}

/// An application whose parts fit together.
pub fn application(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    subject.each(&["set_js_app"], |action, found| {
        let Some(bundle) = action.arg("bundle") else { return };
        bundle::problems(bundle).into_iter().for_each(|problem| found(Fail, problem));
        let modules = bundle.get("modules").and_then(serde_json::Value::as_array);
        let names = modules.into_iter().flatten().filter_map(|m| m.get("name").and_then(serde_json::Value::as_str));
        for name in names.filter(|name| name.starts_with('/')) {
            found(Warn, format!("module {name:?} begins with a slash; CCF adds one more"));
        }
    })
}

/// A token issuer whose settings fit together.
pub fn token_issuer(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    subject.each(&["set_jwt_issuer"], |action, found| {
        if action.arg("auto_refresh").and_then(serde_json::Value::as_bool) == Some(true) {
            if action.text("ca_cert_bundle_name").is_none_or(str::is_empty) {
                found(Fail, "auto_refresh needs ca_cert_bundle_name".into());
            }
            let issuer = action.text("issuer").unwrap_or_default();
            if !issuer.starts_with("https://") || issuer.contains(['?', '#']) {
                found(Fail, "with auto_refresh the issuer is an https:// URL without ? and #".into());
            }
        }
        if action.arg("key_filter").is_none() && subject.version.is_some_and(|v| v.major < 6) {
            found(Fail, "key_filter is missing, and this version of CCF requires it".into());
        }
    })
}

/// Changes to who decides.
pub fn members(subject: &Subject<'_>) -> Option<Vec<Finding>> {
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
    use crate::proposal::{Action, Proposal};

    #[test]
    fn one_of_very_many_actions_that_says_the_same_is_found() {
        let remove = |n: usize| Action::new("remove_snp_host_data", Some(json!({"host_data": format!("{n:064x}")})));
        let proposal = Proposal::of((0..40_000).chain([7]).map(remove).collect());
        let found = contradictions(&Subject { proposal: &proposal, version: None }).unwrap();
        assert!(matches!(&found[..], [(Warn, text)] if text.contains("action 40001") && text.contains("action 8 ")));
    }
}
