//! Azure Resource Manager templates: container groups wherever they stand, and the expressions that policies are.
//!
//! A nested deployment is read in the scope that Azure evaluates it in: the outer template's, or its own with the
//! parameters that the outer one gives it.

mod scope;

use crate::text::clip;
use std::collections::HashMap;

use serde_json::{Map, Value};

use self::scope::{Resolved, Scope};
use super::{DeploymentError, FoundPolicy, policy};

/// How often a parameter or variable may lead to another one, and templates to nested ones.
const MAX_STEPS: usize = 16;

const GROUP_TYPES: [&str; 2] =
    ["microsoft.containerinstance/containergroups", "microsoft.containerinstance/containergroupprofiles"];

/// Every policy in a template.
pub(super) fn template(template: &Map<String, Value>, found: &mut Vec<FoundPolicy>) -> Result<(), DeploymentError> {
    distinct(template)?;
    let before = found.len();
    resources(template, &Scope::of(template), 0, found)?;
    if template.values().any(has_link) {
        remark(found, before, "the template also deploys others by templateLink, which are not looked into");
    }
    Ok(())
}

/// Tells something of all groups from one on.
fn remark(found: &mut [FoundPolicy], from: usize, what: &str) {
    for group in found.iter_mut().skip(from) {
        let told = group.remark.take().map_or_else(String::new, |remark| format!("{remark}; "));
        group.remark = Some(format!("{told}{what}"));
    }
}

/// Refuses names that differ in case alone, anywhere in an object.
fn distinct(object: &Map<String, Value>) -> Result<(), DeploymentError> {
    let mut seen = HashMap::new();
    for (name, value) in object {
        if let Some(other) = seen.insert(name.to_ascii_lowercase(), name) {
            let short = |name: &String| clip(name, 120);
            return Err(DeploymentError::Ambiguous(short(other), short(name)));
        }
        distinct_in(value)?;
    }
    Ok(())
}

fn distinct_in(value: &Value) -> Result<(), DeploymentError> {
    match value {
        Value::Object(object) => distinct(object),
        Value::Array(list) => list.iter().try_for_each(distinct_in),
        _ => Ok(()),
    }
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
pub(super) fn group(group: &Map<String, Value>, found: &mut Vec<FoundPolicy>) -> Result<(), DeploymentError> {
    distinct(group)?;
    group_in(text(group, "name").unwrap_or("the container group"), group, &Scope::default(), found)
}

/// `resources` is a list, or an object by symbolic name; each may have resources of its own, or a whole template.
fn resources(
    parent: &Map<String, Value>,
    scope: &Scope,
    depth: usize,
    found: &mut Vec<FoundPolicy>,
) -> Result<(), DeploymentError> {
    let all: Vec<&Value> = match ignoring_case(parent, "resources") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(Value::Object(named)) => named.values().collect(),
        other => return literal(other, "resources"),
    };
    if depth > MAX_STEPS {
        return Err(DeploymentError::Nested);
    }
    for entry in all.into_iter().filter_map(Value::as_object) {
        let before = found.len();
        if is_group(entry) {
            let written = text(entry, "name").unwrap_or("a container group");
            let name = scope.text(written).map_or_else(|_| written.to_owned(), |(name, _)| name);
            group_in(&name, entry, scope, found)?;
        }
        let written = ignoring_case(entry, "properties");
        let properties = written.and_then(Value::as_object);
        let property = |name| properties.and_then(|p| ignoring_case(p, name)).and_then(Value::as_object);
        if text(entry, "type").is_some_and(|kind| kind.eq_ignore_ascii_case("microsoft.resources/deployments")) {
            literal(written, "deployments")?;
            literal(properties.and_then(|p| ignoring_case(p, "template")), "deployments")?;
        }
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
        match ignoring_case(entry, "condition") {
            None | Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => remark(found, before, "its condition is false, so it is not deployed"),
            Some(_) => remark(found, before, "it is deployed only where its condition holds"),
        }
    }
    Ok(())
}

/// Refuses an expression where groups may stand.
fn literal(value: Option<&Value>, what: &'static str) -> Result<(), DeploymentError> {
    match value.and_then(Value::as_str).filter(|text| text.starts_with('[')) {
        Some(text) => Err(DeploymentError::Expression(what, clip(text, 120))),
        None => Ok(()),
    }
}

/// Whether a resource is a container group, or may be one: its type is an expression, and it has what only these have.
fn is_group(entry: &Map<String, Value>) -> bool {
    let kind = text(entry, "type").unwrap_or_default().to_ascii_lowercase();
    let properties = ignoring_case(entry, "properties").and_then(Value::as_object);
    let confidential = properties.is_some_and(|p| ignoring_case(p, "confidentialComputeProperties").is_some());
    GROUP_TYPES.contains(&kind.as_str()) || (kind.starts_with('[') && confidential)
}

fn group_in(
    name: &str,
    group: &Map<String, Value>,
    scope: &Scope,
    found: &mut Vec<FoundPolicy>,
) -> Result<(), DeploymentError> {
    let unresolved = |written: &Value, why| DeploymentError::Unresolved {
        group: name.to_owned(),
        expression: clip(&written.as_str().map_or_else(|| written.to_string(), str::to_owned), 120),
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
        _ => Err(unresolved(written, "its value is not text")),
    }
}

fn text<'v>(map: &'v Map<String, Value>, name: &str) -> Option<&'v str> {
    ignoring_case(map, name).and_then(Value::as_str)
}

/// A member, whose name Azure reads in either case.
pub(super) fn ignoring_case<'v>(map: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, Engine};
    use serde_json::json;

    use super::super::find;
    use super::*;

    fn group(name: &str) -> Value {
        let policy = BASE64_STANDARD.encode(format!("package policy\n# {name}\n"));
        json!({"type": "Microsoft.ContainerInstance/containerGroups", "name": name, "properties": {"confidentialComputeProperties": {"ccePolicy": policy}}})
    }

    fn with(mut group: Value, name: &str, value: Value) -> Value {
        group.as_object_mut().unwrap().insert(name.into(), value);
        group
    }

    fn found(resources: &[Value]) -> Result<Vec<FoundPolicy>, DeploymentError> {
        find(json!({"resources": resources}).to_string().as_bytes())
    }

    #[test]
    fn names_that_differ_in_case_alone_are_refused() {
        let policy = BASE64_STANDARD.encode("package policy\n# another\n");
        let mut twice = group("a");
        let inside = twice["properties"]["confidentialComputeProperties"].as_object_mut().unwrap();
        inside.insert("CCEPolicy".into(), policy.clone().into());
        let properties = json!({"confidentialComputeProperties": {"ccePolicy": policy}});
        for group in [twice.clone(), with(group("a"), "Properties", properties)] {
            let refused = found(std::slice::from_ref(&group)).unwrap_err();
            assert!(matches!(&refused, DeploymentError::Ambiguous(a, b) if a.eq_ignore_ascii_case(b)), "{refused}");
        }
        assert!(matches!(find(twice.to_string().as_bytes()), Err(DeploymentError::Ambiguous(..))));
        assert_eq!(found(&[group("a"), with(group("b"), "SKU", "Confidential".into())]).unwrap().len(), 2);
    }

    #[test]
    fn a_type_that_is_an_expression_hides_no_group() {
        let kind = "[concat('Microsoft.ContainerInstance', '/containerGroups')]";
        let groups = found(&[group("a"), with(group("b"), "type", kind.into())]).unwrap();
        assert_eq!(groups.iter().map(|g| g.name.as_deref().unwrap()).collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn an_expression_where_groups_may_stand_is_refused() {
        let deployment =
            |properties: Value| json!({"type": "microsoft.resources/deployments", "properties": properties});
        for hidden in [
            deployment("[variables('x')]".into()),
            deployment(json!({"template": "[variables('x')]"})),
            deployment(json!({"template": {"resources": "[variables('x')]"}})),
        ] {
            let refused = found(&[group("a"), hidden]);
            assert!(matches!(refused, Err(DeploymentError::Expression(_, x)) if x == "[variables('x')]"));
        }
        assert_eq!(found(&[group("a"), deployment(json!({"templateLink": {"uri": "x"}}))]).unwrap().len(), 1);
    }

    #[test]
    fn what_is_deployed_under_a_condition_is_told() {
        let nested = json!({"type": "Microsoft.Resources/deployments", "condition": "[parameters('x')]", "properties": {"template": {"resources": [group("c")]}}});
        let groups = [with(group("a"), "condition", false.into()), with(group("b"), "condition", true.into()), nested];
        let remarks: Vec<_> = found(&groups).unwrap().into_iter().map(|g| g.remark).collect();
        let told = |at: usize, what: &str| remarks[at].as_deref().is_some_and(|remark| remark.contains(what));
        assert!(told(0, "is false") && remarks[1].is_none() && told(2, "only where its condition"), "{remarks:?}");
    }
}
