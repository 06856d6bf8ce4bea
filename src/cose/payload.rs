//! What each kind of request carries.

use crate::text::clip;
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::Value;

use super::MessageType;
use super::ballot::exports_vote;
use crate::json::{self, JsonError};

/// Why a payload is not what its kind of request needs.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Something where nothing belongs.
    #[error("it has no content, but {0} bytes were given")]
    NotEmpty(usize),
    /// Not JSON.
    #[error("it must be JSON")]
    Json(#[from] JsonError),
    /// JSON of another shape.
    #[error("{0}")]
    Shape(String),
}

/// Checks that `payload` is what a request of this kind needs.
pub(super) fn check(kind: MessageType, payload: &[u8]) -> Result<(), PayloadError> {
    let shape = |text: &str| Err(PayloadError::Shape(text.into()));
    match kind {
        MessageType::Withdrawal | MessageType::StateDigest | MessageType::EncryptedRecoveryShare => {
            if payload.is_empty() { Ok(()) } else { Err(PayloadError::NotEmpty(payload.len())) }
        }
        MessageType::Proposal => {
            let value = json::parse(payload)?;
            let Some(actions) = value.get("actions").and_then(Value::as_array) else {
                return shape(r#"it is not an object with a list of "actions""#);
            };
            if actions.is_empty() {
                return shape("it has no actions");
            }
            match actions.iter().position(|a| !a.get("name").is_some_and(Value::is_string)) {
                Some(at) => shape(&format!(r#"action {at} has no "name""#)),
                None => Ok(()),
            }
        }
        MessageType::Ballot => match json::parse(payload)?.get("ballot").and_then(Value::as_str) {
            Some(script) if exports_vote(script) => Ok(()),
            Some(_) => shape("its script exports no function vote: export function vote(proposal, proposerId) { … }"),
            None => shape(r#"it is not an object whose "ballot" is a script"#),
        },
        // What the service answered when the digest was asked for, `memberId` and all, is taken as it is.
        MessageType::Ack => match only(&json::parse(payload)?, "stateDigest", &["memberId"])? {
            Value::String(digest) if crate::digest::parse_hex::<32>("state digest", digest).is_ok() => Ok(()),
            _ => shape(r#"its "stateDigest" is not 64 lowercase hexadecimal digits"#),
        },
        MessageType::RecoveryShare => match only(&json::parse(payload)?, "share", &[])? {
            Value::String(share) if !share.is_empty() && BASE64_STANDARD.decode(share).is_ok() => Ok(()),
            _ => shape(r#"its "share" is not base64"#),
        },
    }
}

/// The value of the one key that the content has, but for what may stand beside it.
fn only<'v>(content: &'v Value, name: &'static str, beside: &[&str]) -> Result<&'v Value, PayloadError> {
    let refuse = |text: String| Err(PayloadError::Shape(text));
    let Some(object) = content.as_object() else {
        return refuse(format!(r#"it is not an object with "{name}" and nothing else"#));
    };
    match (object.get(name), object.keys().find(|key| *key != name && !beside.contains(&key.as_str()))) {
        (Some(value), None) => Ok(value),
        // As CCF 4 and earlier spelled it, before the API had versions.
        (None, Some(key)) if name == "stateDigest" && key == "state_digest" => {
            refuse(r#"it has "state_digest", and the service reads "stateDigest""#.into())
        }
        (_, Some(key)) => {
            let key = clip(key, 80);
            refuse(format!(r#"it has the key {key:?}, and the service reads "{name}" and nothing else"#))
        }
        (None, None) => refuse(format!(r#"it has no "{name}""#)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_and_a_share_hold_one_key_and_no_other() {
        let digest = "0c".repeat(32);
        let good = format!(r#"{{"stateDigest": "{digest}"}}"#);
        check(MessageType::Ack, good.as_bytes()).unwrap();
        // As the service answers.
        let answer = format!(r#"{{"memberId": "{digest}", "stateDigest": "{digest}"}}"#);
        check(MessageType::Ack, answer.as_bytes()).unwrap();
        for (bad, why) in [
            (format!(r#"{{"state_digest": "{digest}"}}"#), "the service reads \"stateDigest\""),
            (format!(r#"{{"stateDigest": "{digest}", "x": 1}}"#), "the key \"x\""),
            (format!(r#"{{"digest": "{digest}"}}"#), "the key \"digest\""),
            (format!(r#"{{"stateDigest": "{}"}}"#, digest.to_uppercase()), "64 lowercase"),
            ("{}".into(), "no \"stateDigest\""),
            (format!(r#""{digest}""#), "not an object"),
        ] {
            let error = check(MessageType::Ack, bad.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{bad}: {error}");
        }
        check(MessageType::RecoveryShare, br#"{"share": "AAAA"}"#).unwrap();
        for bad in [r#"{"share": ""}"#, r#"{"share": "?"}"#, r#"{"share": "AAAA", "key": 1}"#, r#"{"Share": "AAAA"}"#] {
            assert!(check(MessageType::RecoveryShare, bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
