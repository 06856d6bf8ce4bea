//! A member's certificate: who signs, with which curve, and until when.

use aws_lc_rs::signature::UnparsedPublicKey;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Algorithm, Signature, SignatureError};
use crate::curve::{Curve, EC_KEY};
use crate::digest::sha256;
use crate::files::Encoding;
use crate::id::MemberId;

/// An X.509 certificate with an elliptic curve key, as a service has it registered for a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberCertificate {
    der: Vec<u8>,
    member_id: MemberId,
    algorithm: Algorithm,
    public_key: Vec<u8>,
    common_name: Option<String>,
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
}

/// A member's certificate is replaced by proposals and votes, so it is thought of this many days before it expires.
pub const RENEW_DAYS: i64 = 30;

/// Why a file is not a usable member certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Not PEM, or not a certificate in it.
    #[error("not a PEM certificate (a block that begins with -----BEGIN CERTIFICATE-----)")]
    Pem,
    /// Text in another encoding than plain UTF-8.
    #[error("not plain UTF-8 text")]
    Encoding(#[source] Encoding),
    /// More than one certificate in the file.
    #[error("there are {0} certificates, and a member has one")]
    Several(usize),
    /// The DER is malformed.
    #[error("the certificate is not valid X.509: {0}")]
    X509(String),
    /// A key that CCF does not take for members.
    #[error("the certificate's key is not on P-256, P-384 or P-521 ({0}): CCF takes these only")]
    Key(String),
    /// The validity has not begun.
    #[error("the certificate is not valid before {0}")]
    NotYetValid(String),
    /// The validity is over.
    #[error("the certificate expired at {0}")]
    Expired(String),
}

impl MemberCertificate {
    /// Reads the one certificate in a PEM file.
    pub fn from_pem(text: &[u8]) -> Result<Self, CertificateError> {
        if let Some(encoding) = Encoding::detect(text) {
            return Err(CertificateError::Encoding(encoding));
        }
        let blocks = pem::parse_many(text).map_err(|_| CertificateError::Pem)?;
        let certificates: Vec<_> = blocks.iter().filter(|b| b.tag() == "CERTIFICATE").collect();
        match certificates[..] {
            [] => Err(CertificateError::Pem),
            [one] => Self::from_der(one.contents()),
            _ => Err(CertificateError::Several(certificates.len())),
        }
    }

    /// Reads a certificate's DER; refuses anything after it.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|e| CertificateError::X509(e.to_string()))?;
        if !rest.is_empty() {
            return Err(CertificateError::X509(format!("{} bytes follow it", rest.len())));
        }
        let key = certificate.public_key();
        let curve = Curve::of_key(key).filter(|_| key.algorithm.algorithm.to_id_string() == EC_KEY);
        let algorithm = curve.map(Algorithm::of_curve).ok_or_else(|| CertificateError::Key(kind(key)))?;
        let validity = certificate.validity();
        Ok(Self {
            algorithm,
            public_key: key.subject_public_key.data.to_vec(),
            common_name: common_name(&certificate),
            not_before: validity.not_before.to_datetime(),
            not_after: validity.not_after.to_datetime(),
            member_id: MemberId::from_bytes(sha256(der)),
            der: der.to_vec(),
        })
    }

    /// SHA-256 of the DER: the id under which a service knows the member.
    pub fn member_id(&self) -> MemberId {
        self.member_id
    }

    /// The algorithm that the key's curve gives.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public key as an elliptic curve point (SEC 1, usually uncompressed).
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Whether a private key of this algorithm is the certificate's, as far as its public point (uncompressed, SEC 1, 2.3.3)
    /// is known; where it is not, the first signature shows it.
    pub fn fits_key(&self, algorithm: Algorithm, point: Option<&[u8]>) -> bool {
        algorithm == self.algorithm && point.is_none_or(|point| self.has_key(point))
    }

    /// Whether this point (uncompressed, SEC 1, 2.3.3) is the certificate's public key, in whichever form that has.
    pub fn has_key(&self, point: &[u8]) -> bool {
        match self.public_key.first() {
            // A compressed point has the x coordinate, and the parity of y in its first byte.
            Some(2 | 3) => {
                let x = self.algorithm.scalar_len() + 1;
                let parity = 2 + point.last().map_or(0, |y| y & 1);
                point.get(1..x) == self.public_key.get(1..) && self.public_key.first() == Some(&parity)
            }
            _ => self.public_key == point,
        }
    }

    /// The subject's common name, if there is exactly one and it says anything.
    ///
    /// Whoever made the certificate chose it: unique is the member id alone.
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// The certificate's DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate as PEM, with line feeds.
    pub fn to_pem(&self) -> String {
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        pem::encode_config(&pem::Pem::new("CERTIFICATE", self.der.clone()), config)
    }

    /// The first moment of its validity.
    pub fn not_before(&self) -> OffsetDateTime {
        self.not_before
    }

    /// The last moment of its validity.
    pub fn not_after(&self) -> OffsetDateTime {
        self.not_after
    }

    /// Refuses a certificate that is not in date at `now`.
    pub fn check_in_date(&self, now: OffsetDateTime) -> Result<(), CertificateError> {
        let text = |time: OffsetDateTime| time.format(&Rfc3339).unwrap_or_else(|_| time.to_string());
        if now < self.not_before {
            Err(CertificateError::NotYetValid(text(self.not_before)))
        } else if now > self.not_after {
            Err(CertificateError::Expired(text(self.not_after)))
        } else {
            Ok(())
        }
    }

    /// How many whole days it is still valid at `now`, if they are few enough to see to a new one: at most [`RENEW_DAYS`].
    pub fn expires_soon(&self, now: OffsetDateTime) -> Option<i64> {
        let days = (self.not_after - now).whole_days();
        (days <= RENEW_DAYS && self.check_in_date(now).is_ok()).then_some(days)
    }

    /// Checks that `signature` is by this certificate's key over `message` (unhashed).
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        if signature.algorithm() != self.algorithm {
            return Err(SignatureError::Invalid);
        }
        UnparsedPublicKey::new(self.algorithm.verification(), &self.public_key)
            .verify(message, signature.as_bytes())
            .map_err(|_| SignatureError::Invalid)
    }
}

/// What a key is, as its object identifier says: that of its curve, if it names one.
fn kind(key: &x509_parser::x509::SubjectPublicKeyInfo<'_>) -> String {
    let parameters = key.algorithm.parameters.as_ref().and_then(|p| p.as_oid().ok());
    parameters.map_or_else(|| key.algorithm.algorithm.to_id_string(), |oid| oid.to_id_string())
}

fn common_name(certificate: &X509Certificate<'_>) -> Option<String> {
    let mut names = certificate.subject().iter_common_name();
    let name = names.next()?.as_str().ok()?.trim();
    (names.next().is_none() && !name.is_empty()).then(|| name.to_owned())
}
