//! Rules about how a proposal is written: JSON, arguments, digits, times, certificates.

use serde_json::Value;

use super::{Finding, Subject, type_of};
use crate::check::Verdict::{Fail, Warn};
use crate::json;
use crate::proposal::catalogue::{Source, Template, nearest};
use crate::proposal::time::{TimeError, misread_by_ccf, read};
use crate::proposal::{
    Action, MAX_SAFE_INTEGER, Parameter, ParameterKind, hex as check_hex, pem_text, private_key, shaped,
};
use crate::text::clip;

/// Nothing beside the actions: no constitution reads it, and who signs may not see it.
pub(super) fn shape(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let surplus = subject.proposal.surplus().into_iter();
    Some(surplus.map(|key| (Warn, format!("the key {key:?} is signed, and no constitution reads it"))).collect())
}

/// Numbers that every JSON reader reads alike.
pub(super) fn numbers(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let mut found = Vec::new();
    walk(subject.proposal.value(), &mut |value| {
        let Value::Number(number) = value else { return };
        let written = clip(number.as_str(), 80);
        if json::as_javascript(number).abs() > MAX_SAFE_INTEGER as f64 {
            found.push((Fail, format!("{written} is beyond 2^53: JavaScript, and so the constitution, rounds it")));
        } else if !json::is_exact(number) {
            let read = json::read_as(number);
            found.push((Fail, format!("JavaScript, and so the constitution, reads {written} as {read}")));
        } else if number.as_i64().is_none() {
            found.push((Warn, format!("{written} is written as a fraction; readers may write it differently")));
        }
    });
    Some(found)
}

/// No private key: proposals are public for ever.
pub(super) fn no_private_key(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let found = private_key::find(subject.proposal.value());
    Some(found.into_iter().map(|key| (Fail, key.to_string())).collect())
}

fn walk(value: &Value, look: &mut impl FnMut(&Value)) {
    look(value);
    match value {
        Value::Array(list) => list.iter().for_each(|v| walk(v, look)),
        Value::Object(object) => object.values().for_each(|v| walk(v, look)),
        _ => {}
    }
}

/// Arguments against the catalogue.
pub(super) fn arguments(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let mut found = Vec::new();
    let mut known = false;
    for (at, action, template) in subject.actions() {
        let Some(template) = template else { continue };
        known = true;
        let problems = action_arguments(action, template);
        found.extend(problems.into_iter().map(|(verdict, detail)| (verdict, format!("{at}: {detail}"))));
    }
    known.then_some(found)
}

fn action_arguments(action: &Action, template: &Template) -> Vec<Finding> {
    let empty = serde_json::Map::new();
    let args = match &action.args {
        None | Some(Value::Null) if template.parameters.is_empty() => return Vec::new(),
        None | Some(Value::Null) => return vec![(Fail, "it has no \"args\"".into())],
        Some(Value::Object(_)) if template.refuses_args => {
            return vec![(Fail, "it takes no \"args\", not even {}: leave the key out".into())];
        }
        Some(Value::Object(args)) => args,
        Some(_) if template.parameters.is_empty() => &empty,
        Some(other) => return vec![(Fail, format!("\"args\" is an object, not {}", type_of(other)))],
    };
    let mut found = Vec::new();
    for parameter in &template.parameters {
        match args.get(&parameter.name) {
            None if parameter.required => found.push((Fail, format!("{} is missing", parameter.name))),
            None => {}
            // The svn of an endorsement has been a number and a text; its own rule knows when.
            Some(_) if parameter.name == "svn" && template.source == Source::BuiltIn => {}
            Some(value) => found.extend(argument(parameter, value)),
        }
    }
    for name in args.keys().filter(|name| template.parameter(name).is_none()) {
        let near = nearest(name, template.parameters.iter().map(|p| p.name.as_str()));
        let near = near.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
        let verdict = if template.refuses_unknown_args { Fail } else { Warn };
        found.push((verdict, format!("it takes no {name:?}{near}")));
    }
    found
}

fn argument(parameter: &Parameter, value: &Value) -> Option<Finding> {
    let name = &parameter.name;
    if value.is_null() && !parameter.required {
        let refused = matches!(
            parameter.kind,
            ParameterKind::Integer { .. } | ParameterKind::Choice { .. } | ParameterKind::Certificate
        );
        return Some((if refused { Fail } else { Warn }, format!("{name} is null: leave it out instead")));
    }
    let wanted = match &parameter.kind {
        ParameterKind::Json => return None,
        ParameterKind::Boolean => (value.is_boolean(), "true or false".to_string()),
        ParameterKind::Integer { min, max } => {
            let number = value.as_i64().or_else(|| value.as_f64().filter(|f| f.fract() == 0.0).map(|f| f as i64));
            let within = number.is_some_and(|n| min.is_none_or(|m| n >= m) && max.is_none_or(|m| n <= m));
            let bounds = match (min, max) {
                (Some(min), Some(max)) => format!(" from {min} to {max}"),
                (Some(min), None) => format!(", at least {min}"),
                _ => String::new(),
            };
            (within, format!("a whole number{bounds}"))
        }
        ParameterKind::Choice { values } => {
            (value.as_str().is_some_and(|v| values.iter().any(|c| c == v)), format!("one of {}", values.join(", ")))
        }
        ParameterKind::Object | ParameterKind::Texts | ParameterKind::Jwks => {
            let problem = shaped(&parameter.kind, value.clone()).err();
            return problem.map(|error| (Fail, format!("{name}: {error}")));
        }
        ParameterKind::Bundle | ParameterKind::Tcb => (value.is_object(), "an object".into()),
        ParameterKind::Text => (value.as_str().is_some_and(|t| !t.is_empty()), "text".into()),
        ParameterKind::Hex { .. }
        | ParameterKind::Certificate
        | ParameterKind::PublicKey
        | ParameterKind::Time
        | ParameterKind::Script
        | ParameterKind::Policy => (value.is_string(), "text".into()),
    };
    (!wanted.0).then(|| (Fail, format!("{name} is {}, and this is {}", wanted.1, shown(value))))
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "empty".into(),
        Value::String(text) => format!("{:?}", clip(text, 40)),
        Value::Number(number) => number.to_string(),
        other => type_of(other).into(),
    }
}

/// A text of a parameter.
struct Text<'a> {
    /// Where it is, for a person.
    at: String,
    parameter: &'a Parameter,
    text: &'a str,
    /// Whether it names what is removed, however it is written.
    removes: bool,
}

/// Every text of a parameter of some kind.
fn texts<'a>(subject: &Subject<'a>, wanted: fn(&ParameterKind) -> bool) -> Option<Vec<Text<'a>>> {
    let mut texts = Vec::new();
    for (at, action, template) in subject.actions() {
        let Some(template) = template else { continue };
        for parameter in template.parameters.iter().filter(|p| wanted(&p.kind)) {
            if let Some(text) = action.text(&parameter.name) {
                let at = format!("{at}: {}", parameter.name);
                texts.push(Text { at, parameter, text, removes: template.removes_by_exact_text });
            }
        }
    }
    (!texts.is_empty()).then_some(texts)
}

/// Lowercase digits, exactly as many as there must be.
pub(super) fn hex(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let texts = texts(subject, |kind| matches!(kind, ParameterKind::Hex { .. }))?;
    let check = |Text { at, parameter, text, removes }: &Text<'_>| {
        let ParameterKind::Hex { bytes } = parameter.kind else { return None };
        let reason = match text.strip_prefix("0x") {
            Some(_) => "it begins with 0x, and CCF compares it as text: it would never match".into(),
            None => check_hex(bytes, text).err()?.to_string(),
        };
        if *removes {
            return Some((Warn, format!("{at}: {reason}; only an entry that is written exactly so is removed")));
        }
        Some((Fail, format!("{at}: {reason}")))
    };
    Some(texts.iter().filter_map(check).collect())
}

/// Times that CCF reads, and reads as they are meant.
pub(super) fn times(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let texts = texts(subject, |kind| *kind == ParameterKind::Time)?;
    let check = |Text { at, text, .. }: &Text<'_>| match read(text) {
        Ok(_) if misread_by_ccf(text) => {
            Some((Fail, format!("{at}: CCF adds the minutes of a negative offset; write it in UTC")))
        }
        Ok(_) => None,
        Err(TimeError::NoOffset(_)) => Some((Warn, format!("{at}: it names no offset, and CCF takes it as UTC"))),
        Err(error) => Some((Fail, format!("{at}: {error}"))),
    };
    Some(texts.iter().filter_map(check).collect())
}

/// Certificates and keys that can be read.
pub(super) fn certificates(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let texts = texts(subject, |kind| matches!(kind, ParameterKind::Certificate | ParameterKind::PublicKey))?;
    let check = |Text { at, parameter, text, .. }: &Text<'_>| {
        let text = text.to_string();
        let read = match parameter.kind {
            ParameterKind::Certificate => pem_text::certificates(text),
            _ => pem_text::rsa_public_key(text),
        };
        read.err().map(|error| (Fail, format!("{at}: {error}")))
    };
    Some(texts.iter().filter_map(check).collect())
}
