//! The signature algorithms that CCF takes, each with its curve and hash.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, EcdsaVerificationAlgorithm,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::curve::Curve;

/// An ECDSA algorithm of RFC 9053, section 2.1. It follows from the key's curve, and brings its own hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub enum Algorithm {
    /// P-256 with SHA-256, COSE −7.
    ES256,
    /// P-384 with SHA-384, COSE −35. What CCF's own keys use.
    ES384,
    /// P-521 with SHA-512, COSE −36.
    ES512,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ES256, Self::ES384, Self::ES512];

    /// The COSE algorithm identifier.
    pub const fn cose_id(self) -> i64 {
        match self {
            Self::ES256 => -7,
            Self::ES384 => -35,
            Self::ES512 => -36,
        }
    }

    /// The algorithm with this COSE identifier.
    pub fn from_cose_id(id: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.cose_id() == id)
    }

    /// The name in JOSE and in key vaults, for example `ES384`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::ES512 => "ES512",
        }
    }

    /// The curve that its keys are on.
    pub const fn curve(self) -> Curve {
        match self {
            Self::ES256 => Curve::P256,
            Self::ES384 => Curve::P384,
            Self::ES512 => Curve::P521,
        }
    }

    /// The algorithm of keys on this curve.
    pub const fn of_curve(curve: Curve) -> Self {
        match curve {
            Curve::P256 => Self::ES256,
            Curve::P384 => Self::ES384,
            Curve::P521 => Self::ES512,
        }
    }

    /// Bytes of one of r and s: 32, 48, 66.
    pub const fn scalar_len(self) -> usize {
        self.curve().bytes()
    }

    /// Bytes of a signature r ‖ s: 64, 96, 132.
    pub const fn signature_len(self) -> usize {
        2 * self.scalar_len()
    }

    /// `message` under the algorithm's hash.
    pub fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::ES256 => Sha256::digest(message).to_vec(),
            Self::ES384 => Sha384::digest(message).to_vec(),
            Self::ES512 => Sha512::digest(message).to_vec(),
        }
    }

    pub(super) fn verification(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Self::ES256 => &ECDSA_P256_SHA256_FIXED,
            Self::ES384 => &ECDSA_P384_SHA384_FIXED,
            Self::ES512 => &ECDSA_P521_SHA512_FIXED,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
