//! The security policies in a file: raw Rego, its base64, or whatever deployment file carries them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::digest::{HostData, sha256};
use crate::json;

/// The largest file that is read: 16 MiB.
pub const MAX_FILE: usize = 16 << 20;

/// How often a parameter or variable may lead to another one.
const MAX_STEPS: usize = 16;

/// The annotation that carries a policy on Kubernetes' virtual nodes.
pub const ANNOTATION: &str = "microsoft.containerinstance.virtualnode.ccepolicy";

const GROUP_TYPES: [&str; 2] =
    ["microsoft.containerinstance/containergroups", "microsoft.containerinstance/containergroupprofiles"];

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
    /// Neither text nor anything else that is known.
    #[error("the file is neither Rego, nor base64, nor an ARM template, nor YAML with a policy")]
    Unknown,
    /// Begins like JSON and is none.
    #[error("the file begins as JSON does")]
    Json(#[from] json::JsonError),
    /// Not YAML, or more of it than any deployment has.
    #[error("the file cannot be read as YAML: {0}")]
    Yaml(String),
    /// A deployment without any policy.
    #[error("the deployment holds no confidential container group with a policy")]
    NoPolicy,
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
    /// A policy that is no base64.
    #[error("the policy of {0} is not base64, or empty")]
    NotBase64(String),
}

/// Finds every policy in a file.
///
/// # Errors
/// [`DeploymentError`]; a single policy that cannot be resolved or decoded refuses the file.
pub fn find(file: &[u8]) -> Result<Vec<Found>, DeploymentError> {
    if file.len() > MAX_FILE {
        return Err(DeploymentError::TooLarge);
    }
    let trimmed = file.trim_ascii();
    if looks_like_rego(file) {
        return Ok(vec![Found { name: None, policy: file.to_vec(), remark: None }]);
    }
    if let Some(policy) = Some(trimmed).filter(|t| !t.is_empty()).and_then(|t| STANDARD.decode(t).ok()) {
        return Ok(vec![Found { name: None, policy, remark: None }]);
    }
    let documents = if trimmed.starts_with(b"{") {
        vec![json::parse(file)?]
    } else {
        yaml(str::from_utf8(file).map_err(|_| DeploymentError::Unknown)?)?
    };
    let mut found = Vec::new();
    for document in &documents {
        match document {
            Value::Object(template) if template.contains_key("resources") => arm(template, &mut found)?,
            Value::Object(group) if group.contains_key("properties") => {
                let name = text(group, "name").unwrap_or("the container group");
                resource(group, name, &Scope::none(), &mut found)?;
            }
            _ => annotations(document, "the pod", &mut found)?,
        }
    }
    match (found.is_empty(), documents.iter().any(Value::is_object)) {
        (false, _) => Ok(found),
        (true, true) => Err(DeploymentError::NoPolicy),
        (true, false) => Err(DeploymentError::Unknown),
    }
}

/// Whether a file is Rego: its first line that says anything is a `package` line.
fn looks_like_rego(file: &[u8]) -> bool {
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let mut lines = file.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(b"#"));
    first.is_some_and(|line| {
        line.strip_prefix(b"package").is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_whitespace))
    })
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
            max_nodes: 100_000,
        },
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let whole = error.to_string();
        let first = whole.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        DeploymentError::Yaml(first.chars().take(300).collect())
    })
}

/// The parameters and variables that an ARM expression may name.
struct Scope<'a> {
    parameters: Option<&'a Map<String, Value>>,
    variables: Option<&'a Map<String, Value>>,
}

impl Scope<'_> {
    fn none() -> Self {
        Self { parameters: None, variables: None }
    }
}

fn arm(template: &Map<String, Value>, found: &mut Vec<Found>) -> Result<(), DeploymentError> {
    let object = |name| template.get(name).and_then(Value::as_object);
    let scope = Scope { parameters: object("parameters"), variables: object("variables") };
    arm_resources(template, &scope, found)
}

/// `resources` is a list, or an object by symbolic name; each may have resources of its own, or a whole template.
fn arm_resources(parent: &Map<String, Value>, scope: &Scope, found: &mut Vec<Found>) -> Result<(), DeploymentError> {
    let all: Vec<&Value> = match parent.get("resources") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(Value::Object(named)) => named.values().collect(),
        _ => return Ok(()),
    };
    for entry in all.into_iter().filter_map(Value::as_object) {
        let kind = text(entry, "type").unwrap_or_default().to_ascii_lowercase();
        let written = text(entry, "name").unwrap_or("a container group");
        if GROUP_TYPES.contains(&kind.as_str()) {
            let name = resolve(written, scope).map_or_else(|_| written.to_owned(), |(name, _)| name);
            resource(entry, &name, scope, found)?;
        }
        if let Some(Value::Object(inner)) = entry.get("properties").and_then(|p| p.get("template")) {
            arm(inner, found)?;
        }
        arm_resources(entry, scope, found)?;
    }
    Ok(())
}

/// The policy of one container group, if it is a confidential one.
fn resource(
    group: &Map<String, Value>,
    name: &str,
    scope: &Scope,
    found: &mut Vec<Found>,
) -> Result<(), DeploymentError> {
    let properties = group.get("properties");
    let Some(confidential) = properties.and_then(|p| p.get("confidentialComputeProperties")) else { return Ok(()) };
    let Some(Value::String(written)) = confidential.get("ccePolicy") else {
        return Err(DeploymentError::NotBase64(name.to_owned()));
    };
    let (policy, remark) = resolve(written, scope).map_err(|why| DeploymentError::Unresolved {
        group: name.to_owned(),
        expression: written.chars().take(120).collect(),
        why,
    })?;
    push(name, &policy, remark, found)
}

fn push(name: &str, base64: &str, remark: Option<String>, found: &mut Vec<Found>) -> Result<(), DeploymentError> {
    let policy = STANDARD.decode(base64.trim()).ok().filter(|policy| !policy.is_empty());
    let policy = policy.ok_or_else(|| DeploymentError::NotBase64(name.to_owned()))?;
    found.push(Found { name: Some(name.to_owned()), policy, remark });
    Ok(())
}

/// The text that an ARM value stands for: itself, a parameter's default, or a variable.
fn resolve(written: &str, scope: &Scope) -> Result<(String, Option<String>), &'static str> {
    let (mut value, mut remark) = (written.to_owned(), None);
    for _ in 0..MAX_STEPS {
        if let Some(escaped) = value.strip_prefix("[[") {
            return Ok((format!("[{escaped}"), remark));
        }
        let Some(expression) = value.strip_prefix('[').and_then(|v| v.strip_suffix(']')) else {
            return Ok((value, remark));
        };
        let (function, name) = call(expression).ok_or("only parameters('…') and variables('…') are resolved")?;
        let next = if function.eq_ignore_ascii_case("parameters") {
            let parameter =
                scope.parameters.and_then(|p| ignoring_case(p, name)).ok_or("there is no such parameter")?;
            remark = Some(format!("the default of the parameter {name}: a deployment may give another one"));
            parameter
                .get("defaultValue")
                .ok_or("the parameter has no default: give the file with its value filled in")?
        } else if function.eq_ignore_ascii_case("variables") {
            scope.variables.and_then(|v| ignoring_case(v, name)).ok_or("there is no such variable")?
        } else {
            return Err("only parameters('…') and variables('…') are resolved");
        };
        value = next.as_str().ok_or("its value is no text")?.to_owned();
    }
    Err("it leads in a circle")
}

/// `function('name')`, nothing before or after.
fn call(expression: &str) -> Option<(&str, &str)> {
    let (function, rest) = expression.trim().split_once('(')?;
    let name = rest.trim_end().strip_suffix(')')?.trim().strip_prefix('\'')?.strip_suffix('\'')?;
    (!name.contains('\'')).then_some((function.trim(), name))
}

fn ignoring_case<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Every annotation with a policy, wherever it stands; its name is that of the nearest `metadata` around it.
fn annotations(value: &Value, name: &str, found: &mut Vec<Found>) -> Result<(), DeploymentError> {
    match value {
        Value::Object(object) => {
            let named = object.get("metadata").and_then(|m| m.get("name")).and_then(Value::as_str);
            let name = named.or_else(|| text(object, "name")).unwrap_or(name);
            for (key, inner) in object {
                match (key.as_str(), inner) {
                    (ANNOTATION, Value::String(policy)) => push(name, policy, None, found)?,
                    (ANNOTATION, _) => return Err(DeploymentError::NotBase64(name.to_owned())),
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

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGO: &str = "package policy\n\napi_svn := \"0.10.0\"\n";

    fn template(policy: &str) -> String {
        format!(
            r#"{{"parameters": {{"p": {{"type": "string", "defaultValue": "[variables('v')]"}}, "empty": {{"type": "string"}}}},
            "variables": {{"v": "{}", "circle": "[variables('circle')]"}},
            "resources": [{{"type": "Microsoft.ContainerInstance/containerGroups", "name": "[variables('n')]",
              "properties": {{"confidentialComputeProperties": {{"ccePolicy": "{policy}"}}}}}},
              {{"type": "Microsoft.Network/x", "name": "y", "properties": {{}}}}]}}"#,
            STANDARD.encode(REGO)
        )
    }

    #[test]
    fn every_way_to_carry_a_policy_gives_the_same_host_data() {
        let encoded = STANDARD.encode(REGO);
        let yaml = format!(
            "apiVersion: '2023-05-01'\nname: group\nproperties:\n  confidentialComputeProperties:\n    ccePolicy: {encoded}\ntype: Microsoft.ContainerInstance/containerGroups\n"
        );
        let pod = format!(
            "kind: Service\nmetadata: {{name: s}}\n---\nkind: Deployment\nmetadata:\n  name: d\nspec:\n  template:\n    metadata:\n      name: pod\n      annotations:\n        {ANNOTATION}: {encoded}\n"
        );
        for (file, name) in [
            (REGO.to_owned(), None),
            (encoded.clone(), None),
            (format!("{encoded}\n"), None),
            (template(&encoded), Some("[variables('n')]")),
            (template("[parameters('P')]"), Some("[variables('n')]")),
            (template("[ variables( 'v' ) ]"), Some("[variables('n')]")),
            (yaml, Some("group")),
            (pod, Some("pod")),
        ] {
            let found = find(file.as_bytes()).unwrap_or_else(|e| panic!("{e}: {file}"));
            assert_eq!(found.len(), 1, "{file}");
            assert_eq!((found[0].name.as_deref(), &found[0].policy[..]), (name, REGO.as_bytes()), "{file}");
        }
        assert!(find(template("[parameters('p')]").as_bytes()).unwrap()[0].remark.is_some());
    }

    #[test]
    fn what_cannot_be_resolved_is_refused() {
        for policy in [
            "[parameters('empty')]",
            "[parameters('other')]",
            "[variables('circle')]",
            "[concat('a', 'b')]",
            "[parameters('p'), 'x']",
        ] {
            let error = find(template(policy).as_bytes()).unwrap_err();
            assert!(matches!(error, DeploymentError::Unresolved { .. }), "{policy}: {error}");
        }
        assert!(matches!(find(template("").as_bytes()), Err(DeploymentError::NotBase64(_))));
        assert!(matches!(find(template("%").as_bytes()), Err(DeploymentError::NotBase64(_))));
        assert!(matches!(find(b"{\"resources\": []}"), Err(DeploymentError::NoPolicy)));
        assert!(matches!(find(b"a: b"), Err(DeploymentError::NoPolicy)));
        assert!(find(b"").is_err());
        assert!(find(b"\xff\xfe").is_err());
    }

    #[test]
    fn a_file_of_aliases_is_refused_soon() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..30 {
            let previous = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb += &format!("a{level}: &a{level} [{previous}]\n");
        }
        assert!(matches!(find(bomb.as_bytes()), Err(DeploymentError::Yaml(_))));
        assert!(find(format!("a: {}", "[".repeat(10_000)).as_bytes()).is_err());
    }
}
