//! Lists of revoked certificates (RFC 5280): read strictly, their signatures verified over the bytes as they stand.

use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use crate::certificate::{self, Scheme};

/// A list, unverified until [`RevocationList::is_signed_by`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    der: Vec<u8>,
}

/// Why bytes are no list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// Something else in DER, or something after a list.
    #[error("it is not a list of revoked certificates, in PEM or DER")]
    NoList,
    /// PEM that is not lists throughout.
    #[error("not PEM lists of revoked certificates: {0}")]
    Pem(String),
    /// Several lists where one belongs.
    #[error("it is {0} lists of revoked certificates, where one belongs")]
    Several(usize),
}

impl RevocationList {
    /// Reads one list, in PEM or DER.
    ///
    /// # Errors
    /// [`RevocationError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, RevocationError> {
        let one =
            |lists: Vec<Self>| <[Self; 1]>::try_from(lists).map_err(|lists| RevocationError::Several(lists.len()));
        Self::all(bytes).and_then(one).map(|[list]| list)
    }

    /// Reads every list of a file: one in DER, or PEM of lists alone.
    ///
    /// # Errors
    /// [`RevocationError`]
    pub fn all(bytes: &[u8]) -> Result<Vec<Self>, RevocationError> {
        if !certificate::is_pem(bytes, "") {
            return Ok(vec![Self::from_der(bytes.to_vec())?]);
        }
        let blocks = certificate::blocks(bytes, "X509 CRL").map_err(RevocationError::Pem)?;
        blocks.into_iter().map(Self::from_der).collect()
    }

    /// Open Enclave puts a NUL after some lists in DER, which is passed over.
    fn from_der(mut der: Vec<u8>) -> Result<Self, RevocationError> {
        let after = match CertificateRevocationList::from_der(&der) {
            Ok((after @ ([] | [0]), _)) => after.len(),
            _ => return Err(RevocationError::NoList),
        };
        der.truncate(der.len() - after);
        Ok(Self { der })
    }

    fn read<T>(&self, read: impl FnOnce(&CertificateRevocationList<'_>) -> T) -> Option<T> {
        CertificateRevocationList::from_der(&self.der).ok().map(|(_, list)| read(&list))
    }

    /// Whether `authority` is whom the list names as its issuer.
    pub fn is_of(&self, authority: &X509Certificate<'_>) -> bool {
        self.read(|list| list.issuer().as_raw() == authority.subject().as_raw()).unwrap_or(false)
    }

    /// Who issued it, as it says.
    pub fn issuer(&self) -> String {
        self.read(|list| list.issuer().to_string()).unwrap_or_default()
    }

    /// Whether `authority` issued and signed it.
    pub fn is_signed_by(&self, authority: &X509Certificate<'_>) -> bool {
        let signed = |list: &CertificateRevocationList<'_>| {
            certificate::is_der_around(&self.der, list.tbs_cert_list.as_ref(), &list.signature_value.data)
                && list.signature_algorithm == list.tbs_cert_list.signature
                && list.issuer().as_raw() == authority.subject().as_raw()
                && Scheme::of(&list.signature_algorithm).is_ok_and(|scheme| {
                    let message = list.tbs_cert_list.as_ref();
                    scheme.verify(authority.public_key(), message, &list.signature_value.data).is_ok()
                })
        };
        self.read(signed).unwrap_or(false)
    }

    /// Whether it names `certificate`, which must be of the same issuer.
    pub fn revokes(&self, certificate: &X509Certificate<'_>) -> bool {
        let named = |list: &CertificateRevocationList<'_>| {
            certificate.issuer().as_raw() == list.issuer().as_raw()
                && list.iter_revoked_certificates().any(|revoked| revoked.raw_serial() == certificate.raw_serial())
        };
        self.read(named).unwrap_or(false)
    }

    /// When it was issued, and when the next one is due, if it says so.
    pub fn dates(&self) -> Option<(OffsetDateTime, Option<OffsetDateTime>)> {
        self.read(|list| (list.last_update().to_datetime(), list.next_update().map(|next| next.to_datetime())))
    }
}
