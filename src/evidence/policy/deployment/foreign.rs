//! What is told of files that hold no policy: the languages that deployments are made from, and misplaced values.

use serde_json::Value;

use super::{ANNOTATIONS, DeploymentError};

/// Recognises a source that another tool makes a deployment of.
pub(super) fn source(text: &str) -> Option<DeploymentError> {
    let lines = || text.lines().map(str::trim);
    let begins = |words: &[&str]| lines().any(|line| words.iter().any(|word| line.starts_with(word)));
    let opens =
        |words: &[&str]| lines().any(|line| line.ends_with('{') && words.iter().any(|word| line.starts_with(word)));
    if begins(&["@description(", "targetScope ="]) || lines().any(declares) {
        return Some(DeploymentError::Source("Bicep", "give the template that `az bicep build` makes of it"));
    }
    if opens(&["resource \"", "variable \"", "provider \"", "data \"", "module \"", "terraform {", "locals {"]) {
        let then = "give the policy's base64 alone, as `terraform show -json` of the plan shows it";
        return Some(DeploymentError::Source("Terraform", then));
    }
    let lower = text.to_ascii_lowercase();
    if text.contains("{{") && (lower.contains("apiversion:") || lower.contains("ccepolicy")) {
        return Some(DeploymentError::Source("a Helm template", "give the manifest that `helm template` makes of it"));
    }
    None
}

/// A line of Bicep: `param name type`, or `resource name 'type@version' = {`.
fn declares(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let (keyword, name, third) = (words.next(), words.next(), words.next());
    let named = name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    match keyword {
        Some("param") => named && third.is_some_and(|t| ["string", "object", "array", "int", "bool"].contains(&t)),
        Some("resource" | "module") => named && third.is_some_and(|t| t.starts_with('\'')),
        _ => false,
    }
}

/// Where a value called `ccePolicy`, or an annotation that is no pod's, stands, as in `standbyPool.ccePolicy`.
pub(super) fn misplaced(value: &Value) -> Option<String> {
    let step = |key: &str, inner| misplaced(inner).map(|path| format!("{key}.{path}"));
    match value {
        Value::Object(object) => object.iter().find_map(|(key, inner)| {
            if key.eq_ignore_ascii_case("ccePolicy") || ANNOTATIONS.contains(&key.as_str()) {
                Some(key.clone())
            } else {
                step(key, inner)
            }
        }),
        Value::Array(list) => list.iter().enumerate().find_map(|(index, inner)| step(&index.to_string(), inner)),
        _ => None,
    }
}
