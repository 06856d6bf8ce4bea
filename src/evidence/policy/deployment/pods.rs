//! Kubernetes manifests: the annotation with a policy, on any kind of workload.

use serde_json::Value;

use super::{ANNOTATIONS, DeploymentError, FoundPolicy, policy, text_of};

/// The annotations with which Kata containers (confidential AKS) carry a policy of another kind.
pub(super) const KATA: [&str; 2] =
    ["io.katacontainers.config.agent.policy", "io.katacontainers.config.hypervisor.cc_init_data"];

/// A pod's annotation.
pub(super) struct Pod<'v> {
    name: Option<&'v str>,
    annotation: &'v str,
    policy: &'v Value,
}

/// Every annotation with a policy, wherever it stands; its name is that of the nearest `metadata` around it.
pub(super) fn collect<'v>(
    value: &'v Value,
    name: Option<&'v str>,
    pods: &mut Vec<Pod<'v>>,
) -> Result<(), DeploymentError> {
    match value {
        Value::Object(object) => {
            let named = object.get("metadata").and_then(|m| m.get("name")).and_then(Value::as_str);
            let name = named.or_else(|| text_of(object, "name")).or(name);
            // What a Deployment or Job says of itself is not copied to its pods.
            let spec = object.get("spec");
            let makes_pods =
                spec.is_some_and(|spec| ["template", "jobTemplate"].iter().any(|key| spec.get(key).is_some()));
            for (key, inner) in object {
                match key.as_str() {
                    "metadata" if makes_pods => {}
                    annotation if ANNOTATIONS.contains(&annotation) => {
                        pods.push(Pod { name, annotation, policy: inner });
                    }
                    key if KATA.contains(&key) => return Err(DeploymentError::Kata),
                    _ => collect(inner, name, pods)?,
                }
            }
        }
        Value::Array(list) => {
            for inner in list {
                collect(inner, name, pods)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Adds the pods' policies; pods without a name are numbered, where there are several.
pub(super) fn push(pods: &[Pod], found: &mut Vec<FoundPolicy>) -> Result<(), DeploymentError> {
    let unnamed = pods.iter().filter(|pod| pod.name.is_none()).count();
    let mut number = 0;
    for pod in pods {
        let name = match pod.name {
            Some(name) => name.to_owned(),
            None if unnamed == 1 => "the pod".to_owned(),
            None => {
                number += 1;
                format!("pod {number}")
            }
        };
        let empty = |name| Err(DeploymentError::EmptyAnnotation(pod.annotation.to_owned(), name));
        match pod.policy {
            Value::Null => return empty(name),
            Value::String(policy) if policy.trim().is_empty() => return empty(name),
            Value::String(policy) => policy::push(&name, policy, None, found)?,
            _ => return Err(DeploymentError::NotBase64(format!("the policy of {name}"))),
        }
    }
    Ok(())
}
