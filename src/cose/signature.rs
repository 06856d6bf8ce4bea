//! ECDSA signatures: one form inside (r ‖ s, fixed length), whatever came from outside.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::Algorithm;
use crate::json;

const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);

/// r ‖ s, each big-endian and of the curve's full length (RFC 9053, section 2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

/// Bytes that are no signature of their algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Neither r ‖ s nor DER.
    #[error(
        "{found} bytes are no {algorithm} signature: it is r ‖ s in {} bytes, or DER",
        algorithm.signature_len()
    )]
    Form {
        /// The algorithm of the key.
        algorithm: Algorithm,
        /// How many bytes there were.
        found: usize,
    },
    /// JSON without a signature in it.
    #[error("the JSON has no text \"value\" or \"signature\"")]
    Json,
    /// The signature does not verify under the certificate's key.
    #[error("the signature is not by the certificate's key over these bytes")]
    Invalid,
}

impl Signature {
    /// Reads r ‖ s of fixed length.
    pub fn from_fixed(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, SignatureError> {
        if bytes.len() != algorithm.signature_len() {
            return Err(SignatureError::Form { algorithm, found: bytes.len() });
        }
        Ok(Self { algorithm, bytes: bytes.to_vec() })
    }

    /// Reads whatever a signer returned: r ‖ s of fixed length, or DER (`SEQUENCE { r INTEGER, s INTEGER }`).
    pub fn from_any(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, SignatureError> {
        if bytes.len() == algorithm.signature_len() {
            return Self::from_fixed(algorithm, bytes);
        }
        let fixed = match algorithm {
            Algorithm::ES256 => p256::ecdsa::Signature::from_der(bytes).map(|s| s.to_bytes().to_vec()),
            Algorithm::ES384 => p384::ecdsa::Signature::from_der(bytes).map(|s| s.to_bytes().to_vec()),
            Algorithm::ES512 => p521::ecdsa::Signature::from_der(bytes).map(|s| s.to_bytes().to_vec()),
        };
        let bytes = fixed.map_err(|_| SignatureError::Form { algorithm, found: bytes.len() })?;
        Ok(Self { algorithm, bytes })
    }

    /// Reads a signature that a person or program carried here in a file: r ‖ s or DER, as it is, in hexadecimal,
    /// in base64 or base64url (padded or not), or in a JSON answer whose `value` (Azure Key Vault) or `signature`
    /// (Google, AWS) is one of these.
    pub fn from_file(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, SignatureError> {
        // An editor or `echo` leaves a line's end behind bytes too.
        let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Ok(this) = Self::from_any(algorithm, bytes).or_else(|_| Self::from_any(algorithm, line)) {
            return Ok(this);
        }
        match json::parse(bytes) {
            Ok(value) => Self::from_json(algorithm, &value),
            Err(_) => Self::from_text(algorithm, bytes),
        }
    }

    /// Reads a signature from a JSON text, or from the `value` or `signature` of a JSON object.
    pub fn from_json(algorithm: Algorithm, value: &Value) -> Result<Self, SignatureError> {
        let text = match value {
            Value::String(text) => Some(text),
            Value::Object(object) => {
                ["value", "signature", "Signature"].iter().find_map(|name| match object.get(*name) {
                    Some(Value::String(text)) => Some(text),
                    _ => None,
                })
            }
            _ => None,
        };
        let text = text.ok_or(SignatureError::Json)?;
        Self::from_text(algorithm, text.as_bytes())
    }

    fn from_text(algorithm: Algorithm, text: &[u8]) -> Result<Self, SignatureError> {
        let found = text.len();
        // Long lines are wrapped by many tools (base64, openssl).
        let text: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
        let mut readings = vec![hex::decode(&text).ok()];
        readings.extend([BASE64, BASE64_URL].map(|engine| engine.decode(&text).ok()));
        readings
            .into_iter()
            .flatten()
            .find_map(|bytes| Self::from_any(algorithm, &bytes).ok())
            .ok_or(SignatureError::Form { algorithm, found })
    }

    pub(crate) fn es256(signature: p256::ecdsa::Signature) -> Self {
        Self { algorithm: Algorithm::ES256, bytes: signature.to_bytes().to_vec() }
    }

    pub(crate) fn es384(signature: p384::ecdsa::Signature) -> Self {
        Self { algorithm: Algorithm::ES384, bytes: signature.to_bytes().to_vec() }
    }

    pub(crate) fn es512(signature: p521::ecdsa::Signature) -> Self {
        Self { algorithm: Algorithm::ES512, bytes: signature.to_bytes().to_vec() }
    }

    /// The algorithm it was made for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// r ‖ s.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};

    use super::*;
    use crate::signer::{NoPassphrase, PrivateKey};

    #[test]
    fn a_signature_is_read_in_every_form_it_may_come_in() {
        for pem in [
            include_str!("../../tests/vectors/keys/sec1.pem"),
            include_str!("../../tests/vectors/keys/p384.pem"),
            include_str!("../../tests/vectors/keys/p521.pem"),
        ] {
            let signature = PrivateKey::from_pem(pem, "x", &NoPassphrase).unwrap().sign(b"message");
            let (algorithm, raw) = (signature.algorithm(), signature.as_bytes().to_vec());
            let der = match algorithm {
                Algorithm::ES256 => p256::ecdsa::Signature::from_slice(&raw).unwrap().to_der().as_bytes().to_vec(),
                Algorithm::ES384 => p384::ecdsa::Signature::from_slice(&raw).unwrap().to_der().as_bytes().to_vec(),
                Algorithm::ES512 => p521::ecdsa::Signature::from_slice(&raw).unwrap().to_der().as_bytes().to_vec(),
            };
            for bytes in [&raw, &der] {
                let texts = [
                    hex::encode(bytes),
                    hex::encode_upper(bytes),
                    BASE64_STANDARD.encode(bytes),
                    BASE64_URL_SAFE.encode(bytes),
                    BASE64_URL_SAFE_NO_PAD.encode(bytes),
                ];
                for end in [&b""[..], b"\n", b"\r\n"] {
                    assert_eq!(Signature::from_file(algorithm, &[bytes, end].concat()).unwrap(), signature);
                }
                for text in texts {
                    let wrapped = text.as_bytes().chunks(64).map(|l| [l, b"\n"].concat()).collect::<Vec<_>>().concat();
                    let vault = serde_json::json!({"kid": "https://v.vault.azure.net/keys/k/1", "value": text});
                    for form in [
                        text.clone().into_bytes(),
                        wrapped,
                        vault.to_string().into_bytes(),
                        format!("\"{text}\"").into_bytes(),
                    ] {
                        assert_eq!(Signature::from_file(algorithm, &form).unwrap(), signature, "{text}");
                    }
                }
            }
            for bad in [&raw[1..], b"", b"{}", b"[]", b"{\"value\": 1}", b"zz", &der[..der.len() - 1]] {
                assert!(Signature::from_file(algorithm, bad).is_err(), "{bad:?}");
            }
            // White space counts in what is told, as it does for whoever looks at the file.
            let error = Signature::from_file(algorithm, b" ab\ncd\n").unwrap_err();
            assert_eq!(error, SignatureError::Form { algorithm, found: 7 });
        }
    }
}
