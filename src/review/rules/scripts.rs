//! Rules about programs: constitutions, join policies, applications. They are compiled by the engine that runs constitutions
//! here, within the limits of nodes.

use serde_json::Value;

use super::{Finding, Subject};
use crate::ccf_version::{CcfVersion, Feature};
use crate::check::Verdict::{self, Fail, Incomplete, Warn};
use crate::constitution::{check_constitution, check_join_policy, check_modules};
use crate::proposal::{Action, application as app};

/// More scripts are not compiled: each may take the time that a node would give it.
const MOST: usize = 8;

/// What `check` finds in the actions of these names, the first [`MOST`] of them.
fn compiled(
    subject: &Subject<'_>,
    names: &'static [&'static str],
    check: impl Fn(&Action, &mut dyn FnMut(Verdict, String)),
) -> Option<Vec<Finding>> {
    let mut count = 0;
    subject.each(names, |action, found| {
        count += 1;
        match count {
            ..=MOST => check(action, found),
            _ => found(Incomplete, format!("it is after the first {MOST} of its kind, and was not compiled")),
        }
    })
}

/// A constitution with which the service can go on.
pub(super) fn constitution(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    compiled(subject, &["set_constitution"], |action, found| {
        if let Some(Err(fault)) = action.text("constitution").map(check_constitution) {
            if fault.is_of_engine() {
                return found(Incomplete, format!("it could not be checked: {fault}"));
            }
            found(Fail, format!("{fault}; with it the service might never decide on a proposal again"));
        }
    })
}

/// A join policy that exports what a service calls, and none at all where a version admits without one.
pub(super) fn join_policy(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let with_evidence = subject.evidence.is_some();
    let set = compiled(subject, &["set_node_join_policy"], |action, found| {
        if with_evidence {
            found(Warn, "nodes with other host data than the registered ones may join by a script".into());
        }
        let Some(policy) = action.text("policy") else { return };
        if let Err(fault) = check_join_policy(policy) {
            found(Fail, fault.to_string());
        }
        if compares_vds_with_one(policy) {
            found(Warn, "it compares vds with 1: receipts of CCF have 2, so it may refuse every node".into());
        }
    });
    let admits = |version: CcfVersion| {
        !version.has(Feature::NodeJoinPolicy).is_no() && !version.has(Feature::StatementNeedsPolicy).is_yes()
    };
    let admits_without = subject.version.is_some_and(admits);
    let removed = subject.each(&["remove_node_join_policy"], |_, found| {
        if admits_without {
            let text = "without one, this version may admit every node with a well-formed transparent statement";
            found(Warn, text.into());
        }
    });
    set.into_iter().chain(removed).reduce(|all, more| all.into_iter().chain(more).collect())
}

/// Whether a script has `vds == 1`, in whichever form and order.
fn compares_vds_with_one(script: &str) -> bool {
    let solid: String = script.chars().filter(|c| !c.is_whitespace()).collect();
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let operators = ["===", "!==", "==", "!="];
    solid.match_indices("vds").any(|(at, name)| {
        let (before, after) = (&solid[..at], &solid[at + name.len()..]);
        let after = after.trim_start_matches(['"', '\'', ']']);
        let follows = operators.iter().find_map(|operator| after.strip_prefix(operator)).is_some_and(|rest| {
            rest.strip_prefix('1').is_some_and(|rest| !rest.starts_with(|c: char| is_name(c) || c == '.'))
        });
        let path = before.trim_end_matches(|c: char| is_name(c) || ".[]?\"'".contains(c));
        let precedes = operators.iter().find_map(|operator| path.strip_suffix(operator)).is_some_and(|rest| {
            rest.strip_suffix('1').is_some_and(|rest| !rest.ends_with(|c: char| is_name(c) || c == '.'))
        });
        follows || precedes
    })
}

/// An application whose modules compile, and whose parts fit together.
pub(super) fn application(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    compiled(subject, &["set_js_app"], |action, found| {
        let Some(bundle) = action.arg("bundle") else { return };
        app::problems(bundle).into_iter().for_each(|problem| found(Fail, problem));
        app::warnings(bundle).into_iter().for_each(|warning| found(Warn, warning));
        let is_cached = action.arg("disable_bytecode_cache").and_then(Value::as_bool) != Some(true);
        match check_modules(&app::modules(bundle), &app::entries(bundle)) {
            Ok(faults) => faults.iter().for_each(|fault| {
                let is_program = [".js", ".mjs", ".cjs"].iter().any(|end| fault.module.ends_with(end));
                let hint =
                    if is_program { "" } else { "; every module is compiled: leave out whatever is not a program" };
                // Without the cache, nodes compile only what is called.
                found(if is_cached || is_program { Fail } else { Warn }, format!("{fault}{hint}"));
            }),
            Err(error) => {
                found(Incomplete, format!("its modules could not be compiled within the limits of nodes: {error}"))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_of_vds_with_one_is_seen_in_every_form() {
        for script in ["r.vds === 1", "if (r . vds!=1)", "receipt['vds'] !== 1", "1 == statement.receipts[0].vds"] {
            assert!(compares_vds_with_one(script), "{script}");
        }
        for script in
            ["r.vds === 2", "r.vds === 10", "r.vds !== 1.5", "vdsx === 1", "21 === r.vds", "vds", "é vds === 2"]
        {
            assert!(!compares_vds_with_one(script), "{script}");
        }
    }
}
