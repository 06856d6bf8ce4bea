//! Azure Resource Manager templates: container groups wherever they stand, and the expressions that policies are.
//!
//! A nested deployment is read in the scope that Azure evaluates it in: the outer template's, or its own with the
//! parameters that the outer one gives it.

use std::cell::Cell;
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::{DeploymentError, Found, MAX_DEPLOYMENT, policy};

/// How often a parameter or variable may lead to another one, and templates to nested ones.
const MAX_STEPS: usize = 16;

/// How many bytes all expressions of a file together may stand for: few lines can stand for a great deal.
const MAX_WORK: usize = 2 * MAX_DEPLOYMENT;

/// What an expression counts for beside the bytes that it stands for.
const STEP: usize = 4096;

const GROUP_TYPES: [&str; 2] =
    ["microsoft.containerinstance/containergroups", "microsoft.containerinstance/containergroupprofiles"];

/// Every policy in a template.
pub(super) fn template(template: &Map<String, Value>, found: &mut Vec<Found>) -> Result<(), DeploymentError> {
    let before = found.len();
    resources(template, &Scope::of(template), 0, found)?;
    if template.values().any(has_link) {
        for group in &mut found[before..] {
            let told = group.remark.take().map_or_else(String::new, |remark| format!("{remark}; "));
            group.remark =
                Some(format!("{told}the template also deploys others by templateLink, which are not looked into"));
        }
    }
    Ok(())
}

/// Whether anything in a template is deployed from another place.
fn has_link(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.iter().any(has_link),
        Value::Object(object) => {
            object.iter().any(|(key, inner)| key.eq_ignore_ascii_case("templateLink") || has_link(inner))
        }
        _ => false,
    }
}

/// The policy of one container group, if it is a confidential one.
pub(super) fn group(group: &Map<String, Value>, found: &mut Vec<Found>) -> Result<(), DeploymentError> {
    group_in(text(group, "name").unwrap_or("the container group"), group, &Scope::default(), found)
}

/// `resources` is a list, or an object by symbolic name; each may have resources of its own, or a whole template.
fn resources(
    parent: &Map<String, Value>,
    scope: &Scope,
    depth: usize,
    found: &mut Vec<Found>,
) -> Result<(), DeploymentError> {
    let all: Vec<&Value> = match ignoring_case(parent, "resources") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(Value::Object(named)) => named.values().collect(),
        _ => return Ok(()),
    };
    if depth > MAX_STEPS {
        return Err(DeploymentError::Nested);
    }
    for entry in all.into_iter().filter_map(Value::as_object) {
        if GROUP_TYPES.contains(&text(entry, "type").unwrap_or_default().to_ascii_lowercase().as_str()) {
            let written = text(entry, "name").unwrap_or("a container group");
            let name = scope.text(written).map_or_else(|_| written.to_owned(), |(name, _)| name);
            group_in(&name, entry, scope, found)?;
        }
        let properties = ignoring_case(entry, "properties").and_then(Value::as_object);
        let property = |name| properties.and_then(|p| ignoring_case(p, name)).and_then(Value::as_object);
        if let Some(inner) = property("template") {
            let asked = property("expressionEvaluationOptions").and_then(|o| ignoring_case(o, "scope"));
            let own = asked.and_then(Value::as_str).is_some_and(|s| s.eq_ignore_ascii_case("inner"));
            if own {
                let given = property("parameters");
                resources(inner, &scope.within(inner, given), depth + 1, found)?;
            } else {
                resources(inner, scope, depth + 1, found)?;
            }
        }
        resources(entry, scope, depth + 1, found)?;
    }
    Ok(())
}

fn group_in(
    name: &str,
    group: &Map<String, Value>,
    scope: &Scope,
    found: &mut Vec<Found>,
) -> Result<(), DeploymentError> {
    let unresolved = |written: &Value, why| DeploymentError::Unresolved {
        group: name.to_owned(),
        expression: written.as_str().map_or_else(|| written.to_string(), str::to_owned).chars().take(120).collect(),
        why,
    };
    let resolve = |written: Option<&Value>| match written {
        Some(written) => scope.resolve(written).map_err(|why| unresolved(written, why)),
        None => Ok(Resolved::default()),
    };
    let written = ignoring_case(group, "properties");
    let properties = resolve(written.filter(|written| written.is_string()))?;
    // What `az container show` prints lacks the level.
    let inside = properties.value.as_object().or(written.and_then(Value::as_object)).unwrap_or(group);
    let confidential = resolve(ignoring_case(inside, "confidentialComputeProperties"))?;
    let is_sku = |sku: &Resolved| sku.value.as_str().is_some_and(|sku| sku.eq_ignore_ascii_case("confidential"));
    let skus = [resolve(ignoring_case(group, "sku"))?, resolve(ignoring_case(inside, "sku"))?];
    if confidential.value.is_null() && !skus.iter().any(is_sku) {
        return Ok(());
    }
    let written = confidential.value.as_object().and_then(|c| ignoring_case(c, "ccePolicy")).unwrap_or(&Value::Null);
    let resolved = resolve(Some(written))?;
    let remark = [&resolved, &confidential, &properties].into_iter().find_map(|r| r.remark.clone());
    match &resolved.value {
        Value::Null => Err(DeploymentError::Empty(name.to_owned())),
        Value::String(text) if text.trim().is_empty() => Err(DeploymentError::Empty(name.to_owned())),
        Value::String(text) => policy::push(name, text, remark, found),
        _ => Err(unresolved(written, "its value is no text")),
    }
}

/// What expressions may name: a template's parameters and variables, and the values that a nested template is given.
#[derive(Default)]
struct Scope<'a> {
    parameters: Option<&'a Map<String, Value>>,
    variables: Option<&'a Map<String, Value>>,
    given: Vec<(&'a str, Result<Resolved, &'static str>)>,
    work: Rc<Cell<usize>>,
}

/// A value without expressions, and what a person should know of where it came from.
#[derive(Clone, Default)]
struct Resolved {
    value: Value,
    remark: Option<String>,
}

impl<'a> Scope<'a> {
    fn of(template: &'a Map<String, Value>) -> Self {
        let object = |name| template.get(name).and_then(Value::as_object);
        Self { parameters: object("parameters"), variables: object("variables"), ..Self::default() }
    }

    /// The scope of a template inside this one's.
    fn within<'b>(&self, inner: &'b Map<String, Value>, given: Option<&'b Map<String, Value>>) -> Scope<'b> {
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
        if self.work.get() > MAX_WORK { Err("the expressions of this file stand for too much") } else { Ok(()) }
    }

    /// The text that a text of the template stands for.
    fn text(&self, written: &str) -> Result<(String, Option<String>), &'static str> {
        let resolved = self.resolve(&Value::String(written.to_owned()))?;
        match resolved.value {
            Value::String(text) => Ok((text, resolved.remark)),
            _ => Err("its value is no text"),
        }
    }

    /// What a value stands for: itself, unless it is an expression.
    fn resolve(&self, written: &Value) -> Result<Resolved, &'static str> {
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
            let object = resolved.value.as_object().ok_or("a member is asked of what is no object")?;
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

fn text<'v>(map: &'v Map<String, Value>, name: &str) -> Option<&'v str> {
    ignoring_case(map, name).and_then(Value::as_str)
}

/// A member, whose name Azure reads in either case.
pub(super) fn ignoring_case<'v>(map: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
