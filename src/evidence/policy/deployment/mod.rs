//! The security policies in a file: raw Rego, its base64, or whatever deployment file carries them.

mod arm;
mod bicep;
mod comments;
mod error;
mod foreign;
mod parameters;
mod pods;
mod policy;

use crate::text::clip;
use serde_json::{Map, Value};

pub use error::DeploymentError;

use crate::digest::{HostData, sha256};
use crate::json;

/// The largest file that is read: 16 MiB.
pub const MAX_FILE: usize = 16 << 20;

/// The largest deployment that is read: 4 MiB, which is more than Azure takes.
pub const MAX_DEPLOYMENT: usize = 4 << 20;

/// The most values in a deployment, as JSON or as YAML.
const MAX_VALUES: u32 = 100_000;

/// The most policies in a deployment.
const MAX_POLICIES: usize = 100;

/// How many bytes they have together: what they list takes far more memory than their text.
const MAX_TOTAL: usize = 2 << 20;

/// The annotation that carries a policy on Kubernetes' virtual nodes.
pub const ANNOTATION: &str = "microsoft.containerinstance.virtualnode.ccepolicy";

/// The annotations that carry one: that of virtual nodes, and that of the virtual kubelet before them.
const ANNOTATIONS: [&str; 2] = [ANNOTATION, "virtual-kubelet.io/confidential-compute-cce-policy"];

const MARK: &[u8] = b"\xef\xbb\xbf";

/// A policy, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPolicy {
    /// The container group's name; `None` where the file is the policy itself.
    pub name: Option<String>,
    /// The policy's bytes, untouched.
    pub policy: Vec<u8>,
    /// What a person should know of how it was found: a default that a deployment may replace, for instance.
    pub remark: Option<String>,
}

impl FoundPolicy {
    /// The host data of nodes started with this policy.
    pub fn host_data(&self) -> HostData {
        HostData(sha256(&self.policy))
    }
}

/// Finds every policy in a file.
///
/// # Errors
/// [`DeploymentError`]; a single policy that cannot be resolved or decoded refuses the file.
pub fn find(file: &[u8]) -> Result<Vec<FoundPolicy>, DeploymentError> {
    if file.len() > MAX_FILE {
        return Err(DeploymentError::TooLarge);
    }
    if policy::is_utf16(file) {
        return Err(DeploymentError::Utf16);
    }
    match policy::package(file) {
        Some(b"agent_policy") => return Err(DeploymentError::Kata),
        Some(_) => return Ok(vec![FoundPolicy { name: None, policy: file.to_vec(), remark: None }]),
        None => {}
    }
    let text = file.strip_prefix(MARK).unwrap_or(file).trim_ascii();
    if text.is_empty() {
        return Err(DeploymentError::Nothing);
    }
    if let Some(policy) = policy::of_file(text)? {
        return Ok(vec![FoundPolicy { name: None, policy, remark: None }]);
    }
    if let Ok(text) = str::from_utf8(text)
        && text.len() <= MAX_DEPLOYMENT
        && bicep::is_parameters(text)
    {
        return parameters::bicep(text);
    }
    let documents = documents(text)?;
    let mut found = Vec::new();
    let mut pods = Vec::new();
    for document in &documents {
        match listed(document).unwrap_or(document) {
            Value::Object(template) if arm::ignoring_case(template, "resources").is_some() => {
                let others = found.len();
                arm::template(template, &mut found)?;
                // The values of Helm charts have a key of that name too.
                if found.len() == others {
                    pods::collect(document, None, &mut pods)?;
                }
            }
            Value::Object(values) if is_parameters(values) => parameters::json(values, &mut found)?,
            Value::Object(group) if is_group(group) => arm::group(group, &mut found)?,
            list @ Value::Array(groups) if is_groups(list) => {
                groups.iter().filter_map(Value::as_object).try_for_each(|group| arm::group(group, &mut found))?;
            }
            _ => pods::collect(document, None, &mut pods)?,
        }
    }
    pods::push(&pods, &mut found)?;
    if found.is_empty() {
        let misplaced = documents.iter().find_map(foreign::misplaced);
        let elsewhere = |path: String| DeploymentError::Elsewhere(clip(&path, 120));
        return Err(misplaced.map_or(DeploymentError::NoPolicy, elsewhere));
    }
    Ok(found)
}

/// What a file of JSON or YAML holds: at least one object or list.
fn documents(text: &[u8]) -> Result<Vec<Value>, DeploymentError> {
    if text.len() > MAX_DEPLOYMENT {
        // Any other bytes may be a program.
        let json = text.starts_with(b"{");
        return Err(if json { DeploymentError::LargeDeployment } else { DeploymentError::Unknown });
    }
    if let [b'{' | b'[' | b'/', ..] = text {
        let plain = comments::blanked(text);
        let plain = plain.trim_ascii();
        match (plain.first(), json::parse_up_to(MAX_VALUES, plain)) {
            (Some(b'{'), Ok(Value::Object(values))) if policy::is_json_policy(&values) => {
                return Err(DeploymentError::JsonPolicy("the file".into()));
            }
            (Some(b'{' | b'['), Ok(value)) => return Ok(vec![value]),
            (Some(b'{'), Err(error)) if !plain.starts_with(b"{{") => return Err(error.into()),
            // A list may be YAML, and two braces begin Helm templates.
            _ => {}
        }
    }
    let text = str::from_utf8(text).map_err(|_| DeploymentError::Unknown)?;
    let refused = |error| Err(foreign::source(text).unwrap_or(error));
    match yaml(text) {
        Ok(documents) if documents.iter().any(|d| d.is_object() || d.is_array()) => Ok(documents),
        Ok(_) => refused(DeploymentError::Unknown),
        Err(error) => refused(error),
    }
}

/// The documents of a YAML file, within bounds that a file of aliases of aliases soon meets.
fn yaml(text: &str) -> Result<Vec<Value>, DeploymentError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 200_000,
            max_aliases: 256,
            max_anchors: 256,
            max_recorded_anchor_events: 50_000,
            max_recorded_anchor_bytes: 32 << 20,
            max_depth: 64,
            max_documents: 256,
            max_nodes: MAX_VALUES as usize,
        },
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let whole = error.to_string();
        let first = whole.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        let first = first.strip_prefix("error: ").unwrap_or(first);
        DeploymentError::Yaml(clip(first, 300))
    })
}

fn is_parameters(values: &Map<String, Value>) -> bool {
    text_of(values, "$schema").is_some_and(|schema| schema.contains("deploymentParameters"))
}

/// A container group, as the resource provider has it or, without the level `properties`, as `az container show` does.
fn is_group(group: &Map<String, Value>) -> bool {
    let has = |name| arm::ignoring_case(group, name).is_some();
    has("properties") || (has("containers") && has("confidentialComputeProperties"))
}

fn is_groups(list: &Value) -> bool {
    list.as_array().is_some_and(|list| list.iter().all(|entry| entry.as_object().is_some_and(is_group)))
}

/// The container groups in an answer of Azure's management API (`az rest`), which has them one level down.
fn listed(answer: &Value) -> Option<&Value> {
    answer.get("value").filter(|list| is_groups(list))
}

fn text_of<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests;
