//! Digests, measurements and host data: fixed lengths, lowercase hexadecimal.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A text that is not the hexadecimal form of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HexError {
    /// Another number of characters.
    #[error("{} is {expected} lowercase hexadecimal digits, but this is {found} characters long", article(what))]
    Length {
        /// What was being read, for example `node id`.
        what: &'static str,
        /// The number of digits it has.
        expected: usize,
        /// The number of characters found.
        found: usize,
    },
    /// Digits A–F: CCF compares text, so these would never match.
    #[error("{} is written in lowercase: CCF compares it as text, and uppercase never matches", article(what))]
    Uppercase {
        /// What was being read.
        what: &'static str,
    },
    /// A character that is no digit.
    #[error("{} is lowercase hexadecimal, but {found:?} is not a hexadecimal digit", article(what))]
    NotHex {
        /// What was being read.
        what: &'static str,
        /// The first such character.
        found: char,
    },
}

/// What was being read, with the article that goes before it.
fn article(what: &str) -> String {
    match what {
        "host data" => what.to_owned(),
        "SNP measurement" | "MRENCLAVE" | "MRSIGNER" => format!("an {what}"),
        _ => format!("a {what}"),
    }
}

/// Reads exactly `N` bytes written as `2 * N` lowercase hexadecimal digits.
pub fn parse_hex<const N: usize>(what: &'static str, text: &str) -> Result<[u8; N], HexError> {
    check_hex(what, N, text)?;
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| HexError::Length {
        what,
        expected: 2 * N,
        found: text.len(),
    })?;
    Ok(bytes)
}

/// Checks that `text` is `bytes` bytes written as lowercase hexadecimal digits.
pub fn check_hex(what: &'static str, bytes: usize, text: &str) -> Result<(), HexError> {
    if let Some(found) = text.chars().find(|c| !c.is_ascii_hexdigit()) {
        return Err(HexError::NotHex { what, found });
    }
    if text.len() != 2 * bytes {
        return Err(HexError::Length { what, expected: 2 * bytes, found: text.len() });
    }
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(HexError::Uppercase { what });
    }
    Ok(())
}

/// A type of `$bytes` bytes that is written as lowercase hexadecimal, and nothing else.
macro_rules! hex_bytes {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(
            /// The bytes that the hexadecimal form spells.
            pub [u8; $bytes],
        );

        impl $name {
            /// The first eight digits, by which people tell them apart.
            pub fn short(&self) -> String {
                hex::encode(&self.0[..4])
            }

            /// The value with these bytes.
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// The bytes that the hexadecimal form spells.
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::digest::HexError;

            fn from_str(text: &str) -> Result<Self, $crate::digest::HexError> {
                $crate::digest::parse_hex($what, text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = HexError;

            fn try_from(text: String) -> Result<Self, HexError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(digest: $name) -> String {
                digest.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut digits = [0; 2 * $bytes];
                hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
                f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

pub(crate) use hex_bytes;

hex_bytes! {
    /// SHA-256 of anything: a certificate's DER, a text.
    Sha256Digest, 32, "SHA-256 digest"
}

hex_bytes! {
    /// What an SNP or virtual node says that it was started with: 32 bytes, for SNP the SHA-256 of the security policy.
    HostData, 32, "host data"
}

hex_bytes! {
    /// An SNP launch measurement: 48 bytes (SHA-384).
    SnpMeasurement, 48, "SNP measurement"
}

hex_bytes! {
    /// An SGX enclave's MRENCLAVE: 32 bytes. In CCF, the `code_id`.
    MrEnclave, 32, "MRENCLAVE"
}

hex_bytes! {
    /// An SGX signer's MRSIGNER: SHA-256 of the RSA modulus, little-endian.
    MrSigner, 32, "MRSIGNER"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_digest_is_said_in_a_sentence() {
        let said = |result: Result<(), HexError>| result.unwrap_err().to_string();
        assert!(said("AB".parse::<HostData>().map(drop)).starts_with("host data is 64"));
        assert!(said("AB".parse::<SnpMeasurement>().map(drop)).starts_with("an SNP measurement is 96"));
        assert!(said("AB".repeat(32).parse::<MrEnclave>().map(drop)).starts_with("an MRENCLAVE is written"));
        assert!(said("x".parse::<crate::id::NodeId>().map(drop)).starts_with("a node id is lowercase"));
    }
}
