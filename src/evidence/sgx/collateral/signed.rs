//! What Intel signs: a JSON object, its signature beside it.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::CollateralError;
use crate::digest::parse_hex;
use crate::json;

/// A signed JSON document of Intel's: the exact bytes that were signed, and what they say.
#[derive(Clone, Debug)]
pub struct Signed<'a, T> {
    /// The bytes of the inner object.
    pub signed: &'a [u8],
    /// The signature, r ‖ s.
    pub signature: [u8; 64],
    /// The inner object.
    pub body: T,
}

/// From when until when a document counts.
#[derive(Clone, Copy, Debug)]
pub struct Period {
    /// When it was issued.
    pub issued: OffsetDateTime,
    /// When the next one should have been there.
    pub next: OffsetDateTime,
}

/// Splits `{"NAME":{…},"signature":"…"}` into the object's bytes as they stand, the signature, and the object.
pub(super) fn split<'a>(
    what: &'static str,
    name: &str,
    text: &'a [u8],
) -> Result<(&'a [u8], [u8; 64], Value), CollateralError> {
    let failed = |source| CollateralError::Json { what, source };
    let whole = json::parse(text).map_err(failed)?;
    let signature = whole.get("signature").and_then(Value::as_str).ok_or_else(|| shape(what, "it is not signed"))?;
    let opening = format!("{{\"{name}\":");
    let rest =
        text.strip_prefix(opening.as_bytes()).ok_or_else(|| shape(what, format!("it does not begin {opening}")))?;
    let signed = object(rest).ok_or_else(|| shape(what, "it holds no object"))?;
    let body = json::parse(signed).map_err(failed)?;
    if whole.get(name) != Some(&body) {
        return Err(shape(what, "it can be read in two ways"));
    }
    let signature = parse_hex("signature", signature).map_err(|e| shape(what, e))?;
    Ok((signed, signature, body))
}

/// The object that `text` (valid JSON from here to its end) begins with.
fn object(text: &[u8]) -> Option<&[u8]> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' => depth += 1,
            b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return text.get(..=at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The error of a document, `what`, that lacks something.
pub(super) fn shape(what: &'static str, why: impl ToString) -> CollateralError {
    CollateralError::Shape { what, why: why.to_string() }
}

/// Exactly `N` hexadecimal bytes, in either case.
pub(super) fn hex_array<const N: usize>(what: &'static str, text: &str) -> Result<[u8; N], CollateralError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes)
        .map_err(|_| shape(what, format!("a value in it is not {N} hexadecimal bytes")))?;
    Ok(bytes)
}

/// When a document counts, of its two dates.
pub(super) fn period(what: &'static str, issued: &str, next: &str) -> Result<Period, CollateralError> {
    let date = |text| OffsetDateTime::parse(text, &Rfc3339).map_err(|_| shape(what, "a date in it is not valid"));
    Ok(Period { issued: date(issued)?, next: date(next)? })
}
