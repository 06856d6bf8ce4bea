//! Rules about programs: constitutions, join policies, applications. They are compiled by the engine that runs constitutions
//! here, within the limits of nodes.

use serde_json::Value;

use super::{Finding, Subject};
use crate::constitution::{check_constitution, check_join_policy, check_modules};
use crate::evidence::check::Verdict::{self, Fail, Incomplete, Warn};
use crate::proposal::{Action, application as app};

/// More scripts are not compiled: each may take the time that a node would give it.
const MOST: usize = 8;

/// What `check` finds in the actions of these names, the first [`MOST`] of them.
fn compiled(
    subject: &Subject<'_>,
    names: &'static [&'static str],
    check: fn(&Action, &mut dyn FnMut(Verdict, String)),
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
pub fn constitution(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    compiled(subject, &["set_constitution"], |action, found| {
        if let Some(Err(fault)) = action.text("constitution").map(check_constitution) {
            found(Fail, format!("{fault}; with it the service might never decide on a proposal again"));
        }
    })
}

/// A join policy that exports what a service calls.
pub fn join_policy(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    compiled(subject, &["set_node_join_policy"], |action, found| {
        if let Some(Err(fault)) = action.text("policy").map(check_join_policy) {
            found(Fail, fault.to_string());
        }
    })
}

/// An application whose modules compile, and whose parts fit together.
pub fn application(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    compiled(subject, &["set_js_app"], |action, found| {
        let Some(bundle) = action.arg("bundle") else { return };
        app::problems(bundle).into_iter().for_each(|problem| found(Fail, problem));
        app::warnings(bundle).into_iter().for_each(|warning| found(Warn, warning));
        let is_cached = action.arg("disable_bytecode_cache").and_then(Value::as_bool) != Some(true);
        match check_modules(&app::modules(bundle), &app::entries(bundle)) {
            Ok(faults) => faults.iter().for_each(|fault| {
                let is_program = [".js", ".mjs", ".cjs"].iter().any(|end| fault.module.ends_with(end));
                let hint =
                    if is_program { "" } else { "; every module is compiled: leave out of it what is no program" };
                // Without the cache, nodes compile only what is called.
                found(if is_cached || is_program { Fail } else { Warn }, format!("{fault}{hint}"));
            }),
            Err(error) => {
                found(Incomplete, format!("its modules could not be compiled within the limits of nodes: {error}"))
            }
        }
    })
}
