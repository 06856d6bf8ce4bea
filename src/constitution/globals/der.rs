//! The little DER that keys and signatures need.

use pem::{EncodeConfig, LineEnding, Pem};

/// A non-negative INTEGER from big-endian bytes.
pub(super) fn integer(bytes: &[u8]) -> Vec<u8> {
    let digits = without_zeros(bytes);
    let sign = digits.first().is_none_or(|byte| *byte >= 0x80);
    element(0x02, &[if sign { &[0][..] } else { &[] }, digits].concat())
}

/// Big-endian bytes without the zeros before the first digit.
pub(super) fn without_zeros(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..]
}

/// A SEQUENCE of `parts`.
pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

/// A SubjectPublicKeyInfo, as PEM text in OpenSSL's form.
pub(super) fn public_key(algorithm: &[u8], key: &[u8]) -> String {
    let spki = sequence(&[algorithm, &element(0x03, &[&[0], key].concat())]);
    pem::encode_config(&Pem::new("PUBLIC KEY", spki), EncodeConfig::new().set_line_ending(LineEnding::LF))
}

fn element(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = match body.len() {
        short @ 0..0x80 => vec![short as u8],
        long => {
            let bytes = long.to_be_bytes();
            let bytes = without_zeros(&bytes);
            [&[0x80 | bytes.len() as u8], bytes].concat()
        }
    };
    [&[tag], &length[..], body].concat()
}
