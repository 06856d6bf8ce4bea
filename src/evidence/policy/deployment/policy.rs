//! What a policy's bytes are: Rego, the base64 of it, or what is mistaken for either.

use crate::text::clip;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::{DeploymentError, FoundPolicy, MARK, MAX_POLICIES, MAX_TOTAL, MAX_VALUES};
use crate::json;

/// The package that a text names in its first line that says anything: then it is Rego.
pub(super) fn package(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_prefix(MARK).unwrap_or(text);
    let mut lines = text.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(b"#"))?;
    let name = first.strip_prefix(b"package")?;
    let in_path = |b: &u8| b.is_ascii_alphanumeric() || b"_.[]\"".contains(b);
    let path = || name.trim_ascii_start().split(|b| !in_path(b)).next().unwrap_or_default();
    name.first().is_some_and(u8::is_ascii_whitespace).then(path)
}

/// What base64 stands for, on one line or several.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    STANDARD.decode(text).ok().filter(|policy| !policy.is_empty())
}

/// The policy that a file of base64 is; `None` where it is something else.
pub(super) fn of_file(text: &[u8]) -> Result<Option<Vec<u8>>, DeploymentError> {
    match decode(text) {
        Some(policy) if package(&policy).is_some() || is_text(&policy) || is_utf16(&policy) => {
            refuse_others("the file", &policy)?;
            Ok(Some(policy))
        }
        Some(_) => Ok(None),
        // Words are base64 without its end by accident.
        None => match damaged("the file", text) {
            Some((error, policy)) if package(&policy).is_some() => Err(error),
            _ => Ok(None),
        },
    }
}

/// Adds the policy that a deployment's value is.
pub(super) fn push(
    name: &str,
    base64: &str,
    remark: Option<String>,
    found: &mut Vec<FoundPolicy>,
) -> Result<(), DeploymentError> {
    let what = format!("the policy of {name}");
    let text = base64.trim();
    if is_placeholder(text) {
        return Err(DeploymentError::Placeholder(name.to_owned(), clip(text, 120)));
    }
    let policy = decode(text.as_bytes()).ok_or_else(|| match damaged(&what, text.as_bytes()) {
        Some((error, _)) => error,
        None => DeploymentError::NotBase64(what.clone()),
    })?;
    refuse_others(&what, &policy)?;
    let total = found.iter().map(|f| f.policy.len()).sum::<usize>() + policy.len();
    if found.len() == MAX_POLICIES || total > MAX_TOTAL {
        return Err(DeploymentError::ManyPolicies);
    }
    found.push(FoundPolicy { name: Some(name.to_owned()), policy, remark });
    Ok(())
}

/// Whether JSON is a policy in hcsshim's old form.
pub(super) fn is_json_policy(values: &Map<String, Value>) -> bool {
    let containers = values.get("containers").and_then(Value::as_object);
    values.get("allow_all").is_some_and(Value::is_boolean)
        || containers.is_some_and(|c| c.contains_key("length") || c.contains_key("elements"))
}

/// What no container group would start with, though it can be decoded.
fn refuse_others(what: &str, policy: &[u8]) -> Result<(), DeploymentError> {
    match package(policy) {
        Some(b"agent_policy") => return Err(DeploymentError::Kata),
        Some(_) => return Ok(()),
        None if is_utf16(policy) => return Err(DeploymentError::Utf16Inside(what.to_owned())),
        None => {}
    }
    if decode(policy).is_some_and(|inner| package(&inner).is_some()) {
        return Err(DeploymentError::Twice(what.to_owned()));
    }
    if matches!(json::parse_up_to(MAX_VALUES, policy), Ok(Value::Object(values)) if is_json_policy(&values)) {
        return Err(DeploymentError::JsonPolicy(what.to_owned()));
    }
    if !has_package(policy) {
        return Err(DeploymentError::NotRego(what.to_owned()));
    }
    Ok(())
}

/// Whether any line could be the one that names the package, if not the first one.
fn has_package(policy: &[u8]) -> bool {
    let mut lines = policy.split(|b| b"\r\n".contains(b)).map(<[u8]>::trim_ascii);
    lines.any(|line| line.strip_prefix(b"package").is_some_and(|name| name.first().is_none_or(u8::is_ascii_whitespace)))
}

/// Base64 that lost its end or stands in quotes: what is wrong, and what it would be.
fn damaged(what: &str, text: &[u8]) -> Option<(DeploymentError, Vec<u8>)> {
    if let [first @ (b'"' | b'\''), inner @ .., last] = text {
        let error = DeploymentError::Quoted(what.to_owned());
        return decode(inner).filter(|_| first == last).map(|policy| (error, policy));
    }
    let padded = ["=", "=="].into_iter().find_map(|end| decode(&[text, end.as_bytes()].concat()));
    padded.map(|policy| (DeploymentError::Unpadded(what.to_owned()), policy))
}

/// Whether bytes are text that a person could have written.
fn is_text(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_ok_and(|text| text.chars().all(|c| !c.is_control() || "\t\r\n\u{feff}".contains(c)))
}

/// Text in UTF-16 without a mark shows itself by a zero beside its first letter, which no UTF-8 text has.
pub(super) fn is_utf16(text: &[u8]) -> bool {
    matches!(text, [0xff, 0xfe, ..] | [0xfe, 0xff, ..])
        || matches!(text, [first, 0, ..] | [0, first, ..] if first.is_ascii_graphic())
}

/// `<THIS>`, `{{ this }}`, `${this}` or `$(this)`.
fn is_placeholder(text: &str) -> bool {
    [("<", ">"), ("{{", "}}"), ("${", "}"), ("$(", ")")]
        .into_iter()
        .any(|(start, end)| text.starts_with(start) && text.ends_with(end))
}
