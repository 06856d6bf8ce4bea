//! A private key in a PEM file, as a signer.

use async_trait::async_trait;

use super::{NoPassphrase, PassphraseSource, PrivateKey, Signer, SignerError};
use crate::cose::{MemberCertificate, Signature};

/// A key read from PEM, with the certificate that belongs to it. Its signatures are deterministic (RFC 6979).
#[derive(Debug)]
pub struct PemSigner {
    key: PrivateKey,
    certificate: MemberCertificate,
}

impl PemSigner {
    /// Reads a key that is not encrypted, and checks that it belongs to `certificate`.
    pub fn new(key_pem: &str, certificate: MemberCertificate) -> Result<Self, SignerError> {
        Self::open(key_pem, "the key", &NoPassphrase, certificate)
    }

    /// Reads a key, asking `source` for its passphrase if it is encrypted, and checks that it belongs to `certificate`.
    /// `name` is what the passphrase is asked for: the file's name.
    pub fn open(
        key_pem: &str,
        name: &str,
        source: &dyn PassphraseSource,
        certificate: MemberCertificate,
    ) -> Result<Self, SignerError> {
        Self::with_key(PrivateKey::from_pem(key_pem, name, source)?, certificate)
    }

    /// A signer of a key that was read already.
    pub fn with_key(key: PrivateKey, certificate: MemberCertificate) -> Result<Self, SignerError> {
        if !certificate.fits_key(key.algorithm(), Some(&key.public_key())) {
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

    fn private_key(&self) -> Option<&PrivateKey> {
        Some(&self.key)
    }

    async fn sign(&self, message: &[u8]) -> Result<Signature, SignerError> {
        Ok(self.key.sign(message))
    }
}
