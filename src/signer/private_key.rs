//! Private keys in PEM: SEC 1 (RFC 5915), PKCS#8 (RFC 5958) and encrypted PKCS#8 (PBES2, RFC 8018).

use std::fmt;

use ecdsa::signature::Signer as _;
use pkcs8::pkcs5::pbes2::Kdf;
use pkcs8::{EncryptedPrivateKeyInfoRef, ObjectIdentifier, PrivateKeyInfoRef, SecretDocument};
use sec1::{EcParameters, EcPrivateKey};

use super::{Passphrase, PassphraseError, PassphraseSource};
use crate::cose::{Algorithm, Signature};
use crate::curve::{Curve, EC_KEY};

/// An elliptic curve private key. Wiped when dropped, and never shown.
pub struct PrivateKey(OnCurve);

enum OnCurve {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
}

/// Why a file gives no private key that can sign for CCF.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Nothing in it is a private key.
    #[error("it holds no PEM private key (a block that begins with -----BEGIN PRIVATE KEY----- or EC PRIVATE KEY)")]
    NoKey,
    /// A public key.
    #[error("it is a public key, but signing needs the private key")]
    PublicKey,
    /// A certificate.
    #[error("it is a certificate, but signing needs the private key")]
    Certificate,
    /// More than one.
    #[error("it holds {0} private keys, but one is needed")]
    Several(usize),
    /// A key of another kind.
    #[error("it is an {0} key: CCF accepts members' signatures by keys on P-256, P-384 and P-521 only")]
    Kind(&'static str),
    /// Another curve.
    #[error("its curve is {0}: CCF accepts P-256, P-384 and P-521 only")]
    Curve(String),
    /// The encryption of old OpenSSL versions, which has no integrity and one round of MD5.
    #[error(
        "it is encrypted in OpenSSL's old form (Proc-Type: 4,ENCRYPTED); convert it with: openssl pkcs8 -topk8 -in OLD.pem -out NEW.pem"
    )]
    LegacyEncryption,
    /// An encryption scheme that is not supported.
    #[error(
        "its encryption is not PBES2 with AES and SHA-2 or scrypt; convert it with: openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD.pem -out NEW.pem"
    )]
    Encryption,
    /// An encryption that would take hours or gigabytes to open.
    #[error("its encryption needs more work than any normal key file does ({0})")]
    TooCostly(String),
    /// There is no passphrase.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// The passphrase does not open it.
    #[error("the passphrase does not decrypt it")]
    WrongPassphrase,
    /// The block is damaged. The text tells nothing of its content.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
}

impl PrivateKey {
    /// The largest key file that is read, in bytes.
    pub const MAX_FILE: u64 = 64 << 10;

    /// Reads the one private key in `text`. `name` is what the passphrase is asked for, if there is need of one.
    pub fn from_pem(text: &str, name: &str, source: &dyn PassphraseSource) -> Result<Self, KeyError> {
        let blocks = blocks(text);
        let keys: Vec<_> = blocks.iter().filter(|(label, _)| label.ends_with("PRIVATE KEY")).collect();
        let (label, block) = match keys[..] {
            [one] => *one,
            [] if blocks.iter().any(|(label, _)| label.ends_with("CERTIFICATE")) => return Err(KeyError::Certificate),
            [] if blocks.iter().any(|(label, _)| label.ends_with("PUBLIC KEY")) => return Err(KeyError::PublicKey),
            [] => return Err(KeyError::NoKey),
            _ => return Err(KeyError::Several(keys.len())),
        };
        if block.contains("Proc-Type:") {
            return Err(KeyError::LegacyEncryption);
        }
        let der = || SecretDocument::from_pem(block).map(|d| d.1).map_err(|_| KeyError::Damaged("no valid PEM"));
        match label {
            "EC PRIVATE KEY" => Self::from_sec1(der()?.as_bytes(), None),
            "PRIVATE KEY" => Self::from_pkcs8(der()?.as_bytes()),
            "ENCRYPTED PRIVATE KEY" => {
                let document = der()?;
                let info = open_encrypted(document.as_bytes())?;
                Self::decrypt(&info, &source.passphrase(name)?)
            }
            "RSA PRIVATE KEY" => Err(KeyError::Kind("RSA")),
            "OPENSSH PRIVATE KEY" => Err(KeyError::Kind("OpenSSH")),
            _ => Err(KeyError::NoKey),
        }
    }

    /// The algorithm that the key's curve gives.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            OnCurve::P256(_) => Algorithm::ES256,
            OnCurve::P384(_) => Algorithm::ES384,
            OnCurve::P521(_) => Algorithm::ES512,
        }
    }

    /// The public key as an uncompressed point (SEC 1, 2.3.3).
    pub fn public_key(&self) -> Vec<u8> {
        match &self.0 {
            OnCurve::P256(k) => k.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            OnCurve::P384(k) => k.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            OnCurve::P521(k) => k.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
        }
    }

    /// Signs `message`, hashed with the algorithm's hash. The same message gives the same signature (RFC 6979).
    pub fn sign(&self, message: &[u8]) -> Signature {
        match &self.0 {
            OnCurve::P256(k) => Signature::es256(k.sign(message)),
            OnCurve::P384(k) => Signature::es384(k.sign(message)),
            OnCurve::P521(k) => Signature::es512(k.sign(message)),
        }
    }

    fn from_sec1(der: &[u8], outer: Option<ObjectIdentifier>) -> Result<Self, KeyError> {
        let key = EcPrivateKey::try_from(der).map_err(|_| KeyError::Damaged("no valid SEC 1 key"))?;
        let inner = key.parameters.map(|EcParameters::NamedCurve(oid)| oid);
        let oid = match (outer, inner) {
            (Some(outer), Some(inner)) if outer != inner => return Err(KeyError::Damaged("it names two curves")),
            (Some(oid), _) | (None, Some(oid)) => oid.to_string(),
            (None, None) => return Err(KeyError::Damaged("it names no curve")),
        };
        let curve = Curve::from_oid(&oid).ok_or_else(|| KeyError::Curve(curve_name(oid)))?;
        let scalar = key.private_key;
        let bad = |_| KeyError::Damaged("its number is not one of its curve");
        let this = Self(match curve {
            Curve::P256 => OnCurve::P256(p256::ecdsa::SigningKey::from_slice(scalar).map_err(bad)?),
            Curve::P384 => OnCurve::P384(p384::ecdsa::SigningKey::from_slice(scalar).map_err(bad)?),
            Curve::P521 => OnCurve::P521(p521::ecdsa::SigningKey::from_slice(scalar).map_err(bad)?),
        });
        match key.public_key {
            Some(point) if point.first() == Some(&4) && point != this.public_key() => {
                Err(KeyError::Damaged("its public and private parts do not belong together"))
            }
            _ => Ok(this),
        }
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let info = PrivateKeyInfoRef::try_from(der).map_err(|_| KeyError::Damaged("no valid PKCS#8"))?;
        match info.algorithm.oid.to_string().as_str() {
            EC_KEY => {
                let curve = info.algorithm.parameters_oid().map_err(|_| KeyError::Curve("not a named one".into()))?;
                Self::from_sec1(info.private_key.as_bytes(), Some(curve))
            }
            "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" => Err(KeyError::Kind("RSA")),
            "1.3.101.112" | "1.3.101.113" => Err(KeyError::Kind("EdDSA")),
            _ => Err(KeyError::Damaged("its algorithm is not an elliptic curve's")),
        }
    }

    fn decrypt(info: &EncryptedPrivateKeyInfoRef<'_>, passphrase: &Passphrase) -> Result<Self, KeyError> {
        let der = info.decrypt(passphrase.as_bytes()).map_err(|_| KeyError::WrongPassphrase)?;
        // With CBC a wrong passphrase can leave a valid padding by chance: then no PKCS#8 comes out.
        PrivateKeyInfoRef::try_from(der.as_bytes()).map_err(|_| KeyError::WrongPassphrase)?;
        Self::from_pkcs8(der.as_bytes())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({}, …)", self.algorithm().curve())
    }
}

/// Reads the encryption's parameters and refuses those that would stop the machine.
fn open_encrypted(der: &[u8]) -> Result<EncryptedPrivateKeyInfoRef<'_>, KeyError> {
    const MAX_ITERATIONS: u32 = 10_000_000;
    const MAX_MEMORY: u128 = 1 << 30;
    let info = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| KeyError::Encryption)?;
    match &info.encryption_algorithm.pbes2().ok_or(KeyError::Encryption)?.kdf {
        Kdf::Pbkdf2(p) if p.iteration_count > MAX_ITERATIONS => {
            Err(KeyError::TooCostly(format!("{} iterations", p.iteration_count)))
        }
        Kdf::Scrypt(p) => {
            let memory =
                128 * u128::from(p.cost_parameter) * u128::from(p.block_size) * u128::from(p.parallelization.max(1));
            if memory > MAX_MEMORY { Err(KeyError::TooCostly(format!("{memory} bytes"))) } else { Ok(info) }
        }
        _ => Ok(info),
    }
}

/// The PEM blocks in a text, each with its label; what stands between them (as `openssl pkcs12` writes) is passed over.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("-----BEGIN ") {
        let block = &rest[start..];
        let Some((label, _)) = block["-----BEGIN ".len()..].split_once("-----") else { break };
        let end = format!("-----END {label}-----");
        let Some(at) = block.find(&end) else { break };
        let (block, after) = block.split_at(at + end.len());
        found.push((label, block));
        rest = after;
    }
    found
}

fn curve_name(oid: String) -> String {
    match oid.as_str() {
        "1.3.132.0.10" => "secp256k1".into(),
        _ => oid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signer::NoPassphrase;
    use zeroize::Zeroizing;

    macro_rules! vector {
        ($name:literal) => {
            include_str!(concat!("../../tests/vectors/keys/", $name, ".pem"))
        };
    }

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.into())).unwrap()
    }

    #[test]
    fn the_same_key_comes_out_of_every_form() {
        let expected = PrivateKey::from_pem(vector!("sec1"), "x", &NoPassphrase).unwrap().public_key();
        for (text, source) in [
            (vector!("sec1-with-parameters"), None),
            (vector!("pkcs8"), None),
            (vector!("encrypted"), Some("correct-horse")),
            (vector!("encrypted-scrypt"), Some("correct-horse")),
            (vector!("encrypted-sha512"), Some("correct-horse")),
        ] {
            let key = match source {
                None => PrivateKey::from_pem(text, "x", &NoPassphrase),
                Some(p) => PrivateKey::from_pem(text, "x", &passphrase(p)),
            };
            assert_eq!(key.unwrap().public_key(), expected);
        }
        let windows = vector!("sec1-with-parameters").replace('\n', "\r\n");
        assert_eq!(PrivateKey::from_pem(&windows, "x", &NoPassphrase).unwrap().public_key(), expected);
        let p384 = PrivateKey::from_pem(vector!("p384"), "x", &NoPassphrase).unwrap();
        let p521 = PrivateKey::from_pem(vector!("p521"), "x", &NoPassphrase).unwrap();
        assert_eq!((p384.algorithm(), p521.algorithm()), (Algorithm::ES384, Algorithm::ES512));
    }

    #[test]
    fn what_is_no_usable_key_is_named() {
        let error = |text: &str| PrivateKey::from_pem(text, "x", &NoPassphrase).unwrap_err();
        assert!(matches!(error(""), KeyError::NoKey));
        assert!(matches!(error("-----BEGIN PRIVATE KEY-----\n"), KeyError::NoKey));
        assert!(matches!(error(vector!("public")), KeyError::PublicKey));
        assert!(matches!(error(vector!("certificate")), KeyError::Certificate));
        assert!(matches!(error(vector!("rsa")), KeyError::Kind("RSA")));
        assert!(matches!(error(vector!("ed25519")), KeyError::Kind("EdDSA")));
        assert!(matches!(error(vector!("secp256k1")), KeyError::Curve(c) if c == "secp256k1"));
        assert!(matches!(error(vector!("two")), KeyError::Several(2)));
        assert!(matches!(error(vector!("legacy-encrypted")), KeyError::LegacyEncryption));
        assert!(matches!(error(vector!("encrypted")), KeyError::Passphrase(PassphraseError::None)));
        assert!(matches!(error(&vector!("pkcs8").replace("MIGH", "MIGI")), KeyError::Damaged(_)));
        let des3 = PrivateKey::from_pem(vector!("encrypted-des3"), "x", &passphrase("correct-horse")).unwrap_err();
        assert!(matches!(des3, KeyError::Encryption), "{des3:?}");
    }

    #[test]
    fn a_wrong_passphrase_is_told_and_not_shown() {
        for text in [vector!("encrypted"), vector!("encrypted-scrypt")] {
            let wrong = PrivateKey::from_pem(text, "x", &passphrase("battery-staple")).unwrap_err();
            assert!(matches!(wrong, KeyError::WrongPassphrase));
            assert!(!format!("{wrong} {wrong:?} {:?}", passphrase("battery-staple")).contains("battery"));
        }
    }
}
