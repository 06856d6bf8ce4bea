//! `.sgxs`: an enclave as the stream of records that the processor measures; its SHA-256 is MRENCLAVE.

use super::bytes::{Bytes, Short};
use super::measure::PAGE;
use crate::digest::{MrEnclave, sha256};

/// Why bytes are not such a stream.
#[derive(Debug, thiserror::Error)]
pub enum SgxsError {
    /// A record is cut short.
    #[error("the SGXS stream is cut short")]
    Short(#[from] Short),
    /// A record that nobody knows, or at a place where it cannot be.
    #[error("the SGXS stream is damaged at byte {offset}: {why}")]
    Record {
        /// Where the record begins.
        offset: u64,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// Whether these bytes look like an SGXS stream.
pub(super) fn is_sgxs(bytes: &[u8]) -> bool {
    bytes.starts_with(b"ECREATE\0")
}

/// MRENCLAVE of the stream, after every record in it was found to be one.
///
/// # Errors
/// [`SgxsError`]
pub fn measure_sgxs(stream: &[u8]) -> Result<MrEnclave, SgxsError> {
    let bytes = Bytes::new("SGXS stream", stream);
    let (mut at, mut page) = (0, None);
    let mut size = 0;
    while at < bytes.len() {
        let record = Bytes::new("SGXS record", bytes.slice(at, 64)?);
        let damaged = |why| Err(SgxsError::Record { offset: at, why });
        let mut next = at + 64;
        match (&record.array::<8>(0)?, at) {
            (b"ECREATE\0", 0) => {
                size = record.u64(12)?;
                if !size.is_power_of_two() {
                    return damaged("the enclave's size is not a power of two");
                }
            }
            (_, 0) => return damaged("it does not begin with ECREATE"),
            (b"EADD\0\0\0\0", _) => {
                let offset = record.u64(8)?;
                if offset % PAGE != 0 || offset >= size {
                    return damaged("a page lies outside of the enclave");
                }
                page = Some(offset);
            }
            (b"EEXTEND\0", _) => {
                let offset = record.u64(8)?;
                if offset % 256 != 0 || page != Some(offset / PAGE * PAGE) {
                    return damaged("it measures what is not part of the last page");
                }
                bytes.slice(next, 256)?;
                next += 256;
            }
            _ => return damaged("an unknown record"),
        }
        at = next;
    }
    if at == 0 {
        return Err(SgxsError::Record { offset: 0, why: "it is empty" });
    }
    Ok(MrEnclave(sha256(stream)))
}
