//! Scripts that a proposal would put in force, checked as far as they can be without a service.

use rquickjs::{Ctx, Function, Module, Value};

use super::engine::{ScriptError, Stage};
use super::globals::{self, TableAccess, World};
use super::script::{self, Deadline};
use crate::kv::Tables;

/// What is wrong with a script, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct ScriptFault {
    /// What is wrong, as the engine words it.
    pub reason: String,
    /// The line, from 1, if it is known.
    pub line: Option<u32>,
}

impl ScriptFault {
    /// Whether the script is not to blame: it uses something that this engine lacks, so it was not checked.
    pub fn is_of_engine(&self) -> bool {
        self.reason.starts_with(LACKS)
    }
}

/// How a reason begins that is this engine's.
const LACKS: &str = "this engine does not have";

/// The reason why a script was not judged: it uses `names`.
pub(super) fn lacks(names: &str, complaint: Option<&str>) -> String {
    let complaint = complaint.map(|text| format!(" ({text})")).unwrap_or_default();
    format!("{LACKS} {names}, which the script uses{complaint}: what a node would answer is not known")
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
        let world = World::new(Tables::new(), TableAccess::ReadOnly, Box::new(|_| None), deadline, None);
        let loaded = load(source, deadline, Some(&world));
        let complaint = loaded.as_ref().err().map(|fault| fault.reason.clone());
        match world.lacking().or_else(|| world.missing(complaint.as_deref()?)) {
            Some(names) => Err(ScriptFault { reason: lacks(&names, complaint.as_deref()), line: None }),
            None => loaded,
        }
    })
}

/// Checks a script that decides on joins: it compiles, is loaded without an error, exports the function `apply`, and needs nothing but
/// the language itself, as nodes give it no `ccf` and no `console`. For that, it is asked about an example.
///
/// # Errors
/// The first fault.
pub fn check_join_policy(source: &str) -> Result<(), ScriptFault> {
    checked(source, |source, deadline| {
        compile(source, deadline)?;
        let found = script::with_engine(deadline, |ctx| {
            let apply = script::exported_function(ctx, deadline, PATH, source, "apply")?;
            let statements =
                ctx.json_parse(STATEMENTS).map_err(|error| ScriptError::new(Stage::Load, error.to_string()))?;
            match script::call(ctx, deadline, &apply, (statements,)) {
                Err(error) if error.reason.starts_with("ReferenceError") => Err(error),
                _ => Ok(()),
            }
        });
        found.map_err(|error| ScriptFault { reason: bare(error.reason), line: None })?;
        load(source, deadline, None).map_err(|fault| ScriptFault { reason: bare(fault.reason), ..fault })
    })
}

/// What a node asks a join policy about: one statement with one receipt, and every member that can be there.
const STATEMENTS: &str = r#"[{
    "phdr": {
        "alg": -35, "cty": "application/octet-stream", "x5chain": ["-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"],
        "cwt": {"iss": "did:x509:0:sha256:x::eku:1.2", "sub": "feed", "iat": 1700000000, "svn": 1}
    },
    "receipts": [{
        "alg": -35, "vds": 2, "kid": "00", "cwt": {"iss": "service", "sub": "ledger", "iat": 1700000000}, "ccf": {"txid": "2.1"},
        "leaves": [{"claims_digest": "00", "commit_evidence": "ce:2.1:00", "write_set_digest": "00"}]
    }]
}]"#;

fn bare(reason: String) -> String {
    let hint =
        if reason.contains("ReferenceError") { "; nodes give it the language only, no ccf and no console" } else { "" };
    reason + hint
}

const PATH: &str = "the script";

/// What a constitution, or a join policy, exports.
const EXPORTS: [&str; 3] = ["validate", "resolve", "apply"];

/// Whether a function gives its result when it is called, in the engine's own words.
const IS_PLAIN: &str = r#"((prototype, of, text) => (f) => of(f) === prototype && !text.call(f).startsWith("class"))(
    Function.prototype, Object.getPrototypeOf, Function.prototype.toString)"#;

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

/// Evaluates the module for what it does while it is loaded, with CCF's globals if there is a `world`.
fn load(source: &str, deadline: Deadline, world: Option<&World>) -> Result<(), ScriptFault> {
    in_engine(deadline, |ctx| {
        let fault = |error| script::fault(ctx, &error);
        if let Some(world) = world {
            globals::install(ctx, world).map_err(fault)?;
        }
        // Taken before the script can put something else in its place.
        let is_plain: Function<'_> = ctx.eval(IS_PLAIN).map_err(fault)?;
        let (module, promise) = Module::declare(ctx.clone(), PATH, source).and_then(Module::eval).map_err(fault)?;
        match promise.finish::<Value<'_>>() {
            Ok(_) => {}
            Err(rquickjs::Error::WouldBlock) => {
                let reason = "it waits for something while it is loaded, which nodes do not".into();
                return Err(ScriptFault { reason, line: None });
            }
            Err(error) => {
                let ScriptFault { reason, line } = fault(error);
                return Err(ScriptFault { reason: format!("it throws while it is loaded: {reason}"), line });
            }
        }
        for name in EXPORTS {
            let Ok(export) = module.get::<_, Value<'_>>(name) else { continue };
            if export.is_function() && !is_plain.call::<_, bool>((export,)).map_err(fault)? {
                let reason = format!(
                    "{name} is a class, a generator or an async function, and nodes call it as a plain function"
                );
                return Err(ScriptFault { reason, line: None });
            }
        }
        Ok(())
    })
}

fn in_engine(deadline: Deadline, body: impl FnOnce(&Ctx<'_>) -> Result<(), ScriptFault>) -> Result<(), ScriptFault> {
    script::with_engine(deadline, |ctx| Ok(body(ctx)))
        .unwrap_or_else(|error| Err(ScriptFault { reason: error.reason, line: None }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constitution::DEFAULT;

    const RULES: &str = "export function validate(input) { return {valid: true}; }
export function resolve(proposal, proposerId, votes) { return 'Open'; }
export function apply(proposal, proposalId) {}
";

    #[test]
    fn our_constitution_and_the_smallest_one_pass() {
        assert_eq!(check_constitution(DEFAULT), Ok(()));
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
            (
                RULES.replace("function validate(input)", "class validate { constructor(input) {} } function v(input)"),
                None,
                "validate is a class",
            ),
            (RULES.replace("function resolve", "function* resolve"), None, "resolve is a class, a generator"),
            (
                RULES.replace("function apply", "async function apply"),
                None,
                "apply is a class, a generator or an async",
            ),
            (format!("{RULES}await Promise.reject(new Error('no'));\n"), Some(4), "throws while it is loaded"),
            (format!("{RULES}await new Promise(() => {{}});\n"), None, "waits for something"),
            (
                format!("{RULES}ccf.crypto.generateAesKey(256);\n"),
                None,
                "this engine does not have ccf.crypto.generateAesKey",
            ),
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
        let strict = "export function apply([s]) { return s.receipts[0].vds === 2 && s.phdr.cwt.svn >= 5 || 'svn'; }";
        assert_eq!(check_join_policy(strict), Ok(()));
        // What depends on the statement is no fault of the script.
        assert_eq!(check_join_policy("export function apply([s]) { throw new Error(s.phdr.cwt.iss); }"), Ok(()));
    }

    #[test]
    fn a_join_policy_has_the_language_only() {
        for script in [
            "export function apply(s) { console.log(s); return true; }",
            "export function apply(s) { return ccf.strToBuf('x') && true; }",
            "const rows = ccf.kv['public:ccf.gov.service.info'];\nexport function apply(s) { return true; }",
        ] {
            let reason = check_join_policy(script).unwrap_err().reason;
            assert!(reason.contains("is not defined; nodes give it the language only"), "{reason}");
        }
    }
}
