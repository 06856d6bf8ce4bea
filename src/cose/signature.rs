//! ECDSA signatures: one form inside (r ‖ s, fixed length), whatever came from outside.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::Algorithm;
use crate::files::Encoding;
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
    #[error("{found} bytes are not an {algorithm} signature: that is r ‖ s in {} bytes, or DER", algorithm.signature_len())]
    Form {
        /// The algorithm of the key.
        algorithm: Algorithm,
        /// How many bytes there were.
        found: usize,
    },
    /// A file in no form that is read.
    #[error(
        "{found} bytes are not an {algorithm} signature: that is r ‖ s in {} bytes, or DER; as bytes, in hexadecimal, \
         base64 or base64url, as vault:v1:… of HashiCorp Vault, or in a vault's JSON answer",
        algorithm.signature_len()
    )]
    File {
        /// The algorithm of the key.
        algorithm: Algorithm,
        /// How many bytes there were.
        found: usize,
    },
    /// A signature by a key on another curve.
    #[error("it has the length of an {found} signature, but the certificate's key makes {algorithm} signatures")]
    OtherAlgorithm {
        /// The algorithm of the key.
        algorithm: Algorithm,
        /// The algorithm whose signatures are that long.
        found: Algorithm,
    },
    /// A JSON Web Signature, which signs other bytes.
    #[error("it is a whole JSON Web Signature (header.payload.signature), which signs other bytes than the request's")]
    JsonWebSignature,
    /// Several signatures, where one is needed.
    #[error("it holds {0} signatures, but one is needed")]
    Several(usize),
    /// JSON without a signature in it.
    #[error("the JSON has no text \"value\" or \"signature\", alone or in \"data\"")]
    Json,
    /// Text in another encoding, and damaged.
    #[error("it cannot be read as text")]
    Encoding(#[source] Encoding),
    /// The signature does not verify under the certificate's key.
    #[error("the signature was not made by the certificate's key over these bytes")]
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
    /// in base64 or base64url (padded or not), as HashiCorp Vault writes it (`vault:v1:…`), or in a JSON answer whose
    /// `value` (Azure Key Vault) or `signature` (Google, AWS, HashiCorp) is one of these. Text may be UTF-16, as
    /// PowerShell writes it.
    pub fn from_file(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, SignatureError> {
        // An editor or `echo` leaves a line's end behind bytes too.
        let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // Text of a signature's length is the text of another one: no signature's bytes are all printable.
        let is_text = bytes.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace());
        if !is_text && let Ok(this) = Self::from_any(algorithm, bytes).or_else(|_| Self::from_any(algorithm, line)) {
            return Ok(this);
        }
        match Encoding::detect(bytes) {
            None => Self::from_file_text(algorithm, bytes),
            Some(encoding) => {
                let text = encoding.decode(bytes).ok_or(SignatureError::Encoding(encoding))?;
                Self::from_file_text(algorithm, text.as_bytes())
            }
        }
    }

    fn from_file_text(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, SignatureError> {
        match json::parse(bytes) {
            Ok(value) => Self::from_json(algorithm, &value),
            Err(_) => Self::from_text(algorithm, bytes),
        }
    }

    /// Reads a signature from a JSON text, or from the `value` or `signature` of a JSON object or of its `data`.
    pub fn from_json(algorithm: Algorithm, value: &Value) -> Result<Self, SignatureError> {
        match Self::batch(value) {
            Some([one]) => return Self::from_json(algorithm, one),
            Some(several) => return Err(SignatureError::Several(several.len())),
            None => {}
        }
        let named = |object: &Value| {
            let mut values = ["value", "signature", "Signature"].iter().map(|name| object.get(name)?.as_str());
            values.find_map(|text| text.map(str::to_owned))
        };
        let text = value.as_str().map(str::to_owned).or_else(|| named(value)).or_else(|| named(value.get("data")?));
        Self::from_text(algorithm, text.ok_or(SignatureError::Json)?.as_bytes())
    }

    /// The signatures in a JSON list, or in HashiCorp Vault's answer to a batch.
    pub fn batch(value: &Value) -> Option<&[Value]> {
        let results = || value.get("data")?.get("batch_results")?.as_array();
        value.as_array().or_else(results).map(Vec::as_slice)
    }

    fn from_text(algorithm: Algorithm, text: &[u8]) -> Result<Self, SignatureError> {
        let found = text.len();
        // Long lines are wrapped by many tools (base64, openssl).
        let text: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
        let encoded = without_vault_prefix(&text);
        let mut readings = vec![hex::decode(encoded).ok()];
        readings.extend([BASE64, BASE64_URL].map(|engine| engine.decode(encoded).ok()));
        let readings: Vec<_> = readings.into_iter().flatten().collect();
        if let Some(this) = readings.iter().find_map(|bytes| Self::from_any(algorithm, bytes).ok()) {
            return Ok(this);
        }
        let other = |bytes: &Vec<u8>| Algorithm::ALL.into_iter().find(|a| Self::from_any(*a, bytes).is_ok());
        if let Some(found) = readings.iter().find_map(other) {
            return Err(SignatureError::OtherAlgorithm { algorithm, found });
        }
        if encoded.split(|b| *b == b'.').filter(|part| BASE64_URL.decode(part).is_ok()).count() == 3 {
            return Err(SignatureError::JsonWebSignature);
        }
        Err(SignatureError::File { algorithm, found })
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

/// What follows `vault:v1:`, where HashiCorp Vault names the version of its key.
fn without_vault_prefix(text: &[u8]) -> &[u8] {
    let version = |rest: &[u8]| {
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        (digits > 0 && rest.get(digits) == Some(&b':')).then_some(digits + 1)
    };
    let rest = text.strip_prefix(b"vault:v");
    rest.and_then(|rest| rest.get(version(rest)?..)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};

    use super::*;
    use crate::signer::{NoPassphrase, PrivateKey};

    /// A signature by the key `pem`, as r ‖ s and as DER.
    fn signature(pem: &str) -> (Signature, Vec<u8>, Vec<u8>) {
        let signature = PrivateKey::from_pem(pem, "x", &NoPassphrase).unwrap().sign(b"message");
        let raw = signature.as_bytes().to_vec();
        let der = match signature.algorithm() {
            Algorithm::ES256 => p256::ecdsa::Signature::from_slice(&raw).unwrap().to_der().as_bytes().to_vec(),
            Algorithm::ES384 => p384::ecdsa::Signature::from_slice(&raw).unwrap().to_der().as_bytes().to_vec(),
            Algorithm::ES512 => p521::ecdsa::Signature::from_slice(&raw).unwrap().to_der().as_bytes().to_vec(),
        };
        (signature, raw, der)
    }

    const P256: &str = include_str!("../../tests/vectors/keys/sec1.pem");
    const P384: &str = include_str!("../../tests/vectors/keys/p384.pem");
    const P521: &str = include_str!("../../tests/vectors/keys/p521.pem");

    #[test]
    fn what_hashicorp_vault_writes_is_read() {
        for pem in [P256, P384, P521] {
            let (signature, raw, der) = signature(pem);
            let algorithm = signature.algorithm();
            // marshaling_algorithm: asn1 is DER in base64, jws is r ‖ s in base64url.
            for text in [BASE64_STANDARD.encode(&der), BASE64_URL_SAFE_NO_PAD.encode(&raw)] {
                for version in ["v1", "v27"] {
                    let written = format!("vault:{version}:{text}");
                    let answer =
                        serde_json::json!({"request_id": "x", "data": {"signature": written, "key_version": 1}});
                    let batch = serde_json::json!({"data": {"batch_results": [{"signature": written}]}});
                    for form in [written.clone(), format!("{written}\n"), answer.to_string(), batch.to_string()] {
                        assert_eq!(Signature::from_file(algorithm, form.as_bytes()).unwrap(), signature, "{form}");
                    }
                    let two = serde_json::json!({"data": {"batch_results": [{"signature": written}, {"signature": written}]}});
                    assert_eq!(Signature::from_json(algorithm, &two), Err(SignatureError::Several(2)));
                }
                for bad in [format!("vault:{text}"), format!("vault:v:{text}"), format!("vault:vx:{text}")] {
                    assert!(Signature::from_file(algorithm, bad.as_bytes()).is_err(), "{bad}");
                }
            }
        }
    }

    #[test]
    fn text_in_another_encoding_is_read() {
        let (signature, raw, _) = signature(P384);
        let text = format!("{}\r\n", BASE64_STANDARD.encode(raw));
        let utf16: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked = format!("\u{feff}{text}").into_bytes();
        for bytes in [&utf16, &utf16[2..].to_vec(), &marked] {
            assert_eq!(Signature::from_file(Algorithm::ES384, bytes).unwrap(), signature);
        }
        let error = Signature::from_file(Algorithm::ES384, &utf16[..utf16.len() - 1]).unwrap_err();
        assert!(matches!(error, SignatureError::Encoding(_)), "{error}");
    }

    #[test]
    fn what_is_a_signature_of_another_kind_is_called_that() {
        // In DER it could be one by a key on a larger curve, and is found when it is verified.
        let (_, raw, _) = signature(P256);
        let error = Signature::from_file(Algorithm::ES384, BASE64_STANDARD.encode(raw).as_bytes()).unwrap_err();
        let (algorithm, found) = (Algorithm::ES384, Algorithm::ES256);
        assert_eq!(error, SignatureError::OtherAlgorithm { algorithm, found });
        let jws = format!("eyJhbGciOiJFUzM4NCJ9.eyJ4IjoxfQ.{}", BASE64_URL_SAFE_NO_PAD.encode([7; 96]));
        assert_eq!(Signature::from_file(Algorithm::ES384, jws.as_bytes()), Err(SignatureError::JsonWebSignature));
    }

    #[test]
    fn a_signature_is_read_in_every_form_it_may_come_in() {
        for pem in [P256, P384, P521] {
            let (signature, raw, der) = signature(pem);
            let algorithm = signature.algorithm();
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
            assert_eq!(error, SignatureError::File { algorithm, found: 7 });
        }
    }
}
