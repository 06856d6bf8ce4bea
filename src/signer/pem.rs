//! A private key in a PEM file.

use std::fmt;

use async_trait::async_trait;
use ecdsa::signature::Signer as _;
use pkcs8::DecodePrivateKey;

use super::{Signer, SignerError};
use crate::cose::{Algorithm, MemberCertificate, Signature};

/// A key read from SEC 1 or PKCS#8 PEM, with the certificate that belongs to it.
pub struct PemSigner {
    key: Key,
    certificate: MemberCertificate,
}

enum Key {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
}

impl PemSigner {
    /// Reads a key and checks that it belongs to `certificate`.
    pub fn new(key_pem: &str, certificate: MemberCertificate) -> Result<Self, SignerError> {
        let failed = |e: &dyn fmt::Display| SignerError::Key(e.to_string());
        let key = match certificate.algorithm() {
            Algorithm::ES256 => Key::P256(p256::ecdsa::SigningKey::from_pkcs8_pem(key_pem).map_err(|e| failed(&e))?),
            Algorithm::ES384 => Key::P384(p384::ecdsa::SigningKey::from_pkcs8_pem(key_pem).map_err(|e| failed(&e))?),
            Algorithm::ES512 => Key::P521(p521::ecdsa::SigningKey::from_pkcs8_pem(key_pem).map_err(|e| failed(&e))?),
        };
        let point = match &key {
            Key::P256(k) => k.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Key::P384(k) => k.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Key::P521(k) => k.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
        };
        if point != certificate.public_key() {
            return Err(SignerError::Mismatch);
        }
        Ok(Self { key, certificate })
    }
}

#[async_trait]
impl Signer for PemSigner {
    fn certificate(&self) -> &MemberCertificate {
        &self.certificate
    }

    async fn sign(&self, message: &[u8]) -> Result<Signature, SignerError> {
        let bytes = match &self.key {
            Key::P256(k) => {
                let s: p256::ecdsa::Signature = k.sign(message);
                s.to_bytes().to_vec()
            }
            Key::P384(k) => {
                let s: p384::ecdsa::Signature = k.sign(message);
                s.to_bytes().to_vec()
            }
            Key::P521(k) => {
                let s: p521::ecdsa::Signature = k.sign(message);
                s.to_bytes().to_vec()
            }
        };
        Ok(Signature::from_fixed(self.algorithm(), &bytes)?)
    }
}

impl fmt::Debug for PemSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PemSigner").field("member", &self.certificate.member_id()).finish_non_exhaustive()
    }
}
