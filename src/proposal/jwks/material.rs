//! The numbers of a key: `n` and `e` of an RSA key, `x` and `y` of one on a curve.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::{Acceptance, Found, shorten, text};
use crate::curve::Curve;
use crate::der::significant;

/// Checks `n` and `e`; returns the modulus, without zeros in front.
pub(super) fn rsa(key: &Map<String, Value>, found: Found<'_>) -> Option<Vec<u8>> {
    if text(key, "kty") == "EC" {
        found(Acceptance::RefusedSince705, ".kty is EC, and n and e are those of an RSA key".into());
    }
    let (n, e) = (number(key, "n", found), number(key, "e", found));
    let (n, e) = (n?, e?);
    let (modulus, exponent) = (significant(&n), significant(&e));
    if modulus.len() < 256 {
        // The constitution counts the bytes that are written, zeros in front included.
        let acceptance = if n.len() < 256 { Acceptance::RefusedSince705 } else { Acceptance::Unused };
        let bits = modulus.len() * 8 - modulus.first().map_or(0, |first| first.leading_zeros() as usize);
        found(acceptance, format!(".n has {bits} bits, and must have at least 2048: shorter keys can be broken"));
    }
    if modulus.last().is_none_or(|last| last % 2 == 0) {
        found(Acceptance::Refused, ".n is even, which no RSA key is".into());
    }
    if exponent == [1] || exponent.last().is_none_or(|last| last % 2 == 0) {
        found(
            Acceptance::Refused,
            ".e is 1 or even: with such a key anybody can forge tokens, or nobody can make one".into(),
        );
    }
    Some(modulus.to_vec())
}

/// Checks `crv`, `x` and `y`; returns x ‖ y, each as long as the curve has them.
pub(super) fn ec(key: &Map<String, Value>, found: Found<'_>) -> Option<Vec<u8>> {
    if text(key, "kty") == "RSA" {
        found(Acceptance::RefusedSince705, ".kty is RSA, and x and y are those of an EC key".into());
    }
    let (x, y) = (number(key, "x", found), number(key, "y", found));
    let named = key.get("crv").and_then(Value::as_str);
    let Some(curve) = named.and_then(Curve::from_name) else {
        let text = match named {
            Some(other) => format!(".crv is {:?}, and must be P-256 or P-384", shorten(other)),
            None => ".crv is missing".into(),
        };
        found(Acceptance::Refused, text);
        return None;
    };
    if curve == Curve::P521 {
        found(Acceptance::RefusedUpToDev7, ".crv is P-521, which nodes cannot read".into());
    }
    let length = curve.bytes();
    let mut point = vec![4];
    for (name, number) in [("x", x?), ("y", y?)] {
        let count = number.len();
        if count != length {
            found(Acceptance::RefusedSince705, format!(".{name} has {count} bytes, and must have {length}"));
        }
        let digits = significant(&number);
        let Some(zeros) = length.checked_sub(digits.len()) else {
            found(Acceptance::Refused, format!(".{name} is larger than any coordinate of that curve"));
            return None;
        };
        point.extend(std::iter::repeat_n(0, zeros));
        point.extend(digits);
    }
    if !curve.has_point(&point) {
        found(Acceptance::Refused, format!(": x and y are not a point of {curve}"));
    }
    Some(point.split_off(1))
}

/// The bytes of a number in base64url without padding.
fn number(key: &Map<String, Value>, name: &str, found: Found<'_>) -> Option<Vec<u8>> {
    let Some(written) = key.get(name).and_then(Value::as_str) else {
        found(Acceptance::Refused, format!(".{name} is not text"));
        return None;
    };
    let lenient = base64::engine::GeneralPurpose::new(
        &base64::alphabet::URL_SAFE,
        base64::engine::GeneralPurposeConfig::new()
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let plain = written.replace('+', "-").replace('/', "_");
    let bytes = lenient.decode(plain.trim_end_matches('=')).ok();
    match &bytes {
        None => found(Acceptance::Refused, format!(".{name} is not base64url")),
        Some(_) if plain != written || written.ends_with('=') => {
            found(Acceptance::RefusedSince705, format!(".{name} is base64, and must be base64url without padding"));
        }
        Some(bytes) if BASE64_URL_SAFE_NO_PAD.encode(bytes) != written => {
            found(Acceptance::Unused, format!(".{name} ends in bits that are never read"));
        }
        _ => {}
    }
    bytes
}
