//! Keys and certificates: the service's identity, and what it endorses for nodes.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, SanType,
};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};

use super::SandboxError;
use crate::digest::sha256;
use crate::id::NodeId;

/// A P-384 key pair.
pub(super) struct Key(KeyPair);

impl Key {
    /// A fresh key.
    pub(super) fn generate() -> Result<Self, SandboxError> {
        KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).map(Self).map_err(SandboxError::certificate)
    }

    /// Reads a PKCS#8 PEM that [`to_pem`](Self::to_pem) wrote.
    pub(super) fn from_pem(text: &str) -> Result<Self, SandboxError> {
        KeyPair::from_pem_and_sign_algo(text, &PKCS_ECDSA_P384_SHA384).map(Self).map_err(SandboxError::certificate)
    }

    /// The private key, PKCS#8 PEM.
    pub(super) fn to_pem(&self) -> String {
        self.0.serialize_pem()
    }

    /// The private key, PKCS#8 DER.
    pub(super) fn to_der(&self) -> Vec<u8> {
        self.0.serialize_der()
    }

    /// The public key as SubjectPublicKeyInfo PEM.
    pub(super) fn public_pem(&self) -> String {
        pem_text("PUBLIC KEY", self.spki())
    }

    /// SHA-256 of the public key's SubjectPublicKeyInfo.
    pub(super) fn node_id(&self) -> NodeId {
        NodeId::from_bytes(sha256(&self.spki()))
    }

    /// A request for a certificate of a node that is reached at `ip`.
    pub(super) fn csr(&self, ip: IpAddr) -> Result<String, SandboxError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::CommonName, "CCF Node");
        params.subject_alt_names = vec![SanType::IpAddress(ip), SanType::IpAddress(IpAddr::from([127, 0, 0, 1]))];
        params.subject_alt_names.dedup();
        let request = params.serialize_request(&self.0).map_err(SandboxError::certificate)?;
        Ok(pem_text("CERTIFICATE REQUEST", request.der().to_vec()))
    }

    /// The service's own certificate.
    pub(super) fn service_certificate(&self, from: OffsetDateTime, days: u64) -> Result<String, SandboxError> {
        let params = service_params(from, days);
        let certificate = params.self_signed(&self.0).map_err(SandboxError::certificate)?;
        Ok(pem_text("CERTIFICATE", certificate.der().to_vec()))
    }

    /// A node's certificate, signed by this service's key.
    pub(super) fn endorse(&self, csr: &str, from: OffsetDateTime, days: u64) -> Result<String, SandboxError> {
        let mut request = CertificateSigningRequestParams::from_pem(csr).map_err(SandboxError::certificate)?;
        (request.params.not_before, request.params.not_after) = validity(from, days);
        request.params.is_ca = IsCa::ExplicitNoCa;
        request.params.use_authority_key_identifier_extension = true;
        let issuer = Issuer::new(service_params(from, days), &self.0);
        let certificate = request.signed_by(&issuer).map_err(SandboxError::certificate)?;
        Ok(pem_text("CERTIFICATE", certificate.der().to_vec()))
    }

    /// A certificate of the key by itself, as a node has before the service endorses it.
    pub(super) fn self_signed(&self, ip: IpAddr, from: OffsetDateTime, days: u64) -> Result<String, SandboxError> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "CCF Node");
        params.subject_alt_names = vec![SanType::IpAddress(ip)];
        (params.not_before, params.not_after) = validity(from, days);
        let certificate = params.self_signed(&self.0).map_err(SandboxError::certificate)?;
        Ok(pem_text("CERTIFICATE", certificate.der().to_vec()))
    }

    fn spki(&self) -> Vec<u8> {
        use rcgen::PublicKeyData;
        self.0.subject_public_key_info()
    }
}

fn service_params(from: OffsetDateTime, days: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "CCF Service");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
    params.use_authority_key_identifier_extension = true;
    (params.not_before, params.not_after) = validity(from, days);
    params
}

/// CCF certifies `days` days less a second.
fn validity(from: OffsetDateTime, days: u64) -> (OffsetDateTime, OffsetDateTime) {
    let days = i64::try_from(days).unwrap_or(i64::MAX).min(36_500);
    let until = from.checked_add(Duration::days(days) - Duration::SECOND);
    (from, until.unwrap_or(from))
}

/// One PEM block with line feeds.
fn pem_text(tag: &str, der: Vec<u8>) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(tag, der), config)
}

/// Reads a `valid_from`: `YYMMDDhhmmssZ`, or ISO 8601 (without an offset: UTC).
pub(super) fn valid_from(text: &str) -> Result<OffsetDateTime, String> {
    let compact = format_description!("[year][month][day][hour][minute][second]Z");
    let iso = format_description!("[year]-[month]-[day][optional [T]][optional [ ]][hour]:[minute]:[second]");
    if let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(time.to_offset(time::UtcOffset::UTC));
    }
    if text.len() == 13
        && let Ok(time) = PrimitiveDateTime::parse(&format!("20{text}"), &compact)
    {
        return Ok(time.assume_utc());
    }
    match PrimitiveDateTime::parse(text, &iso) {
        Ok(time) => Ok(time.assume_utc()),
        Err(_) => Err(format!("{text:?} is neither YYMMDDhhmmssZ nor an ISO 8601 time")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_from_is_read_in_the_forms_that_proposals_use() {
        let expected = valid_from("2026-11-22T13:25:27Z").unwrap();
        assert_eq!(valid_from("261122132527Z").unwrap(), expected);
        assert_eq!(valid_from("2026-11-22T14:25:27+01:00").unwrap(), expected);
        assert_eq!(valid_from("2026-11-22 13:25:27").unwrap(), expected);
        for bad in ["", "tomorrow", "261322132527Z", "2026-11-22"] {
            assert!(valid_from(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_node_certificate_chains_to_the_service_and_names_the_address() {
        let (service, node) = (Key::generate().unwrap(), Key::generate().unwrap());
        let now = OffsetDateTime::now_utc();
        let ca = service.service_certificate(now, 30).unwrap();
        let csr = node.csr(IpAddr::from([127, 0, 0, 1])).unwrap();
        let certificate = service.endorse(&csr, now, 30).unwrap();
        let (ca, certificate) = (pem::parse(ca).unwrap(), pem::parse(certificate).unwrap());
        let (_, ca) = x509_parser::parse_x509_certificate(ca.contents()).unwrap();
        let (_, certificate) = x509_parser::parse_x509_certificate(certificate.contents()).unwrap();
        assert_eq!(certificate.issuer(), ca.subject());
        assert_eq!(ca.subject().to_string(), "CN=CCF Service");
        assert!(certificate.subject_alternative_name().unwrap().is_some());
        assert_eq!(NodeId::from_bytes(sha256(certificate.public_key().raw)), node.node_id());
    }
}
