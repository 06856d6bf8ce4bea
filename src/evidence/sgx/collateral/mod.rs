//! The endorsements that go with a quote: what Intel says of the platform, its quoting enclave, and revocations.
//!
//! Open Enclave's container: version, type, length, nine offsets, and the nine items behind them.

mod qe_identity;
mod signed;
mod tcb_info;

pub use self::qe_identity::QeIdentity;
pub use self::signed::{Period, Signed};
pub use self::tcb_info::{TcbInfo, TcbLevel};
use super::bytes::{Bytes, Short};
use crate::json::JsonError;

/// The largest endorsements that are read: 1 MiB. Real ones have 13 KiB.
pub const MAX_ENDORSEMENTS: usize = 1 << 20;

const ITEMS: u64 = 9;

/// Why bytes are not endorsements.
#[derive(Debug, thiserror::Error)]
pub enum CollateralError {
    /// They are cut short.
    #[error("the SGX endorsements are cut short")]
    Short(#[from] Short),
    /// Too long to be endorsements.
    #[error("SGX endorsements have some kilobytes, and these have {0} bytes")]
    TooLong(usize),
    /// Not Open Enclave's container.
    #[error("these are not SGX endorsements of Open Enclave's version 1: {0}")]
    Kind(&'static str),
    /// The TCB information or the quoting enclave's identity cannot be read.
    #[error("the {what} in the endorsements is damaged")]
    Json {
        /// Which of the two.
        what: &'static str,
        /// Why.
        #[source]
        source: JsonError,
    },
    /// It has not the members that it must have.
    #[error("the {what} in the endorsements is damaged: {why}")]
    Shape {
        /// Which of the two.
        what: &'static str,
        /// Why.
        why: String,
    },
}

/// The nine items, as they stand.
#[derive(Clone, Copy, Debug)]
pub struct Collateral<'a> {
    /// The TCB information, signed JSON.
    pub tcb_info: &'a [u8],
    /// The certificates of its signer, PEM.
    pub tcb_chain: &'a [u8],
    /// The revoked platform certificates.
    pub pck_crl: &'a [u8],
    /// What the root revoked.
    pub root_crl: &'a [u8],
    /// The certificates of who signed the platform certificates' list, PEM.
    pub crl_chain: &'a [u8],
    /// The quoting enclave's identity, signed JSON.
    pub qe_identity: &'a [u8],
    /// The certificates of its signer, PEM.
    pub qe_chain: &'a [u8],
}

impl<'a> Collateral<'a> {
    /// Reads the container.
    ///
    /// # Errors
    /// [`CollateralError`]
    pub fn parse(raw: &'a [u8]) -> Result<Self, CollateralError> {
        if raw.len() > MAX_ENDORSEMENTS {
            return Err(CollateralError::TooLong(raw.len()));
        }
        let bytes = Bytes::new("SGX endorsements", raw);
        if bytes.u32(0)? != 1 || bytes.u32(4)? != 2 || u64::from(bytes.u32(12)?) != ITEMS {
            return Err(CollateralError::Kind("their version, type or number of items is another"));
        }
        let data = Bytes::new("SGX endorsements", bytes.from(16 + 4 * ITEMS)?);
        if u64::from(bytes.u32(8)?) != 4 * ITEMS + data.len() {
            return Err(CollateralError::Kind("they are longer or shorter than they say"));
        }
        let item = |number: u64| -> Result<&'a [u8], CollateralError> {
            let start = u64::from(bytes.u32(16 + 4 * number)?);
            let end = if number + 1 == ITEMS { data.len() } else { u64::from(bytes.u32(20 + 4 * number)?) };
            let length = end.checked_sub(start).ok_or(CollateralError::Kind("their items are out of order"))?;
            data.slice(start, length).map_err(CollateralError::Short)
        };
        // Every text ends with a NUL, so that its borders can't be shifted.
        let text = |number| match item(number)?.split_last() {
            Some((0, text)) if !text.contains(&0) => Ok(text),
            _ => Err(CollateralError::Kind("an item of theirs is not a text that ends with a NUL")),
        };
        let list = |number| if is_der(item(number)?) { item(number) } else { text(number) };
        if bytes.u32(16)? != 0 || data.slice(0, u64::from(bytes.u32(20)?))? != 1u32.to_le_bytes() {
            return Err(CollateralError::Kind("their first item is not version 1"));
        }
        text(8)?;
        Ok(Self {
            tcb_info: text(1)?,
            tcb_chain: text(2)?,
            pck_crl: list(3)?,
            root_crl: list(4)?,
            crl_chain: text(5)?,
            qe_identity: text(6)?,
            qe_chain: text(7)?,
        })
    }
}

/// Whether a revocation list is DER, and neither PEM nor hexadecimal.
pub(super) fn is_der(list: &[u8]) -> bool {
    matches!(list, [0x30, second, ..] if !second.is_ascii_hexdigit())
}
