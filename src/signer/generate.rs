//! New keys for a member, as files with the names that CCF's `keygenerator` gives them.

use crate::text::clip;
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use rcgen::{CertificateParams, DistinguishedName, DnType, SignatureAlgorithm};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::PemSigner;
use crate::cose::{Algorithm, MemberCertificate};
use crate::files::{self, FileError, NewFile, Readers};

/// The validity that CCF's `keygenerator` gives a certificate.
pub const DEFAULT_DAYS: u32 = 365;

/// A member's new keys, in memory. The private ones are wiped when this is dropped.
pub struct NewKeys {
    name: String,
    certificate: MemberCertificate,
    private_key: Zeroizing<String>,
    encryption: Option<EncryptionKey>,
}

struct EncryptionKey {
    private_key: Zeroizing<String>,
    public_key: String,
}

/// The files that [`NewKeys::write`] wrote.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct KeyFiles {
    /// `NAME_privk.pem`, 0600: the private key, PKCS#8.
    pub private_key: PathBuf,
    /// `NAME_cert.pem`: the self-signed certificate that a service registers.
    pub certificate: PathBuf,
    /// `NAME_enc_privk.pem`, 0600: the RSA-2048 key that opens recovery shares, PKCS#8.
    pub encryption_private_key: Option<PathBuf>,
    /// `NAME_enc_pubk.pem`: its public key (SubjectPublicKeyInfo), which a service registers.
    pub encryption_public_key: Option<PathBuf>,
}

/// Why no keys were made.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// A name that cannot be both a file's and a certificate's.
    #[error(
        "{0:?} is not a name for keys: 1 to 64 letters, digits, '_', '-', '.' or '@', and not beginning with '-' or '.'"
    )]
    Name(String),
    /// A validity that a certificate cannot have.
    #[error("a certificate is valid for 1 to {max} days, not {0}", max = NewKeys::MAX_DAYS)]
    Days(u32),
    /// The key or the certificate could not be made.
    #[error("no key could be generated: {0}")]
    Crypto(String),
    /// A file could not be written; none of the set was left.
    #[error(transparent)]
    File(#[from] FileError),
}

impl NewKeys {
    /// The longest validity, in days: a hundred years.
    pub const MAX_DAYS: u32 = 36_525;

    /// Makes a key for `algorithm` and a self-signed certificate `CN=name` that is valid for `days` from now;
    /// with `encryption` also an RSA-2048 key for recovery shares.
    pub fn generate(name: &str, algorithm: Algorithm, days: u32, encryption: bool) -> Result<Self, GenerateError> {
        check_name(name)?;
        if !(1..=Self::MAX_DAYS).contains(&days) {
            return Err(GenerateError::Days(days));
        }
        let (certificate, private_key) = identity(name, algorithm, days)?;
        let encryption = if encryption { Some(EncryptionKey::generate()?) } else { None };
        Ok(Self { name: name.into(), certificate, private_key, encryption })
    }

    /// A signer with a throw-away key and a self-signed certificate `CN=name` that is valid for `days`: nothing of it is written, and any
    /// name will do.
    pub fn throw_away(name: &str, algorithm: Algorithm, days: u32) -> Result<PemSigner, GenerateError> {
        let (certificate, private_key) = identity(name, algorithm, days.clamp(1, Self::MAX_DAYS))?;
        PemSigner::new(&private_key, certificate).map_err(|e| GenerateError::Crypto(e.to_string()))
    }

    /// The certificate, which names the member.
    pub fn certificate(&self) -> &MemberCertificate {
        &self.certificate
    }

    /// Writes the set into `folder`: all files, or none. Replaces existing ones only with `force`.
    pub fn write(&self, folder: &Path, force: bool) -> Result<KeyFiles, GenerateError> {
        let path = |suffix: &str| folder.join(format!("{}_{suffix}.pem", self.name));
        let written = KeyFiles {
            private_key: path("privk"),
            certificate: path("cert"),
            encryption_private_key: self.encryption.as_ref().map(|_| path("enc_privk")),
            encryption_public_key: self.encryption.as_ref().map(|_| path("enc_pubk")),
        };
        let certificate = self.certificate.to_pem();
        let mut set = vec![
            NewFile::new(&written.private_key, self.private_key.as_bytes(), Readers::Private),
            NewFile::new(&written.certificate, certificate.as_bytes(), Readers::Shared),
        ];
        if let (Some(key), Some(private), Some(public)) =
            (&self.encryption, &written.encryption_private_key, &written.encryption_public_key)
        {
            set.push(NewFile::new(private, key.private_key.as_bytes(), Readers::Private));
            set.push(NewFile::new(public, key.public_key.as_bytes(), Readers::Shared));
        }
        files::write_set(&set, force)?;
        Ok(written)
    }
}

impl std::fmt::Debug for NewKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewKeys").field("member", &self.certificate.member_id()).finish_non_exhaustive()
    }
}

impl EncryptionKey {
    fn generate() -> Result<Self, GenerateError> {
        let failed = |_| GenerateError::Crypto("RSA".into());
        let key = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
        let private: Pkcs8V1Der<'_> = key.as_der().map_err(failed)?;
        let public: PublicKeyX509Der<'_> = aws_lc_rs::signature::KeyPair::public_key(&key).as_der().map_err(failed)?;
        Ok(Self {
            private_key: Zeroizing::new(to_pem("PRIVATE KEY", private.as_ref())),
            public_key: to_pem("PUBLIC KEY", public.as_ref()),
        })
    }
}

fn identity(
    name: &str,
    algorithm: Algorithm,
    days: u32,
) -> Result<(MemberCertificate, Zeroizing<String>), GenerateError> {
    let failed = |e: rcgen::Error| GenerateError::Crypto(e.to_string());
    let key = rcgen::KeyPair::generate_for(scheme(algorithm)).map_err(failed)?;
    let private_key = Zeroizing::new(to_pem("PRIVATE KEY", key.serialized_der()));
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = OffsetDateTime::now_utc();
    parameters.not_after = parameters.not_before + Duration::days(days.into());
    let certificate = parameters.self_signed(&key).map_err(failed)?;
    let certificate =
        MemberCertificate::from_der(certificate.der()).map_err(|e| GenerateError::Crypto(e.to_string()))?;
    Ok((certificate, private_key))
}

/// The certificate is signed with its algorithm's own hash: tools that hash with the certificate's hash get it right.
fn scheme(algorithm: Algorithm) -> &'static SignatureAlgorithm {
    match algorithm {
        Algorithm::ES256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        Algorithm::ES384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        Algorithm::ES512 => &rcgen::PKCS_ECDSA_P521_SHA512,
    }
}

fn to_pem(tag: &str, der: &[u8]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(tag, der), config)
}

fn check_name(name: &str) -> Result<(), GenerateError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '@');
    if (1..=64).contains(&name.len()) && name.chars().all(plain) && !name.starts_with(['-', '.']) {
        Ok(())
    } else {
        Err(GenerateError::Name(clip(name, 80)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_written_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let keys = NewKeys::generate("member0", Algorithm::ES384, 1, true).unwrap();
        let taken = folder.path().join("member0_enc_pubk.pem");
        std::fs::write(&taken, "mine").unwrap();
        assert!(matches!(keys.write(folder.path(), false), Err(GenerateError::File(FileError::Exists { .. }))));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        keys.write(folder.path(), true).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
        assert!(std::fs::read_to_string(&taken).unwrap().starts_with("-----BEGIN PUBLIC KEY-----"));
    }

    #[test]
    fn names_that_would_leave_the_folder_are_refused() {
        for bad in ["", "../x", "a/b", "-x", ".x", "a b", "é", &"x".repeat(65)] {
            assert!(
                matches!(NewKeys::generate(bad, Algorithm::ES256, 1, false), Err(GenerateError::Name(_))),
                "{bad:?}"
            );
        }
        for days in [0, NewKeys::MAX_DAYS + 1] {
            assert!(matches!(NewKeys::generate("m", Algorithm::ES256, days, false), Err(GenerateError::Days(_))));
        }
    }

    #[test]
    fn every_curve_gives_a_certificate_in_date() {
        for algorithm in Algorithm::ALL {
            let keys = NewKeys::generate("m", algorithm, 1, false).unwrap();
            assert_eq!(keys.certificate().algorithm(), algorithm);
            keys.certificate().check_in_date(OffsetDateTime::now_utc()).unwrap();
            assert!(!format!("{keys:?}").contains("PRIVATE"));
        }
    }
}
