//! The security policies in a file: raw Rego, its base64, or whatever deployment file carries them.

mod arm;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

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

/// The annotation that carries a policy on Kubernetes' virtual nodes.
pub const ANNOTATION: &str = "microsoft.containerinstance.virtualnode.ccepolicy";

/// The annotations with which Kata containers (confidential AKS) carry a policy of another kind.
const KATA: [&str; 2] = ["io.katacontainers.config.agent.policy", "io.katacontainers.config.hypervisor.cc_init_data"];

const MARK: &[u8] = b"\xef\xbb\xbf";

/// A policy, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The container group's name; `None` where the file is the policy itself.
    pub name: Option<String>,
    /// The policy's bytes, untouched.
    pub policy: Vec<u8>,
    /// What a person should know of how it was found: a default that a deployment may replace, for instance.
    pub remark: Option<String>,
}

impl Found {
    /// The host data of nodes started with this policy.
    pub fn host_data(&self) -> HostData {
        HostData(sha256(&self.policy))
    }
}

/// Why no policy can be taken from a file.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// Too large.
    #[error("the file is larger than {MAX_FILE} bytes, more than a policy or deployment has")]
    TooLarge,
    /// Too large for a deployment.
    #[error("the deployment is larger than {MAX_DEPLOYMENT} bytes, more than Azure takes")]
    LargeDeployment,
    /// More policies than any deployment has.
    #[error("the deployment holds more than {MAX_POLICIES} policies: give its container groups in several files")]
    ManyPolicies,
    /// Nothing in it.
    #[error("the file is empty")]
    Nothing,
    /// Neither text nor anything else that is known.
    #[error("the file is neither Rego, nor base64, nor an ARM template, nor YAML with a policy")]
    Unknown,
    /// UTF-16, of which nobody can tell what was meant to be hashed.
    #[error("the file is UTF-16 text, as PowerShell's > writes it: save it as UTF-8")]
    Utf16,
    /// Begins like JSON and is none.
    #[error("the file begins as JSON does")]
    Json(#[from] json::JsonError),
    /// Not YAML, or more of it than any deployment has.
    #[error("the file cannot be read as YAML: {0}")]
    Yaml(String),
    /// A deployment without any policy.
    #[error(
        "the deployment holds no policy: no confidential container group with a ccePolicy, and no pod with the \
         annotation {ANNOTATION}"
    )]
    NoPolicy,
    /// Values for a template's parameters, without the template.
    #[error("the file holds the values of a deployment's parameters: give the template, with the policy filled in")]
    Parameters,
    /// A policy of Kata containers.
    #[error(
        "the policy is one of Kata containers (confidential AKS): it is not the host data of a container group, \
         and CCF's join policy knows nothing of it"
    )]
    Kata,
    /// A confidential container group whose policy was not made yet.
    #[error("{0} is confidential and has no policy yet: its ccePolicy is missing or empty")]
    Empty(String),
    /// A policy that cannot be resolved.
    #[error("the policy of {group} is {expression}, which cannot be resolved: {why}")]
    Unresolved {
        /// The container group.
        group: String,
        /// The ARM expression.
        expression: String,
        /// Why not.
        why: &'static str,
    },
    /// Templates in templates.
    #[error("deployments are nested deeper than any real one")]
    Nested,
    /// A policy that is no base64.
    #[error("the policy of {0} is not base64; ccePolicy is the base64 of the Rego text")]
    NotBase64(String),
    /// Base64 of base64.
    #[error("{0} is base64 of base64: the platform decodes it once, and would not find a policy")]
    Twice(String),
}

/// Finds every policy in a file.
///
/// # Errors
/// [`DeploymentError`]; a single policy that cannot be resolved or decoded refuses the file.
pub fn find(file: &[u8]) -> Result<Vec<Found>, DeploymentError> {
    if file.len() > MAX_FILE {
        return Err(DeploymentError::TooLarge);
    }
    if is_utf16(file) {
        return Err(DeploymentError::Utf16);
    }
    match package(file) {
        Some(b"agent_policy") => return Err(DeploymentError::Kata),
        Some(_) => return Ok(vec![Found { name: None, policy: file.to_vec(), remark: None }]),
        None => {}
    }
    let text = file.strip_prefix(MARK).unwrap_or(file).trim_ascii();
    if text.is_empty() {
        return Err(DeploymentError::Nothing);
    }
    if let Some(policy) = decode(text).filter(|policy| package(policy).is_some() || is_text(policy)) {
        refuse_others("the file", &policy)?;
        return Ok(vec![Found { name: None, policy, remark: None }]);
    }
    let documents = if text.starts_with(b"{") {
        if text.len() > MAX_DEPLOYMENT {
            return Err(DeploymentError::LargeDeployment);
        }
        vec![json::parse_up_to(MAX_VALUES, text)?]
    } else {
        let text = str::from_utf8(text).map_err(|_| DeploymentError::Unknown)?;
        if text.len() > MAX_DEPLOYMENT {
            return Err(DeploymentError::Unknown);
        }
        yaml(text)?
    };
    let mut found = Vec::new();
    for document in &documents {
        match document {
            Value::Object(template) if template.contains_key("resources") => arm::template(template, &mut found)?,
            Value::Object(values) if is_parameters(values) => return Err(DeploymentError::Parameters),
            Value::Object(group) if group.contains_key("properties") => {
                arm::group(text_of(group, "name").unwrap_or("the container group"), group, &mut found)?;
            }
            _ => annotations(document, "the pod", &mut found)?,
        }
    }
    match (found.is_empty(), documents.iter().any(|d| d.is_object() || d.is_array())) {
        (false, _) => Ok(found),
        (true, true) => Err(DeploymentError::NoPolicy),
        (true, false) => Err(DeploymentError::Unknown),
    }
}

fn is_utf16(file: &[u8]) -> bool {
    // A file without a mark shows itself by a zero beside its first letter, which no UTF-8 text has.
    matches!(file, [0xff, 0xfe, ..] | [0xfe, 0xff, ..])
        || matches!(file, [first, 0, ..] | [0, first, ..] if first.is_ascii_graphic())
}

/// The package that a file names in its first line that says anything: then it is Rego.
fn package(file: &[u8]) -> Option<&[u8]> {
    let file = file.strip_prefix(MARK).unwrap_or(file);
    let mut lines = file.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(b"#"))?;
    let name = first.strip_prefix(b"package")?;
    name.first().is_some_and(u8::is_ascii_whitespace).then(|| name.trim_ascii())
}

/// What base64 stands for, on one line or several.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    STANDARD.decode(text).ok().filter(|policy| !policy.is_empty())
}

/// Whether bytes are text that a person could have written.
fn is_text(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_ok_and(|text| text.chars().all(|c| !c.is_control() || "\t\r\n\u{feff}".contains(c)))
}

/// What no container group would start with, though it can be decoded.
fn refuse_others(name: &str, policy: &[u8]) -> Result<(), DeploymentError> {
    if package(policy) == Some(b"agent_policy") {
        return Err(DeploymentError::Kata);
    }
    if decode(policy).is_some_and(|inner| package(&inner).is_some()) {
        return Err(DeploymentError::Twice(name.to_owned()));
    }
    Ok(())
}

fn push(name: &str, base64: &str, remark: Option<String>, found: &mut Vec<Found>) -> Result<(), DeploymentError> {
    if base64.trim().is_empty() {
        return Err(DeploymentError::Empty(name.to_owned()));
    }
    let policy = decode(base64.as_bytes()).ok_or_else(|| DeploymentError::NotBase64(name.to_owned()))?;
    refuse_others(&format!("the policy of {name}"), &policy)?;
    if found.len() == MAX_POLICIES {
        return Err(DeploymentError::ManyPolicies);
    }
    found.push(Found { name: Some(name.to_owned()), policy, remark });
    Ok(())
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
        DeploymentError::Yaml(first.chars().take(300).collect())
    })
}

fn is_parameters(values: &Map<String, Value>) -> bool {
    text_of(values, "$schema").is_some_and(|schema| schema.contains("deploymentParameters"))
}

/// Every annotation with a policy, wherever it stands; its name is that of the nearest `metadata` around it.
fn annotations(value: &Value, name: &str, found: &mut Vec<Found>) -> Result<(), DeploymentError> {
    match value {
        Value::Object(object) => {
            let named = object.get("metadata").and_then(|m| m.get("name")).and_then(Value::as_str);
            let name = named.or_else(|| text_of(object, "name")).unwrap_or(name);
            for (key, inner) in object {
                match (key.as_str(), inner) {
                    (ANNOTATION, Value::String(policy)) => push(name, policy, None, found)?,
                    (ANNOTATION, Value::Null) => return Err(DeploymentError::Empty(name.to_owned())),
                    (ANNOTATION, _) => return Err(DeploymentError::NotBase64(name.to_owned())),
                    (key, _) if KATA.contains(&key) => return Err(DeploymentError::Kata),
                    _ => annotations(inner, name, found)?,
                }
            }
        }
        Value::Array(list) => {
            for inner in list {
                annotations(inner, name, found)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn text_of<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests;
