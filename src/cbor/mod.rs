//! The little CBOR (RFC 8949) that COSE messages are made of: definite lengths only, bounded, and views on the input.
//!
//! What CCF's members sign is read [strictly](Reader::strict), in shortest forms alone, so that the bytes which are read
//! are the bytes that are written again. What others signed is read in any form that says the same.

mod reader;
mod value;
mod write;

pub(crate) use reader::Reader;
pub(crate) use value::Value;
pub(crate) use write::{push_bytes, push_head, push_integer, push_text};

/// Why bytes are not the CBOR that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// The bytes end in the middle.
    #[error("the bytes end too early")]
    Truncated,
    /// Bytes after the end.
    #[error("something follows the end")]
    Trailing,
    /// An indefinite length (or a reserved one).
    #[error("a length is indefinite, which CCF's own encoding never is")]
    Indefinite,
    /// A number in more bytes than it needs.
    #[error("a number is not in its shortest form")]
    NotShortest,
    /// Something else.
    #[error("it is not {0}")]
    Expected(&'static str),
    /// Text that is not UTF-8.
    #[error("a text is not UTF-8")]
    Utf8,
    /// Too deep to be a header.
    #[error("it is nested too deeply")]
    Depth,
    /// More entries than a header has.
    #[error("an array or a map has too many entries")]
    Entries,
    /// A map with two values for one key.
    #[error("a key appears twice in one map")]
    Duplicate,
    /// A number that is not an integer.
    #[error("it holds a floating-point number")]
    Float,
}

pub(crate) const UINT: u8 = 0;
pub(crate) const NINT: u8 = 1;
pub(crate) const BSTR: u8 = 2;
pub(crate) const TSTR: u8 = 3;
pub(crate) const ARRAY: u8 = 4;
pub(crate) const MAP: u8 = 5;
pub(crate) const TAG: u8 = 6;
pub(crate) const SIMPLE: u8 = 7;
