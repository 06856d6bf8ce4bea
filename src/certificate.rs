//! X.509 certificates of attestation chains: read strictly, their signatures verified over the bytes as they stand.

use crate::text::clip;
use aws_lc_rs::signature::{self as rsa_ec, UnparsedPublicKey, VerificationAlgorithm};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::signature_algorithm::SignatureAlgorithm;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use crate::curve::{Curve, EC_KEY};
use crate::der::{self, Tag};

/// The largest certificate that is read: just below 64 KiB. Real ones are below 2 KiB.
pub const MAX_CERTIFICATE: usize = (64 << 10) - 1;

/// What is wrong with a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not PEM certificates.
    #[error("not PEM certificates: {0}")]
    Pem(String),
    /// Not a DER certificate.
    #[error("not a DER X.509 certificate: {0}")]
    Malformed(String),
    /// What lies outside of the signed part is not what the signed part says, or not in DER.
    #[error("the certificate's unsigned part does not match its signed part: it was changed")]
    AlgorithmsDiffer,
    /// A signature algorithm that no supported chain uses.
    #[error("the signature algorithm {0} is not supported")]
    Unsupported(String),
    /// Another name than the issuer's stands in the certificate.
    #[error("the certificate says that {said} issued it, but the next one is {next}")]
    WrongIssuer {
        /// The issuer that the certificate names.
        said: String,
        /// The subject of the next certificate.
        next: String,
    },
    /// The signature is not by that key over those bytes.
    #[error("the signature was not made by that key over these bytes")]
    Signature,
}

/// The certificates (DER) of PEM text, every block of it; what stands between blocks is passed over.
///
/// # Errors
/// Anything that is not a whole block of a certificate, and text without any.
pub fn from_pem(text: &[u8]) -> Result<Vec<Vec<u8>>, CertificateError> {
    blocks(text, "CERTIFICATE").map_err(CertificateError::Pem)
}

/// The contents of PEM text's blocks, at least one, all of them whole and with this label; else what is wrong.
pub(super) fn blocks(text: &[u8], label: &str) -> Result<Vec<Vec<u8>>, String> {
    let blocks = pem::parse_many(text).map_err(|e| e.to_string())?;
    let begun = text.windows(BEGIN.len()).filter(|window| *window == BEGIN).count();
    if blocks.len() != begun || blocks.is_empty() {
        return Err(format!("{} of its {begun} blocks are whole", blocks.len()));
    }
    if let Some(other) = blocks.iter().find(|block| block.tag() != label) {
        return Err(format!("a block of it is a {:?}", clip(other.tag(), 40)));
    }
    Ok(blocks.into_iter().map(pem::Pem::into_contents).collect())
}

const BEGIN: &[u8] = b"-----BEGIN ";

/// Whether bytes are text in which a line begins a PEM block of this label (of any, if it is empty). Comments may stand
/// before it (RFC 7468, section 2).
pub fn is_pem(bytes: &[u8], label: &str) -> bool {
    let begins = |line: &str| line.strip_prefix("-----BEGIN ").is_some_and(|rest| rest.starts_with(label));
    std::str::from_utf8(bytes).is_ok_and(|text| text.lines().any(begins))
}

/// Reads one DER certificate, with nothing after it.
///
/// # Errors
/// Anything that is not one certificate in DER, or whose two signature algorithms differ.
pub fn parse(der: &[u8]) -> Result<X509Certificate<'_>, CertificateError> {
    if der.len() > MAX_CERTIFICATE {
        return Err(CertificateError::Malformed(format!("it is longer than {MAX_CERTIFICATE} bytes")));
    }
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|e| CertificateError::Malformed(e.to_string()))?;
    if !rest.is_empty() {
        return Err(CertificateError::Malformed(format!("{} bytes follow it", rest.len())));
    }
    if certificate.signature_algorithm != certificate.tbs_certificate.signature {
        return Err(CertificateError::AlgorithmsDiffer);
    }
    check_encoding(der, &certificate)?;
    if certificate.signature_value.unused_bits != 0 || certificate.public_key().subject_public_key.unused_bits != 0 {
        return Err(CertificateError::Malformed("a bit string in it does not end at a byte".into()));
    }
    Ok(certificate)
}

/// Checks what surrounds the signed part byte for byte: a signature does not cover it, and parsers are lenient there.
fn check_encoding(der: &[u8], certificate: &X509Certificate<'_>) -> Result<(), CertificateError> {
    let signed = certificate.tbs_certificate.as_ref();
    if is_der_around(der, signed, &certificate.signature_value.data) {
        Ok(())
    } else {
        Err(CertificateError::AlgorithmsDiffer)
    }
}

/// Whether `der` is exactly `SEQUENCE { signed, algorithm, BIT STRING signature }`, with the algorithm that the signed part
/// of a certificate or of a revocation list names.
pub(super) fn is_der_around(der: &[u8], signed: &[u8], signature: &[u8]) -> bool {
    let rebuilt = || {
        let inside = der::sequence(signed)?;
        // Before it come a version and, in a certificate, the serial number.
        let algorithm = inside.iter().find(|element| element.header().tag() == Tag::Sequence)?;
        let algorithm = der::write(Tag::Sequence, algorithm.value())?;
        der::write_sequence(&[signed, &algorithm, &der::write_bit_string(signature)?])
    };
    rebuilt().is_some_and(|rebuilt| rebuilt == der)
}

/// The first and the last moment at which `certificate` is valid.
pub fn dates(certificate: &X509Certificate<'_>) -> (OffsetDateTime, OffsetDateTime) {
    let validity = certificate.validity();
    (validity.not_before.to_datetime(), validity.not_after.to_datetime())
}

/// Checks that `issuer` issued `certificate`: the names fit, and its key signed the certificate's bytes.
///
/// # Errors
/// Names the reason. Neither dates nor extensions are looked at.
pub fn check_issued(certificate: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> Result<(), CertificateError> {
    if certificate.issuer().as_raw() != issuer.subject().as_raw() {
        return Err(CertificateError::WrongIssuer {
            said: certificate.issuer().to_string(),
            next: issuer.subject().to_string(),
        });
    }
    Scheme::of(&certificate.signature_algorithm)?.verify(
        issuer.public_key(),
        certificate.tbs_certificate.as_ref(),
        &certificate.signature_value.data,
    )
}

/// A hash function of a signature scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// How something was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// RSA with PKCS #1 v1.5 padding.
    RsaPkcs1(Hash),
    /// RSA-PSS, the mask and the salt as long as the hash.
    RsaPss(Hash),
    /// ECDSA, DER-encoded signature.
    Ecdsa(Hash),
    /// ECDSA, fixed-length big-endian r ‖ s, the curve fitting the hash (COSE).
    EcdsaFixed(Hash),
    /// Ed25519.
    Ed25519,
}

impl Scheme {
    /// The scheme that an X.509 algorithm identifier names (RFC 4055, 5758, 8410).
    ///
    /// # Errors
    /// [`CertificateError::Unsupported`] for anything else, SHA-1 and unusual PSS parameters included.
    pub fn of(algorithm: &AlgorithmIdentifier<'_>) -> Result<Self, CertificateError> {
        let oid = algorithm.algorithm.to_id_string();
        Ok(match oid.as_str() {
            "1.2.840.113549.1.1.11" => Self::RsaPkcs1(Hash::Sha256),
            "1.2.840.113549.1.1.12" => Self::RsaPkcs1(Hash::Sha384),
            "1.2.840.113549.1.1.13" => Self::RsaPkcs1(Hash::Sha512),
            "1.2.840.10045.4.3.2" => Self::Ecdsa(Hash::Sha256),
            "1.2.840.10045.4.3.3" => Self::Ecdsa(Hash::Sha384),
            "1.2.840.10045.4.3.4" => Self::Ecdsa(Hash::Sha512),
            "1.3.101.112" => Self::Ed25519,
            "1.2.840.113549.1.1.10" => return Self::of_pss(algorithm),
            _ => return Err(CertificateError::Unsupported(oid)),
        })
    }

    fn of_pss(algorithm: &AlgorithmIdentifier<'_>) -> Result<Self, CertificateError> {
        let unsupported = || CertificateError::Unsupported("RSA-PSS with unusual parameters".into());
        let Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) = SignatureAlgorithm::try_from(algorithm) else {
            return Err(unsupported());
        };
        let (hash, length) = match parameters.hash_algorithm_oid().to_id_string().as_str() {
            "2.16.840.1.101.3.4.2.1" => (Hash::Sha256, 32),
            "2.16.840.1.101.3.4.2.2" => (Hash::Sha384, 48),
            "2.16.840.1.101.3.4.2.3" => (Hash::Sha512, 64),
            _ => return Err(unsupported()),
        };
        let mask = parameters.mask_gen_algorithm().map_err(|_| unsupported())?;
        let mask_is_same = mask.mgf.to_id_string() == "1.2.840.113549.1.1.8"
            && mask.hash.to_id_string() == parameters.hash_algorithm_oid().to_id_string();
        if !mask_is_same || parameters.salt_length() != length || parameters.trailer_field() != 1 {
            return Err(unsupported());
        }
        Ok(Self::RsaPss(hash))
    }

    /// The scheme that a COSE algorithm number names (RFC 9053, 8230): ES256/384/512, PS256/384/512.
    pub fn of_cose(algorithm: i64) -> Option<Self> {
        Some(match algorithm {
            -7 => Self::EcdsaFixed(Hash::Sha256),
            -35 => Self::EcdsaFixed(Hash::Sha384),
            -36 => Self::EcdsaFixed(Hash::Sha512),
            -37 => Self::RsaPss(Hash::Sha256),
            -38 => Self::RsaPss(Hash::Sha384),
            -39 => Self::RsaPss(Hash::Sha512),
            _ => return None,
        })
    }

    /// Checks that the key of `spki` made `signature` over `message` (unhashed).
    ///
    /// # Errors
    /// [`CertificateError::Unsupported`] if scheme and key do not go together, else [`CertificateError::Signature`].
    pub fn verify(
        self,
        spki: &SubjectPublicKeyInfo<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), CertificateError> {
        let algorithm = self.algorithm(spki)?;
        UnparsedPublicKey::new(algorithm, &spki.subject_public_key.data)
            .verify(message, signature)
            .map_err(|_| CertificateError::Signature)
    }

    fn algorithm(
        self,
        spki: &SubjectPublicKeyInfo<'_>,
    ) -> Result<&'static dyn VerificationAlgorithm, CertificateError> {
        let key = spki.algorithm.algorithm.to_id_string();
        let algorithm: &'static dyn VerificationAlgorithm = match (self, key.as_str(), Curve::of_key(spki)) {
            (Self::RsaPkcs1(Hash::Sha256), RSA, _) => &rsa_ec::RSA_PKCS1_2048_8192_SHA256,
            (Self::RsaPkcs1(Hash::Sha384), RSA, _) => &rsa_ec::RSA_PKCS1_2048_8192_SHA384,
            (Self::RsaPkcs1(Hash::Sha512), RSA, _) => &rsa_ec::RSA_PKCS1_2048_8192_SHA512,
            (Self::RsaPss(Hash::Sha256), RSA, _) => &rsa_ec::RSA_PSS_2048_8192_SHA256,
            (Self::RsaPss(Hash::Sha384), RSA, _) => &rsa_ec::RSA_PSS_2048_8192_SHA384,
            (Self::RsaPss(Hash::Sha512), RSA, _) => &rsa_ec::RSA_PSS_2048_8192_SHA512,
            (Self::Ecdsa(Hash::Sha256), EC_KEY, Some(Curve::P256)) => &rsa_ec::ECDSA_P256_SHA256_ASN1,
            (Self::Ecdsa(Hash::Sha384), EC_KEY, Some(Curve::P256)) => &rsa_ec::ECDSA_P256_SHA384_ASN1,
            (Self::Ecdsa(Hash::Sha512), EC_KEY, Some(Curve::P256)) => &rsa_ec::ECDSA_P256_SHA512_ASN1,
            (Self::Ecdsa(Hash::Sha256), EC_KEY, Some(Curve::P384)) => &rsa_ec::ECDSA_P384_SHA256_ASN1,
            (Self::Ecdsa(Hash::Sha384), EC_KEY, Some(Curve::P384)) => &rsa_ec::ECDSA_P384_SHA384_ASN1,
            (Self::Ecdsa(Hash::Sha512), EC_KEY, Some(Curve::P384)) => &rsa_ec::ECDSA_P384_SHA512_ASN1,
            (Self::Ecdsa(Hash::Sha256), EC_KEY, Some(Curve::P521)) => &rsa_ec::ECDSA_P521_SHA256_ASN1,
            (Self::Ecdsa(Hash::Sha384), EC_KEY, Some(Curve::P521)) => &rsa_ec::ECDSA_P521_SHA384_ASN1,
            (Self::Ecdsa(Hash::Sha512), EC_KEY, Some(Curve::P521)) => &rsa_ec::ECDSA_P521_SHA512_ASN1,
            (Self::EcdsaFixed(Hash::Sha256), EC_KEY, Some(Curve::P256)) => &rsa_ec::ECDSA_P256_SHA256_FIXED,
            (Self::EcdsaFixed(Hash::Sha384), EC_KEY, Some(Curve::P384)) => &rsa_ec::ECDSA_P384_SHA384_FIXED,
            (Self::EcdsaFixed(Hash::Sha512), EC_KEY, Some(Curve::P521)) => &rsa_ec::ECDSA_P521_SHA512_FIXED,
            (Self::Ed25519, ED25519, _) => &rsa_ec::ED25519,
            _ => return Err(CertificateError::Unsupported(format!("{self:?} with a key of type {key}"))),
        };
        Ok(algorithm)
    }
}

const RSA: &str = "1.2.840.113549.1.1.1";
const ED25519: &str = "1.3.101.112";
