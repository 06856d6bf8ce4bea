//! `ccf.gov`: whether a text could be a constitution.

use std::sync::Arc;

use rquickjs::{Ctx, Exception, Object, Result, Value};

use super::{World, function, text};
use crate::constitution::ScriptFault;
use crate::constitution::script::{self, Compiled, Deadline};

pub(super) fn object<'js>(ctx: &Ctx<'js>, world: &World) -> Result<Object<'js>> {
    let gov = Object::new(ctx.clone())?;
    let deadline = world.0.deadline;
    let validate = move |ctx: &Ctx<'js>, _: &Object<'js>, arguments: &[Value<'js>]| {
        if !arguments[0].is_string() {
            return Err(Exception::throw_type(ctx, "constitution is not a string"));
        }
        match check_constitution(&text(ctx, &arguments[0])?, deadline) {
            Ok(()) => Ok(Value::new_bool(ctx.clone(), true)),
            Err(fault) => Err(Exception::throw_type(ctx, &fault.reason)),
        }
    };
    gov.set("validateConstitution", function(ctx, "validateConstitution", 1, 1, validate)?)?;
    Ok(gov)
}

/// What a constitution exports: name, the fewest and the most parameters, and their names. In CCF's order.
const EXPORTS: [(&str, usize, usize, &str); 3] = [
    ("apply", 2, 2, "proposal, proposerId"),
    ("resolve", 3, 4, "proposal, proposerId, votes[, proposalId]"),
    ("validate", 1, 1, "input"),
];

/// Checks that `source` is a module with the three functions of a constitution, each with its number of parameters.
pub(in crate::constitution) fn check_constitution(
    source: &str,
    deadline: Deadline,
) -> std::result::Result<(), ScriptFault> {
    const PATH: &str = "proposed constitution";
    if source.is_empty() {
        return Err(ScriptFault { reason: "constitution is empty".into(), line: None });
    }
    let missing = |name: &str, reason: String| ScriptFault {
        reason: format!("{PATH} does not export a function named {name}: {reason}"),
        line: None,
    };
    let compiled = Compiled::new(deadline, PATH, source).map_err(|error| missing(EXPORTS[0].0, error.reason))?;
    let compiled = Arc::new(compiled);
    for (name, least, most, names) in EXPORTS {
        // A context of its own each time, as loading a module may change what is global.
        let (count, line) = script::with_module(deadline, &compiled, |ctx, module| {
            let function = compiled.function(ctx, deadline, module, name)?;
            let number = |of: &str| function.get::<_, Value<'_>>(of).ok().and_then(|number| number.as_number());
            Ok((number("length").unwrap_or(0.0), number("lineNumber").map(|line| line as u32)))
        })
        .map_err(|error| missing(name, error.reason))?;
        if count < least as f64 || count > most as f64 {
            let expected = if least == most { most.to_string() } else { format!("between {least} and {most}") };
            let reason = format!(
                "{PATH} exports function {name} with {count} {}, expected {expected} {} ({names})",
                if count == 1.0 { "arg" } else { "args" },
                if most == 1 { "arg" } else { "args" },
            );
            return Err(ScriptFault { reason, line });
        }
    }
    Ok(())
}
