//! Rules about who issues tokens: their URL, their keys, and the certificates by which their servers are trusted.

use serde_json::Value;
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::x509::X509Version;

use super::{Finding, Subject};
use crate::ccf_version::Feature;
use crate::certificate::{self, CertificateError};
use crate::check::Verdict::{Fail, Incomplete, Warn};
use crate::proposal::jwks::{self, Acceptance};
use crate::proposal::pem_text;
use crate::text::clip;

/// A token issuer whose settings fit together.
pub(super) fn issuer(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    subject.each(&["set_jwt_issuer"], |action, found| {
        let refreshes = action.arg("auto_refresh").and_then(Value::as_bool) == Some(true);
        if refreshes && action.text("ca_cert_bundle_name").is_none_or(str::is_empty) {
            found(Fail, "auto_refresh needs ca_cert_bundle_name".into());
        }
        match action.text("issuer").and_then(url_fault) {
            Some(fault) if refreshes => {
                found(Fail, format!("with auto_refresh the issuer must be an https:// URL: {fault}"));
            }
            Some(fault) => {
                let text = format!("the issuer must be an https:// URL: {fault}");
                let (verdict, text) = subject.strict(Feature::HttpsIssuer, text);
                found(verdict, text);
            }
            None => {}
        }
        if action.arg("key_filter").is_none() && subject.version.is_some_and(|v| v.has(Feature::JwtKeyFilter).is_yes())
        {
            found(Fail, "key_filter is missing, and this version of CCF requires it".into());
        }
    })
}

/// What is wrong with the URL of an issuer.
fn url_fault(issuer: &str) -> Option<&'static str> {
    match issuer.strip_prefix("https://") {
        None => Some("it does not begin with https://"),
        Some(rest) if rest.starts_with(['/', '?', '#', ':']) || rest.is_empty() => Some("it has no host"),
        Some(rest) if rest.contains('?') => Some("it has a query"),
        Some(rest) if rest.contains('#') => Some("it has a fragment"),
        Some(_) => None,
    }
}

/// Keys that nodes take, and verify tokens by.
pub(super) fn keys(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let actions = subject.named(&["set_jwt_issuer", "set_jwt_public_signing_keys"]);
    let sets: Vec<_> = actions.filter_map(|(at, action)| Some((at, action, action.arg("jwks")?))).collect();
    if sets.is_empty() {
        return None;
    }
    let mut found = Vec::new();
    for (at, action, jwks) in sets {
        for fault in jwks::faults(jwks, action.text("issuer"), subject.now) {
            let text = format!("{at}: jwks.{}", fault.text);
            found.push(match fault.acceptance {
                Acceptance::Refused => (Fail, text),
                Acceptance::RefusedSince705 => subject.strict(Feature::Jwks, text),
                Acceptance::RefusedUpToDev7 if subject.version.is_some_and(|v| v.has(Feature::P521Jwk).is_no()) => {
                    (Fail, text)
                }
                Acceptance::RefusedUpToDev7 => {
                    (Warn, format!("{text} up to CCF 7.0.0-dev7; whether later ones can is not known"))
                }
                Acceptance::Unused => (Warn, text),
                Acceptance::Unchecked => (Incomplete, text),
            });
        }
    }
    Some(found)
}

/// Certificates by which a server can be trusted: of authorities, signed by their own keys, in date, and nothing else.
pub(super) fn ca_bundle(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    subject.each(&["set_ca_cert_bundle"], |action, found| {
        let text = action.text("cert_bundle").unwrap_or_default();
        let mut faults = Vec::new();
        if pem_text::is_outside(text) {
            faults.push("cert_bundle has text outside of the certificates".to_owned());
        }
        // What cannot be read has a rule of its own.
        for (at, der) in certificate::from_pem(text.as_bytes()).unwrap_or_default().iter().enumerate() {
            let Ok(certificate) = certificate::parse(der) else { continue };
            let name = clip(&certificate.subject().to_string(), 100);
            let of = |what: String| format!("certificate {} of cert_bundle ({name}) {what}", at + 1);
            faults.extend(root_faults(&certificate, subject.now).into_iter().map(of));
        }
        for fault in faults {
            let (verdict, text) = subject.strict(Feature::RootCaBundle, fault);
            found(verdict, text);
        }
    })
}

/// Why a certificate is not one of a root authority by which servers can be verified at the time `now`.
fn root_faults(certificate: &X509Certificate<'_>, now: OffsetDateTime) -> Vec<String> {
    let mut faults = Vec::new();
    let is_own = certificate.issuer().as_raw() == certificate.subject().as_raw();
    let is_old = certificate.version() == X509Version::V1 && is_own;
    if !certificate.is_ca() && !is_old {
        faults.push("is not an authority's: no certificate can be verified by it".into());
    }
    if !is_own {
        faults.push("is not self-signed: it is an intermediate or a leaf, and the root is needed".into());
    } else if let Err(CertificateError::Signature) = certificate::check_issued(certificate, certificate) {
        faults.push("is not signed by its own key, though it says so".into());
    }
    let (from, to) = certificate::dates(certificate);
    if now > to {
        faults.push(format!("expired on {}: no server can be verified by it", to.date()));
    } else if now < from {
        faults.push(format!("is not valid before {}", from.date()));
    }
    faults
}
