//! TLS under the service certificate alone, and what is known of a node by the certificate that it shows.

use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::error::ServiceError;
use crate::digest::sha256;
use crate::id::NodeId;
use crate::text::excerpt;

/// Who a certificate says that its holder is: enough to tell one from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownCertificate {
    /// Its subject, made fit to be read.
    pub subject: String,
    /// Its issuer, likewise.
    pub issuer: String,
    /// SHA-256 of its DER.
    pub fingerprint: [u8; 32],
}

impl ShownCertificate {
    /// Of a certificate in DER, however odd it is.
    pub fn from_der(der: &[u8]) -> Self {
        let name = |name: &x509_parser::x509::X509Name<'_>| excerpt(&name.to_string(), 200);
        let (subject, issuer) = match X509Certificate::from_der(der) {
            Ok((_, certificate)) => (name(certificate.subject()), name(certificate.issuer())),
            Err(_) => ("(not readable)".into(), "(not readable)".into()),
        };
        Self { subject, issuer, fingerprint: sha256(der) }
    }

    /// Of the first certificate in a PEM text.
    pub fn from_pem(pem: &[u8]) -> Option<Self> {
        CertificateDer::from_pem_slice(pem).ok().map(|der| Self::from_der(&der))
    }
}

impl fmt::Display for ShownCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, issuer, fingerprint } = self;
        write!(f, "subject {subject}, issuer {issuer}, SHA-256 {}", hex::encode(fingerprint))
    }
}

/// A node's certificate that does not do, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (it shows {shown})")]
pub struct WrongCertificate {
    /// Why.
    pub reason: String,
    /// The certificate.
    pub shown: ShownCertificate,
}

/// The id of the node whose certificate this is: nobody else has the key.
pub(super) fn node_id(der: &[u8]) -> Option<NodeId> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(NodeId::from_bytes(sha256(certificate.public_key().raw)))
}

/// TLS 1.2 and 1.3 with the service certificate as the only root; host names and addresses are checked.
pub(super) fn config(pem: &[u8]) -> Result<ClientConfig, ServiceError> {
    let unusable = |e: &dyn fmt::Display| ServiceError::Certificate(e.to_string());
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|_| unusable(&"the file is not PEM, or it is cut short"))?;
    let [certificate] = <[_; 1]>::try_from(certificates).map_err(|all| {
        let found = all.len();
        unusable(&format!("the file holds {found} certificates, and a service has one"))
    })?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate).map_err(|e| unusable(&e))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    let verifier = Explaining(verifier.map_err(|e| unusable(&e))?);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| unusable(&e))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// The usual verifier, which decides everything; what it refuses is shown in the error.
#[derive(Debug)]
struct Explaining(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for Explaining {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verified.map_err(|error| {
            let wrong = WrongCertificate { reason: reason(&error), shown: ShownCertificate::from_der(end_entity) };
            Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(wrong))))
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

fn reason(error: &Error) -> String {
    use CertificateError as E;
    match error {
        Error::InvalidCertificate(E::UnknownIssuer | E::BadSignature) => {
            "it is not signed by the service certificate".into()
        }
        Error::InvalidCertificate(E::Expired | E::ExpiredContext { .. }) => "it has expired".into(),
        Error::InvalidCertificate(E::NotValidYet | E::NotValidYetContext { .. }) => "it is not valid yet".into(),
        Error::InvalidCertificate(E::NotValidForName | E::NotValidForNameContext { .. }) => {
            "it is for another host".into()
        }
        Error::InvalidCertificate(E::Other(other)) if other.0.to_string().contains("CaUsedAsEndEntity") => {
            "it is not signed by the service certificate: it is a certificate authority's own, such as a service's, or that of \
             a node's interface whose endorsement authority is Node"
                .into()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_known_by_its_key() {
        use rcgen::PublicKeyData;

        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, "CCF\u{202e} Node\nVerdict: pass");
        let certificate = params.self_signed(&key).unwrap();
        assert_eq!(node_id(certificate.der()), Some(NodeId::from_bytes(sha256(&key.subject_public_key_info()))));
        let shown = ShownCertificate::from_pem(certificate.pem().as_bytes()).unwrap().to_string();
        assert!(shown.starts_with("subject CN=CCF\\u{202e} Node\\u{a}Verdict: pass, issuer CN="), "{shown}");
        assert_eq!(node_id(b"nonsense"), None);
        assert_eq!(ShownCertificate::from_der(b"nonsense").subject, "(not readable)");
    }
}
