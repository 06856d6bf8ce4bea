//! The elliptic curves of members' keys, certificates and attestations: names, object identifiers, lengths.

use std::fmt;

use x509_parser::x509::SubjectPublicKeyInfo;

/// A curve of FIPS 186.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// P-256, secp256r1.
    P256,
    /// P-384, secp384r1.
    P384,
    /// P-521, secp521r1.
    P521,
}

/// The object identifier of public keys on any curve (RFC 5480), dotted.
pub const EC_KEY: &str = "1.2.840.10045.2.1";

impl Curve {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    /// The name, as JSON Web Keys and people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// The object identifier, dotted.
    pub const fn oid(self) -> &'static str {
        match self {
            Self::P256 => "1.2.840.10045.3.1.7",
            Self::P384 => "1.3.132.0.34",
            Self::P521 => "1.3.132.0.35",
        }
    }

    /// The DER of the object identifier, as PKCS#11 has it in CKA_EC_PARAMS.
    pub const fn oid_der(self) -> &'static [u8] {
        match self {
            Self::P256 => &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
            Self::P384 => &[6, 5, 0x2b, 0x81, 4, 0, 34],
            Self::P521 => &[6, 5, 0x2b, 0x81, 4, 0, 35],
        }
    }

    /// Bytes of a coordinate, of a private key, and of one of a signature's two numbers: 32, 48, 66.
    pub const fn bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// The curve with this dotted object identifier.
    pub fn from_oid(oid: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.oid() == oid)
    }

    /// The curve of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|curve| curve.name() == name)
    }

    /// Whether an encoded point (SEC 1) lies on the curve.
    pub fn has_point(self, point: &[u8]) -> bool {
        match self {
            Self::P256 => p256::PublicKey::from_sec1_bytes(point).is_ok(),
            Self::P384 => p384::PublicKey::from_sec1_bytes(point).is_ok(),
            Self::P521 => p521::PublicKey::from_sec1_bytes(point).is_ok(),
        }
    }

    /// The curve that a public key's parameters name.
    pub fn of_key(key: &SubjectPublicKeyInfo<'_>) -> Option<Self> {
        let oid = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
        Self::from_oid(&oid.to_id_string())
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_and_der_are_one_identifier() {
        for curve in Curve::ALL {
            let oid = der::asn1::ObjectIdentifier::new_unwrap(curve.oid());
            assert_eq!(der::Encode::to_der(&oid).unwrap(), curve.oid_der(), "{}", curve.name());
            assert_eq!(Curve::from_name(curve.name()), Some(curve));
        }
    }
}
