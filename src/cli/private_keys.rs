//! No private key is signed or sent: what a service takes is public for ever.

use std::fmt;

use super::error::CliError;
use ccf_gov::cose::MessageType;
use ccf_gov::proposal::private_key;

/// Refuses a proposal or ballot, called `name`, that holds a private key.
pub fn refuse(name: impl fmt::Display, kind: MessageType, payload: &[u8]) -> Result<(), CliError> {
    if !matches!(kind, MessageType::Proposal | MessageType::Ballot) {
        return Ok(());
    }
    match private_key::find_in_payload(payload).into_iter().next() {
        Some(key) => Err(CliError::from(key).doing(format!("{name} is neither signed nor sent"))),
        None => Ok(()),
    }
}
