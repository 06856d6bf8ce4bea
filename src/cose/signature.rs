//! ECDSA signatures: one form inside (r ‖ s, fixed length), whatever came from outside.

use super::Algorithm;

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
