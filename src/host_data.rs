//! Host data of a confidential container group: SHA-256 of its security policy, and how people get it wrong.

use std::fmt;

use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::{BASE64_STANDARD, Engine};

use crate::digest::{HostData, sha256};

/// The policy and host data of `file`, which is a policy's bytes or their base64 text.
///
/// Whatever decodes as base64 (white space around it aside) is base64: Rego, which begins with a `package`
/// line, never does. Raw bytes are taken untouched, line ends and all.
pub fn from_file(file: &[u8]) -> SecurityPolicy {
    let (bytes, was_base64) = match decode(file) {
        Some(policy) => (policy, true),
        None => (file.to_vec(), false),
    };
    SecurityPolicy { bytes, was_base64 }
}

/// The decoded bytes of `text` if it is the base64 of something: on one line or several, padded or not.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let text: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    if text.is_empty() {
        return None;
    }
    LENIENT.decode(text).ok()
}

/// A security policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityPolicy {
    /// The policy's bytes, as the platform hashes them.
    pub bytes: Vec<u8>,
    /// Whether it came as base64 text.
    pub was_base64: bool,
}

impl SecurityPolicy {
    /// The host data of nodes started with this policy.
    pub fn host_data(&self) -> HostData {
        of_policy(&self.bytes)
    }
}

/// The host data of a policy's (decoded) bytes.
pub fn of_policy(bytes: &[u8]) -> HostData {
    HostData(sha256(bytes))
}

/// A known way of computing the wrong host data from the right policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mistake {
    /// The base64 text was hashed, not what it encodes.
    HashOfBase64,
    /// The base64 text and the newline after it were hashed.
    HashOfBase64AndNewline,
    /// It was base64-encoded twice, or decoded once too often.
    DecodedTwice,
    /// Every line ends with CR LF in what was hashed, and with LF in the policy.
    Crlf,
    /// Every line ends with LF in what was hashed, and with CR LF in the policy.
    Lf,
    /// What was hashed has a newline at its end that the policy has not.
    NewlineMore,
    /// What was hashed lacks the newline at the policy's end.
    NewlineLess,
    /// What was hashed lacks all the white space around the policy.
    Trimmed,
    /// What was hashed begins with a UTF-8 byte order mark that the policy has not.
    ByteOrderMark,
    /// What was hashed lacks the policy's byte order mark.
    NoByteOrderMark,
    /// What was hashed is the policy as UTF-16 (little-endian, with or without its mark).
    Utf16,
    /// The digest's bytes stand the other way round.
    Reversed,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HashOfBase64 => {
                "it is the hash of the policy's base64 text; host data is the hash of the decoded policy"
            }
            Self::HashOfBase64AndNewline => {
                "it is the hash of the policy's base64 text with a newline; host data is the hash of the decoded policy"
            }
            Self::DecodedTwice => "it is the hash of the policy after one base64 decoding too many",
            Self::Crlf => "it is the hash of the policy with CRLF line ends, and the policy has LF",
            Self::Lf => "it is the hash of the policy with LF line ends, and the policy has CRLF",
            Self::NewlineMore => "it is the hash of the policy with one newline more at its end",
            Self::NewlineLess => "it is the hash of the policy without the newline at its end",
            Self::Trimmed => "it is the hash of the policy without the white space around it",
            Self::ByteOrderMark => "it is the hash of the policy with a UTF-8 byte order mark before it",
            Self::NoByteOrderMark => "it is the hash of the policy without its UTF-8 byte order mark",
            Self::Utf16 => "it is the hash of the policy written as UTF-16",
            Self::Reversed => "its bytes are in reverse order",
        })
    }
}

/// Which known mistake turns the policy `bytes` (decoded) into `registered`; `None` if it is right, or wrong otherwise.
pub fn explain_mismatch(registered: &HostData, bytes: &[u8]) -> Option<Mistake> {
    Digests::of(bytes).explain(registered)
}

/// A policy's host data, and what every known mistake makes of it: computed once, for comparison with many values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    right: HostData,
    wrong: Vec<(HostData, Mistake)>,
}

impl Digests {
    /// Those of the policy `bytes` (decoded).
    pub fn of(bytes: &[u8]) -> Self {
        let right = of_policy(bytes);
        let mut reversed = right;
        reversed.0.reverse();
        let variants = variants(bytes).into_iter().map(|(mistake, variant)| (of_policy(&variant), mistake));
        Self { right, wrong: [(reversed, Mistake::Reversed)].into_iter().chain(variants).collect() }
    }

    /// The policy's host data.
    pub fn host_data(&self) -> HostData {
        self.right
    }

    /// Which known mistake makes `found` of the policy; `None` if it is right, or wrong otherwise.
    pub fn explain(&self, found: &HostData) -> Option<Mistake> {
        let wrong = self.wrong.iter().filter(|_| *found != self.right);
        wrong.into_iter().find(|(digest, _)| digest == found).map(|(_, mistake)| *mistake)
    }
}

fn variants(policy: &[u8]) -> Vec<(Mistake, Vec<u8>)> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    let mut variants = Vec::new();
    let base64 = BASE64_STANDARD.encode(policy).into_bytes();
    variants.push((Mistake::HashOfBase64AndNewline, [&base64[..], b"\n"].concat()));
    variants.push((Mistake::HashOfBase64AndNewline, [&base64[..], b"\r\n"].concat()));
    variants.push((Mistake::HashOfBase64, base64));
    if let Some(decoded) = decode(policy) {
        variants.push((Mistake::DecodedTwice, decoded));
    }
    let lf = replace(policy, b"\r\n", b"\n");
    let crlf = replace(&lf, b"\n", b"\r\n");
    for newline in [&b"\n"[..], b"\r\n"] {
        variants.push((Mistake::NewlineMore, [policy, newline].concat()));
        if let Some(less) = policy.strip_suffix(newline) {
            variants.push((Mistake::NewlineLess, less.to_vec()));
        }
    }
    variants.push((Mistake::Trimmed, policy.trim_ascii().to_vec()));
    variants.push((Mistake::ByteOrderMark, [MARK, policy].concat()));
    if let Some(rest) = policy.strip_prefix(MARK) {
        variants.push((Mistake::NoByteOrderMark, rest.to_vec()));
    }
    if let Ok(text) = std::str::from_utf8(policy) {
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        variants.push((Mistake::Utf16, [b"\xff\xfe", &utf16[..]].concat()));
        variants.push((Mistake::Utf16, utf16));
    }
    // A converted file often ends with one newline more or less as well.
    for (mistake, text) in [(Mistake::Crlf, crlf), (Mistake::Lf, lf)] {
        let end: &[u8] = if mistake == Mistake::Crlf { b"\r\n" } else { b"\n" };
        variants.push((mistake, [&text[..], end].concat()));
        if let Some(less) = text.strip_suffix(end) {
            variants.push((mistake, less.to_vec()));
        }
        variants.push((mistake, text));
    }
    variants.retain(|(_, variant)| variant != policy);
    variants
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        if let Some(after) = rest.strip_prefix(from) {
            out.extend_from_slice(to);
            rest = after;
        } else {
            out.push(first);
            rest = &rest[1..];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &[u8] = b"package policy\n\napi_version := \"0.10.0\"\n";

    #[test]
    fn base64_and_raw_give_the_same_host_data() {
        let text = BASE64_STANDARD.encode(POLICY);
        let policy = from_file(format!("{text}\n").as_bytes());
        assert!(policy.was_base64);
        let wrapped = format!("{}\r\n{}", &text[..20], text[20..].trim_end_matches('='));
        assert_eq!(from_file(wrapped.as_bytes()), policy);
        assert_eq!(policy.host_data(), of_policy(POLICY));
        assert!(!from_file(POLICY).was_base64);
        assert_eq!(from_file(POLICY).bytes, POLICY);
        assert_eq!(from_file(b"").bytes, b"");
    }

    #[test]
    fn every_known_mistake_is_named() {
        let base64 = BASE64_STANDARD.encode(POLICY);
        let text = std::str::from_utf8(POLICY).unwrap();
        let crlf = text.replace('\n', "\r\n");
        let cases: [(&[u8], &[u8], Mistake); 11] = [
            (base64.as_bytes(), POLICY, Mistake::HashOfBase64),
            (&[base64.as_bytes(), b"\n"].concat(), POLICY, Mistake::HashOfBase64AndNewline),
            (crlf.as_bytes(), POLICY, Mistake::Crlf),
            (POLICY, crlf.as_bytes(), Mistake::Lf),
            (&[POLICY, b"\n"].concat(), POLICY, Mistake::NewlineMore),
            (text.trim_end().as_bytes(), POLICY, Mistake::NewlineLess),
            (b"x", b" x \n\n", Mistake::Trimmed),
            (&[b"\xef\xbb\xbf", POLICY].concat(), POLICY, Mistake::ByteOrderMark),
            (POLICY, &[b"\xef\xbb\xbf", POLICY].concat(), Mistake::NoByteOrderMark),
            (POLICY, base64.as_bytes(), Mistake::DecodedTwice),
            (&text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(), POLICY, Mistake::Utf16),
        ];
        for (hashed, policy, mistake) in cases {
            assert_eq!(explain_mismatch(&HostData(sha256(hashed)), policy), Some(mistake));
        }
        let mut reversed = sha256(POLICY);
        reversed.reverse();
        assert_eq!(explain_mismatch(&HostData(reversed), POLICY), Some(Mistake::Reversed));
        assert_eq!(explain_mismatch(&HostData(sha256(POLICY)), POLICY), None);
        assert_eq!(explain_mismatch(&HostData([7; 32]), POLICY), None);
    }
}
