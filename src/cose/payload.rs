//! What each kind of request carries.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::Value;

use super::MessageType;
use super::ballot::exports_vote;
use crate::json::{self, JsonError};

/// Why a payload is not what its kind of request needs.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Something where nothing belongs.
    #[error("it has no content, and {0} bytes were given")]
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
        MessageType::Ack => {
            let value = json::parse(payload)?;
            // Before the API had versions (CCF 4 and earlier) it was spelled state_digest.
            let digest = value.get("stateDigest").or_else(|| value.get("state_digest"));
            match digest.and_then(Value::as_str) {
                Some(digest) if crate::digest::parse_hex::<32>("state digest", digest).is_ok() => Ok(()),
                _ => shape(r#"it is not an object whose "stateDigest" is 64 lowercase hexadecimal digits"#),
            }
        }
        MessageType::RecoveryShare => match json::parse(payload)?.get("share").and_then(Value::as_str) {
            Some(share) if !share.is_empty() && BASE64_STANDARD.decode(share).is_ok() => Ok(()),
            _ => shape(r#"it is not an object whose "share" is base64"#),
        },
    }
}
