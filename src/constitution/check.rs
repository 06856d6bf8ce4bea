//! Scripts that a proposal would put in force, checked as far as they can be without a service.

use rquickjs::promise::PromiseState;
use rquickjs::{Ctx, Module, Value};

use super::Tables;
use super::globals::{self, Access, World};
use super::script::{self, Deadline};

/// What is wrong with a script, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct ScriptFault {
    /// What is wrong, as the engine words it.
    pub reason: String,
    /// The line, from 1, if it is known.
    pub line: Option<u32>,
}

/// Checks that a service could go on with this constitution: it compiles, is loaded without an error, and exports
/// `validate`, `resolve` and `apply`, functions of 1, 3 or 4, and 2 parameters. CCF's `validateConstitution` asks for the same.
///
/// # Errors
/// The first fault.
pub fn check_constitution(source: &str) -> Result<(), ScriptFault> {
    checked(source, |source, deadline| {
        compile(source, deadline)?;
        globals::check_constitution(source, deadline)?;
        load(source, deadline)
    })
}

/// Checks a script that decides on joins: it compiles and exports the function `apply`.
///
/// # Errors
/// The first fault.
pub fn check_join_policy(source: &str) -> Result<(), ScriptFault> {
    checked(source, |source, deadline| {
        compile(source, deadline)?;
        let found = script::with_engine(deadline, |ctx| {
            script::exported_function(ctx, deadline, PATH, source, "apply").map(|_| ())
        });
        found.map_err(|error| ScriptFault { reason: error.reason, line: None })
    })
}

const PATH: &str = "the script";

/// Runs a check on a thread of its own, within the limits of scripts.
fn checked(
    source: &str,
    check: impl FnOnce(&str, Deadline) -> Result<(), ScriptFault> + Send + 'static,
) -> Result<(), ScriptFault> {
    let source = source.to_owned();
    script::run(None, move |_, deadline| Ok(check(&source, deadline)))
        .unwrap_or_else(|error| Err(ScriptFault { reason: error.reason, line: None }))
}

fn compile(source: &str, deadline: Deadline) -> Result<(), ScriptFault> {
    in_engine(deadline, |ctx| match Module::declare(ctx.clone(), PATH, source) {
        Ok(_) => Ok(()),
        Err(error) => Err(script::fault(ctx, &error)),
    })
}

/// Evaluates the module with CCF's globals, for what it does while it is loaded.
fn load(source: &str, deadline: Deadline) -> Result<(), ScriptFault> {
    let world = World::new(Tables::new(), Access::ReadOnly, Box::new(|_| None), deadline, None);
    in_engine(deadline, |ctx| {
        let fault = |error| script::fault(ctx, &error);
        globals::install(ctx, &world).map_err(fault)?;
        let (_, promise) = Module::declare(ctx.clone(), PATH, source).and_then(Module::eval).map_err(fault)?;
        match promise.result::<Value<'_>>() {
            Some(Err(error)) if promise.state() == PromiseState::Rejected => {
                let ScriptFault { reason, line } = fault(error);
                Err(ScriptFault { reason: format!("it throws while it is loaded: {reason}"), line })
            }
            _ => Ok(()),
        }
    })
}

fn in_engine(deadline: Deadline, body: impl FnOnce(&Ctx<'_>) -> Result<(), ScriptFault>) -> Result<(), ScriptFault> {
    script::with_engine(deadline, |ctx| Ok(body(ctx)))
        .unwrap_or_else(|error| Err(ScriptFault { reason: error.reason, line: None }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constitution::OURS;

    const RULES: &str = "export function validate(input) { return {valid: true}; }
export function resolve(proposal, proposerId, votes) { return 'Open'; }
export function apply(proposal, proposalId) {}
";

    #[test]
    fn our_constitution_and_the_smallest_one_pass() {
        assert_eq!(check_constitution(OURS), Ok(()));
        assert_eq!(check_constitution(RULES), Ok(()));
        assert_eq!(check_constitution(&RULES.replace("votes)", "votes, proposalId)")), Ok(()));
        let listed = "const validate = (i) => {}, f = (p, i) => {};\nfunction resolve(p, o, v) {}\nexport { validate, resolve, f as apply };";
        assert_eq!(check_constitution(listed), Ok(()));
    }

    #[test]
    fn a_constitution_that_would_end_all_governance_is_refused_with_its_line() {
        for (script, line, says) in [
            (String::new(), None, "empty"),
            ("// export function validate, resolve, apply\n".into(), None, "does not export a function named"),
            (RULES.replace("export function apply", "// export function apply"), None, "named apply"),
            (format!("{RULES}let x = ;\n"), Some(4), "SyntaxError"),
            (RULES.replace("(proposal, proposalId)", "(proposal)"), Some(3), "apply with 1 arg, expected 2"),
            (RULES.replace("votes)", "...votes)"), Some(2), "resolve with 2 args"),
            (RULES.replace("function validate(input)", "const validate = 1; function x()"), None, "validate"),
            (format!("{RULES}\nmissing();\n"), Some(5), "throws while it is loaded: ReferenceError"),
            (format!("import 'other';\n{RULES}"), None, "other"),
            (format!("{RULES}for (;;) {{}}\n"), None, "too long"),
        ] {
            let fault = check_constitution(&script).unwrap_err();
            assert!(fault.line == line && fault.reason.contains(says), "{says} at {line:?}: {fault:?}");
        }
    }

    #[test]
    fn a_join_policy_exports_apply() {
        assert_eq!(check_join_policy("export function apply(statements) { return true; }"), Ok(()));
        assert!(check_join_policy("// export function apply").unwrap_err().reason.contains("apply"));
        assert_eq!(check_join_policy("\nexport function apply( {").unwrap_err().line, Some(2));
    }
}
