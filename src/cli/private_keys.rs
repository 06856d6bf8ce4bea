//! No private key is signed or sent: what a service takes is public for ever.

use std::fmt;

use super::error::{CliError, Kind};
use ccf_gov::cose::MessageType;
use ccf_gov::proposal::private_key;

/// What to do about one.
pub const HINT: &str = "give the certificate or the public key instead; if anybody else may have seen the private key, replace it by a new one";

/// Refuses a proposal or ballot, called `name`, that holds a private key.
pub fn refuse(name: impl fmt::Display, kind: MessageType, payload: &[u8]) -> Result<(), CliError> {
    if !matches!(kind, MessageType::Proposal | MessageType::Ballot) {
        return Ok(());
    }
    match private_key::find_in_payload(payload).into_iter().next() {
        Some(key) => Err(CliError::new(Kind::No, format!("{name} is neither signed nor sent"), key).hint(HINT)),
        None => Ok(()),
    }
}
