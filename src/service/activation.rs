//! How an accepted member becomes active: it asks for a digest of the service's state, and signs that digest.
//!
//! The service keeps the newest digest that was asked for. If a newer one was made in between, it refuses the
//! acknowledgement, and the member begins again.

use serde_json::{Value, json};

use super::{ServiceError, Submission};

/// How often a member begins again.
const AGAIN: u32 = 2;

/// An activation that is under way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Activation {
    begun_again: u32,
}

impl Activation {
    /// The content of the acknowledgement, `{"stateDigest": …}`, from the service's answer to a signed `state_digest`; `None` if
    /// the answer holds no digest.
    pub fn acknowledgement(asked: &Submission) -> Option<Vec<u8>> {
        content(&asked.raw)
    }

    /// Whether to ask for a digest again after this refusal of the acknowledgement: twice at most, and only because the
    /// digest is no longer the newest (`StateDigestMismatch`).
    pub fn begins_again(&mut self, error: &ServiceError) -> bool {
        let is_older = matches!(error, ServiceError::Refused(refusal) if refusal.code == "StateDigestMismatch");
        let again = is_older && self.begun_again < AGAIN;
        self.begun_again += u32::from(again);
        again
    }
}

fn content(answer: &Value) -> Option<Vec<u8>> {
    let digest = answer.get("stateDigest")?.as_str()?;
    Some(json!({ "stateDigest": digest }).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Refusal;

    fn refused(code: &str) -> ServiceError {
        let message = "StateDigestMismatch is not the code".into();
        let refusal = Refusal { status: 400, code: code.into(), message, details: Vec::new(), after_silence: false };
        ServiceError::Refused(Box::new(refusal))
    }

    #[test]
    fn the_digest_is_acknowledged_and_nothing_else_of_the_answer() {
        let answer = json!({"memberId": "ab", "stateDigest": "cd"});
        assert_eq!(content(&answer).unwrap(), br#"{"stateDigest":"cd"}"#);
        assert_eq!(content(&Value::Null), None);
        assert_eq!(content(&json!({"stateDigest": 1})), None);
    }

    #[test]
    fn an_older_digest_is_asked_for_again_twice_at_most() {
        let mut activation = Activation::default();
        assert!(!activation.begins_again(&refused("AuthorizationFailed")));
        assert!(!activation.begins_again(&ServiceError::NoAddress));
        let again = [(); 3].map(|()| activation.begins_again(&refused("StateDigestMismatch")));
        assert_eq!(again, [true, true, false]);
    }
}
