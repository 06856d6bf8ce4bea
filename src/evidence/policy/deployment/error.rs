//! Why no policy can be taken from a file.

use super::{ANNOTATION, MAX_DEPLOYMENT, MAX_FILE, MAX_POLICIES, MAX_TOTAL};
use crate::json;

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
    #[error(
        "the deployment holds more than {MAX_POLICIES} policies, or more than {MAX_TOTAL} bytes of them: give its \
         container groups in several files"
    )]
    ManyPolicies,
    /// Nothing in it.
    #[error("the file is empty")]
    Nothing,
    /// Neither text nor anything else that is known.
    #[error(
        "the file is not Rego or base64 of it, nor a deployment that carries it: an ARM template, Bicep or JSON parameters, \
         a container group or a pod in YAML or JSON"
    )]
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
    /// What a deployment is made of by another tool: the language, and what to do.
    #[error("the file is {0}: {1}")]
    Source(&'static str, &'static str),
    /// A deployment without any policy.
    #[error(
        "the deployment holds no policy: no confidential container group with a ccePolicy, and no pod with the \
         annotation {ANNOTATION}"
    )]
    NoPolicy,
    /// A value of that name where no platform looks for it, such as in a chart's values.
    #[error(
        "the deployment holds no policy: there is {0}, but a policy is read from a confidential container group's \
         ccePolicy, in a template or by itself, and from a pod's annotation {ANNOTATION}; give the deployment that is \
         made of it, or the policy alone"
    )]
    Elsewhere(String),
    /// Values for a template's parameters, without the template.
    #[error(
        "the file holds the values of a deployment's parameters, and no policy among them: give the template, with the \
         policy filled in"
    )]
    Parameters,
    /// A policy of Kata containers.
    #[error(
        "the policy is one of Kata containers (confidential AKS): it is not the host data of a container group, \
         and CCF's join policy knows nothing of it"
    )]
    Kata,
    /// A policy in hcsshim's old form.
    #[error(
        "{0} is a JSON security policy: only older platforms read it (hcsshim until October 2025); make one in Rego, \
         with `az confcom acipolicygen` for instance"
    )]
    JsonPolicy(String),
    /// Base64 of text as PowerShell's `[Text.Encoding]::Unicode` gives it.
    #[error("{0} is base64 of UTF-16 text, which no policy engine reads: encode the file's own bytes, UTF-8")]
    Utf16Inside(String),
    /// Base64 of something else.
    #[error("{0} is base64, but does not decode to a Rego policy: no line names a package")]
    NotRego(String),
    /// A confidential container group whose policy was not made yet.
    #[error("{0} is confidential and has no policy yet: its ccePolicy is missing or empty")]
    Empty(String),
    /// A pod on a virtual node whose annotation has no value.
    #[error("the annotation {0} of {1} is empty: without a policy a pod does not run as a confidential one")]
    EmptyAnnotation(String, String),
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
    /// A part of a template in which groups may stand.
    #[error("the {0} of a template are given by the expression {1}, so the groups in them are not known: fill it in")]
    Expression(&'static str, String),
    /// Names that Azure takes for one.
    #[error(
        "{0} and {1} are in one object: Azure ignores the case of member names, so it is not known which of \
         them counts"
    )]
    Ambiguous(String, String),
    /// Templates in templates.
    #[error("deployments are nested deeper than any real one")]
    Nested,
    /// What somebody was to replace by a policy.
    #[error("the policy of {0} is the placeholder {1}, not a policy: fill it in")]
    Placeholder(String, String),
    /// A policy that is no base64.
    #[error("{0} is not base64; ccePolicy is the base64 of the Rego text")]
    NotBase64(String),
    /// Base64 that lacks its last characters.
    #[error("{0} lacks the = at its end, with which base64 is padded: was it copied whole?")]
    Unpadded(String),
    /// Base64 in quotes that are part of the value.
    #[error("{0} has quotes around its base64: remove them")]
    Quoted(String),
    /// Base64 of base64.
    #[error("{0} is base64 of base64: the platform decodes it once, and would not find a policy")]
    Twice(String),
}
