//! What a node answered, read and raw.

use std::ops::Deref;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::ServiceError;
use super::http::Reply;
use crate::digest::sha256;
use crate::id::TransactionId;

/// An answer: its meaning, the JSON as the service wrote it, and the transaction whose state it shows.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// What it says.
    pub value: T,
    /// The JSON that said so.
    pub raw: Value,
    /// The transaction that wrote or that it was read at (`x-ms-ccf-transaction-id`).
    pub transaction: Option<TransactionId>,
    /// How many bytes the JSON had.
    pub length: usize,
    /// Their SHA-256: of a proposal's actions, the digest of the file that its proposer signed.
    pub sha256: [u8; 32],
}

impl<T> Deref for Answer<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Answer<T> {
    /// The same answer, of which this is what matters.
    pub(super) fn map<U>(self, what: impl FnOnce(T) -> U) -> Answer<U> {
        let Self { value, raw, transaction, length, sha256 } = self;
        Answer { value: what(value), raw, transaction, length, sha256 }
    }
}

impl<T: DeserializeOwned> Answer<T> {
    pub(super) fn read(what: &str, reply: &Reply) -> Result<Self, ServiceError> {
        let raw = reply.json().map_err(|e| reply.not_understood(what, &e))?;
        let value = T::deserialize(&raw).map_err(|e| reply.not_understood(what, &e))?;
        Ok(Self { value, raw, transaction: reply.transaction, length: reply.body.len(), sha256: sha256(&reply.body) })
    }
}
