//! The values of a deployment's parameters: `.bicepparam` files, and their JSON form.

use crate::text::clip;
use serde_json::{Map, Value};

use super::bicep::{self, Literal};
use super::{DeploymentError, FoundPolicy, policy};

/// What is to be known of a policy that comes from such a file.
const REMARK: &str =
    "it is the value of a deployment's parameter: the deployment has it only where its template takes it as the policy";

/// The policies among the values of a Bicep parameters file.
pub(super) fn bicep(text: &str) -> Result<Vec<FoundPolicy>, DeploymentError> {
    let mut found = Vec::new();
    for (name, value) in bicep::parameters(text)? {
        collect(&name, &value, &mut found)?;
    }
    if found.is_empty() { Err(DeploymentError::Parameters) } else { Ok(found) }
}

/// The policies among the values of a JSON parameters file.
pub(super) fn json(values: &Map<String, Value>, found: &mut Vec<FoundPolicy>) -> Result<(), DeploymentError> {
    let before = found.len();
    for (name, parameter) in values.get("parameters").and_then(Value::as_object).into_iter().flatten() {
        let Some(value) = parameter.get("value") else { continue };
        collect(name, &Literal::of_json(value), found)?;
    }
    if found.len() == before { Err(DeploymentError::Parameters) } else { Ok(()) }
}

/// Adds what a value holds: whatever is a policy, and whatever is called one and is none is refused.
fn collect(path: &str, value: &Literal, found: &mut Vec<FoundPolicy>) -> Result<(), DeploymentError> {
    let named = path.to_ascii_lowercase().contains("ccepolic");
    match value {
        Literal::Text(text) if named && text.trim().is_empty() => Err(DeploymentError::Empty(path.to_owned())),
        Literal::Text(text) if named || is_policy(text) => policy::push(path, text, Some(REMARK.to_owned()), found),
        Literal::Expression(expression) if named => Err(DeploymentError::Unresolved {
            group: path.to_owned(),
            expression: clip(expression, 120),
            why: "only texts, and objects and lists of them, are read",
        }),
        Literal::Members(members) => {
            members.iter().try_for_each(|(name, value)| collect(&format!("{path}.{name}"), value, found))
        }
        Literal::Text(_) | Literal::Expression(_) => Ok(()),
    }
}

fn is_policy(text: &str) -> bool {
    policy::decode(text.as_bytes()).is_some_and(|decoded| policy::package(&decoded).is_some())
}
