//! Who and what a service speaks of: members, nodes, proposals and transactions.
//!
//! CCF compares identifiers as text, byte for byte, so each is parsed once, strictly: exactly
//! 64 lowercase hexadecimal digits, nothing else.

use crate::text::clip;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::{HexError, hex_bytes};

hex_bytes! {
    /// A member: SHA-256 of the member certificate's DER.
    MemberId, 32, "member id"
}

hex_bytes! {
    /// A node: SHA-256 of the node public key's SubjectPublicKeyInfo DER.
    NodeId, 32, "node id"
}

hex_bytes! {
    /// A proposal: SHA-256(Merkle root ‖ SHA-256(signature)), known only once it was created.
    ProposalId, 32, "proposal id"
}

/// A transaction: `VIEW.SEQNO`, as in the `x-ms-ccf-transaction-id` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct TransactionId {
    /// The consensus view in which it was written.
    pub view: u64,
    /// Its sequence number in the ledger.
    pub seqno: u64,
}

/// A text that is not `VIEW.SEQNO`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a transaction id is VIEW.SEQNO, two decimal numbers, not {0:?}")]
pub struct TransactionIdError(String);

impl FromStr for TransactionId {
    type Err = TransactionIdError;

    fn from_str(text: &str) -> Result<Self, TransactionIdError> {
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| digits.parse().ok()).flatten()
        };
        text.split_once('.')
            .and_then(|(view, seqno)| Some(Self { view: number(view)?, seqno: number(seqno)? }))
            .ok_or_else(|| TransactionIdError(clip(text, 80)))
    }
}

impl TryFrom<String> for TransactionId {
    type Error = TransactionIdError;

    fn try_from(text: String) -> Result<Self, TransactionIdError> {
        text.parse()
    }
}

impl From<TransactionId> for String {
    fn from(id: TransactionId) -> String {
        id.to_string()
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.view, self.seqno)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_64_lowercase_digits_and_nothing_else() {
        let good = "0c869f8e4c3b58f42ea0ea6293e5645f3ae764dd565b8f4461f1e339b186e654";
        assert_eq!(good.parse::<MemberId>().unwrap().to_string(), good);
        for bad in [&good.to_uppercase(), &good[1..], &format!("0x{}", &good[2..]), &format!("{good}\n")] {
            assert!(bad.parse::<MemberId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_transaction_id_is_two_numbers() {
        assert_eq!("2.19".parse(), Ok(TransactionId { view: 2, seqno: 19 }));
        for bad in ["", "2", "2.", ".2", "+2.1", "2.1.3", "2.-1", "99999999999999999999.1"] {
            assert!(bad.parse::<TransactionId>().is_err(), "{bad:?}");
        }
    }
}
