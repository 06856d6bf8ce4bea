//! Azure Resource Manager templates: container groups wherever they stand, and the expressions that policies are.
//!
//! A nested deployment is read in the scope that Azure evaluates it in: the outer template's, or its own with the
//! parameters that the outer one gives it.

mod scope;

use serde_json::{Map, Value};

use self::scope::{Resolved, Scope};
use super::{DeploymentError, Found, policy};

/// How often a parameter or variable may lead to another one, and templates to nested ones.
const MAX_STEPS: usize = 16;

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

fn text<'v>(map: &'v Map<String, Value>, name: &str) -> Option<&'v str> {
    ignoring_case(map, name).and_then(Value::as_str)
}

/// A member, whose name Azure reads in either case.
pub(super) fn ignoring_case<'v>(map: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
