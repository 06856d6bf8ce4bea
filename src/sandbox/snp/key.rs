//! Keys of the made-up manufacturer and issuer: RSA where AMD has RSA, P-384 elsewhere.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PSS_SHA384, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::sandbox::SandboxError;

/// A key pair.
pub(super) enum Key {
    /// AMD's roots are of 4096 bits, which take seconds to make; these are of 2048.
    Rsa(RsaKeyPair),
    P384(EcdsaKeyPair),
}

impl Key {
    pub(super) fn rsa() -> Result<Self, SandboxError> {
        RsaKeyPair::generate(KeySize::Rsa2048).map(Self::Rsa).map_err(SandboxError::certificate)
    }

    pub(super) fn p384() -> Result<Self, SandboxError> {
        EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map(Self::P384).map_err(SandboxError::certificate)
    }

    /// The private key, PKCS#8 in base64.
    pub(super) fn to_text(&self) -> Result<String, SandboxError> {
        let bytes = match self {
            Self::Rsa(key) => AsDer::<Pkcs8V1Der<'_>>::as_der(key).map(|der| STANDARD.encode(der.as_ref())),
            Self::P384(key) => key.to_pkcs8v1().map(|der| STANDARD.encode(der.as_ref())),
        };
        bytes.map_err(SandboxError::certificate)
    }

    /// Reads what [`to_text`](Self::to_text) wrote of an RSA key.
    pub(super) fn rsa_from(text: &str) -> Result<Self, SandboxError> {
        RsaKeyPair::from_pkcs8(&decode(text)?).map(Self::Rsa).map_err(SandboxError::certificate)
    }

    /// Reads what [`to_text`](Self::to_text) wrote of a P-384 key.
    pub(super) fn p384_from(text: &str) -> Result<Self, SandboxError> {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &decode(text)?);
        key.map(Self::P384).map_err(SandboxError::certificate)
    }

    /// The public key's SubjectPublicKeyInfo, DER.
    pub(super) fn spki(&self) -> Result<Vec<u8>, SandboxError> {
        let der = match self {
            Self::Rsa(key) => AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()),
            Self::P384(key) => AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()),
        };
        der.map(|der| der.as_ref().to_vec()).map_err(SandboxError::certificate)
    }

    /// RSA-PSS, or ECDSA as r ‖ s, big-endian; both with SHA-384.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SandboxError> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                let signed = key.sign(&RSA_PSS_SHA384, &random, message, &mut signature);
                signed.map(|()| signature).map_err(SandboxError::certificate)
            }
            Self::P384(key) => {
                let signature = key.sign(&random, message);
                signature.map(|signature| signature.as_ref().to_vec()).map_err(SandboxError::certificate)
            }
        }
    }
}

fn decode(text: &str) -> Result<Vec<u8>, SandboxError> {
    STANDARD.decode(text).map_err(SandboxError::certificate)
}
