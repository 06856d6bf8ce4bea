//! What the expressions of a template stand for.

use std::cell::Cell;
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::super::MAX_DEPLOYMENT;
use super::{MAX_STEPS, ignoring_case};

/// How many bytes all expressions of a file together may stand for: few lines can stand for a great deal.
const MAX_WORK: usize = 2 * MAX_DEPLOYMENT;

/// What an expression counts for beside the bytes that it stands for.
const STEP: usize = 4096;

/// What expressions may name: a template's parameters and variables, and the values that a nested template is given.
#[derive(Default)]
pub(super) struct Scope<'a> {
    parameters: Option<&'a Map<String, Value>>,
    variables: Option<&'a Map<String, Value>>,
    given: Vec<(&'a str, Result<Resolved, &'static str>)>,
    work: Rc<Cell<usize>>,
}

/// A value without expressions, and what a person should know of where it came from.
#[derive(Clone, Default)]
pub(super) struct Resolved {
    /// The value.
    pub value: Value,
    /// The remark.
    pub remark: Option<String>,
}

impl<'a> Scope<'a> {
    /// That of a template by itself, with its parameters' defaults.
    pub(super) fn of(template: &'a Map<String, Value>) -> Self {
        let object = |name| template.get(name).and_then(Value::as_object);
        Self { parameters: object("parameters"), variables: object("variables"), ..Self::default() }
    }

    /// The scope of a template inside this one's.
    pub(super) fn within<'b>(&self, inner: &'b Map<String, Value>, given: Option<&'b Map<String, Value>>) -> Scope<'b> {
        let value = |parameter: &Value| match parameter.get("value") {
            Some(value) => match self.resolve(value) {
                // They would be evaluated in this scope, of which the inner one knows nothing.
                Ok(resolved) if !resolved.value.is_string() && has_expression(&resolved.value) => {
                    Err("the outer template gives it an object with expressions")
                }
                resolved => resolved,
            },
            None => Err("the outer template gives it a reference, not a value"),
        };
        let given = given.into_iter().flatten().map(|(name, parameter)| (name.as_str(), value(parameter))).collect();
        Scope { given, work: Rc::clone(&self.work), ..Scope::of(inner) }
    }

    /// Counts a value that is about to be copied.
    fn count(&self, value: &Value) -> Result<(), &'static str> {
        let size = value.as_str().map_or_else(|| value.to_string().len(), str::len);
        self.work.set(self.work.get() + STEP + size);
        if self.work.get() > MAX_WORK { Err("the expressions of this file expand to too much") } else { Ok(()) }
    }

    /// The text that a text of the template stands for.
    pub(super) fn text(&self, written: &str) -> Result<(String, Option<String>), &'static str> {
        let resolved = self.resolve(&Value::String(written.to_owned()))?;
        match resolved.value {
            Value::String(text) => Ok((text, resolved.remark)),
            _ => Err("its value is not text"),
        }
    }

    /// What a value stands for: itself, unless it is an expression.
    pub(super) fn resolve(&self, written: &Value) -> Result<Resolved, &'static str> {
        self.resolve_at(written, 0)
    }

    fn resolve_at(&self, written: &Value, depth: usize) -> Result<Resolved, &'static str> {
        self.count(written)?;
        let Value::String(text) = written else { return Ok(Resolved { value: written.clone(), remark: None }) };
        if let Some(escaped) = text.strip_prefix("[[") {
            return Ok(Resolved { value: Value::String(format!("[{escaped}")), remark: None });
        }
        match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            None => Ok(Resolved { value: written.clone(), remark: None }),
            Some(expression) => {
                let mut rest = expression;
                let resolved = self.expression(&mut rest, depth)?;
                if rest.trim().is_empty() { Ok(resolved) } else { Err(OTHER) }
            }
        }
    }

    /// `'text'`, or one of the functions with such arguments.
    fn expression(&self, rest: &mut &str, depth: usize) -> Result<Resolved, &'static str> {
        if depth > MAX_STEPS {
            return Err("it leads in a circle");
        }
        *rest = rest.trim_start();
        if let Some(quoted) = rest.strip_prefix('\'') {
            return literal(quoted, rest);
        }
        let (function, after) = rest.split_once('(').ok_or(OTHER)?;
        *rest = after;
        let mut arguments: Vec<Resolved> = Vec::new();
        loop {
            *rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix(')') {
                *rest = after;
                break;
            }
            if !arguments.is_empty() {
                *rest = rest.strip_prefix(',').ok_or(OTHER)?;
            }
            arguments.push(self.expression(rest, depth + 1)?);
        }
        let called = self.call(function, &arguments, depth)?;
        self.member(called, rest, depth)
    }

    fn call(&self, function: &str, arguments: &[Resolved], depth: usize) -> Result<Resolved, &'static str> {
        let remark = arguments.iter().find_map(|argument| argument.remark.clone());
        let texts: Option<Vec<&str>> = arguments.iter().map(|argument| argument.value.as_str()).collect();
        match (function.trim().to_ascii_lowercase().as_str(), texts.as_deref()) {
            ("parameters", Some([name])) => self.parameter(name, depth),
            ("variables", Some([name])) => {
                let value = self.variables.and_then(|v| ignoring_case(v, name)).ok_or("there is no such variable")?;
                self.resolve_at(value, depth + 1)
            }
            ("base64", Some([text])) => Ok(Resolved { value: STANDARD.encode(text).into(), remark }),
            ("concat", Some(texts @ [_, ..])) => {
                let value = Value::String(texts.concat());
                self.count(&value)?;
                Ok(Resolved { value, remark })
            }
            _ => Err(OTHER),
        }
    }

    /// The member of a value that `.name` and the like after it lead to.
    fn member(&self, mut resolved: Resolved, rest: &mut &str, depth: usize) -> Result<Resolved, &'static str> {
        loop {
            *rest = rest.trim_start();
            let Some(after) = rest.strip_prefix('.') else { return Ok(resolved) };
            let after = after.trim_start();
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            let (name, after) = after.split_at_checked(end).ok_or(OTHER)?;
            *rest = after;
            let object =
                resolved.value.as_object().ok_or("a member is requested of something that is not an object")?;
            let inner = self.resolve_at(ignoring_case(object, name).ok_or("there is no such member")?, depth + 1)?;
            resolved = Resolved { value: inner.value, remark: resolved.remark.or(inner.remark) };
        }
    }

    fn parameter(&self, name: &str, depth: usize) -> Result<Resolved, &'static str> {
        let given = self.given.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        let declared = self.parameters.and_then(|p| ignoring_case(p, name)).ok_or("there is no such parameter")?;
        if let Some((_, given)) = given {
            let given = given.as_ref().map_err(|why| *why)?;
            self.count(&given.value)?;
            return Ok(given.clone());
        }
        let default = declared.get("defaultValue");
        let default = default.ok_or("the parameter has no default: give the file with its value filled in")?;
        let resolved = self.resolve_at(default, depth + 1)?;
        let remark = format!("the default of the parameter {name}: a deployment may give another one");
        Ok(Resolved { remark: Some(remark), ..resolved })
    }
}

const OTHER: &str = "only parameters, variables, members of them, base64 and concat are resolved";

/// Whether any text in a value would be evaluated.
fn has_expression(value: &Value) -> bool {
    match value {
        Value::String(text) => text.starts_with('['),
        Value::Array(list) => list.iter().any(has_expression),
        Value::Object(object) => object.values().any(has_expression),
        _ => false,
    }
}

/// A text in single quotes, in which two of them stand for one.
fn literal<'t>(quoted: &'t str, rest: &mut &'t str) -> Result<Resolved, &'static str> {
    let mut text = String::new();
    let mut tail = quoted;
    loop {
        let (part, after) = tail.split_once('\'').ok_or(OTHER)?;
        text.push_str(part);
        match after.strip_prefix('\'') {
            Some(after) => {
                text.push('\'');
                tail = after;
            }
            None => {
                *rest = after;
                return Ok(Resolved { value: text.into(), remark: None });
            }
        }
    }
}
