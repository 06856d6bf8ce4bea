//! Lists of revoked certificates (RFC 5280): read strictly, their signatures verified over the bytes as they stand.

use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::certificate::{self, Scheme};

/// A list, unverified until [`RevocationList::is_signed_by`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    der: Vec<u8>,
}

/// Bytes that are no list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no list of revoked certificates, in PEM or DER")]
pub struct NoRevocationList;

impl RevocationList {
    /// Reads PEM or DER. Open Enclave puts a NUL after some lists in DER, which is passed over.
    ///
    /// # Errors
    /// Anything else, and a list with something after it.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoRevocationList> {
        let mut der = if certificate::is_pem(bytes, "") {
            let block = pem::parse(bytes).map_err(|_| NoRevocationList)?;
            if block.tag() != "X509 CRL" {
                return Err(NoRevocationList);
            }
            block.into_contents()
        } else {
            bytes.to_vec()
        };
        let after = match CertificateRevocationList::from_der(&der) {
            Ok((after @ ([] | [0]), _)) => after.len(),
            _ => return Err(NoRevocationList),
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
