//! `ccf.crypto`: what a constitution can ask about certificates.

use rquickjs::{Ctx, Result, Value};
use time::OffsetDateTime;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::X509Certificate;

use super::text;
use crate::certificate;

/// `isValidX509CertBundle`: CCF reads the first certificate only, and takes an empty text for a bundle of none.
pub(super) fn is_valid_bundle<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    let text = text(ctx, &arguments[0])?;
    Ok(Value::new_bool(ctx.clone(), text.is_empty() || first_certificate(&text).is_some()))
}

/// `isValidX509CertChain`: whether the first certificate leads, over the others, to one of the trusted ones, all of them in
/// date.
pub(super) fn is_valid_chain<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    let (chain, trusted) = (text(ctx, &arguments[0])?, text(ctx, &arguments[1])?);
    let valid = match (certificates(&chain), certificates(&trusted)) {
        (Some(chain), Some(trusted)) => leads_to(&chain, &trusted, OffsetDateTime::now_utc()),
        _ => false,
    };
    Ok(Value::new_bool(ctx.clone(), valid))
}

/// `isValidX509RootCACert`: whether it is a certificate authority's own certificate. Dates don't matter.
pub(super) fn is_valid_root<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    let der = first_certificate(&text(ctx, &arguments[0])?);
    let valid = der.and_then(|der| {
        let certificate = certificate::parse(&der).ok()?;
        Some(is_authority(&certificate) && is_self_signed(&certificate))
    });
    Ok(Value::new_bool(ctx.clone(), valid == Some(true)))
}

/// The DER of the first certificate in `text`, if it is one.
pub(super) fn first_certificate(text: &str) -> Option<Vec<u8>> {
    let start = text.find("-----BEGIN CERTIFICATE-----")?;
    let block = pem::parse(&text[start..]).ok()?;
    certificate::parse(block.contents()).ok()?;
    Some(block.into_contents())
}

/// The SubjectPublicKeyInfo of a PEM public key or certificate.
pub(super) fn spki_of_key_or_certificate(text: &str) -> Option<Vec<u8>> {
    match first_certificate(text) {
        Some(der) => certificate::parse(&der).ok().map(|certificate| certificate.public_key().raw.to_vec()),
        None => spki_of_key(text),
    }
}

/// The SubjectPublicKeyInfo of a PEM public key.
pub(super) fn spki_of_key(text: &str) -> Option<Vec<u8>> {
    let block = pem::parse(text).ok()?;
    (block.tag() == "PUBLIC KEY").then(|| block.into_contents())
}

fn certificates(text: &str) -> Option<Vec<Vec<u8>>> {
    let blocks = pem::parse_many(text).ok()?;
    blocks
        .into_iter()
        .map(|block| certificate::parse(block.contents()).is_ok().then(|| block.into_contents()))
        .collect()
}

/// Intermediate authorities may be trusted, and so may the first certificate itself.
fn leads_to(chain: &[Vec<u8>], trusted: &[Vec<u8>], now: OffsetDateTime) -> bool {
    let (chain, trusted) = (parsed(chain), parsed(trusted));
    let in_date = |certificate: &X509Certificate<'_>| {
        let (from, to) = certificate::dates(certificate);
        from <= now && now <= to
    };
    let mut rest = chain.into_iter();
    let Some(mut current) = rest.next() else { return false };
    if trusted.is_empty() || !trusted.iter().all(is_authority) || !in_date(&current) {
        return false;
    }
    let mut rest: Vec<_> = rest.collect();
    let mut between = 0;
    loop {
        if trusted.iter().any(|anchor| anchor.as_raw() == current.as_raw()) {
            return true;
        }
        let issues = |issuer: &X509Certificate<'_>| {
            in_date(issuer) && is_authority_over(issuer, between) && certificate::check_issued(&current, issuer).is_ok()
        };
        if trusted.iter().any(issues) {
            return true;
        }
        let Some(next) = rest.iter().position(issues) else { return false };
        current = rest.swap_remove(next);
        between += 1;
    }
}

fn parsed(all: &[Vec<u8>]) -> Vec<X509Certificate<'_>> {
    all.iter().filter_map(|der| certificate::parse(der).ok()).collect()
}

/// Whether a certificate is an authority's: by its basic constraints; else, if it is of X.509 version 1, self-signed.
fn is_authority(certificate: &X509Certificate<'_>) -> bool {
    if certificate.key_usage().ok().flatten().is_some_and(|usage| !usage.value.key_cert_sign()) {
        return false;
    }
    match certificate.basic_constraints() {
        Ok(Some(constraints)) => constraints.value.ca,
        Ok(None) => certificate.version().0 == 0 && is_self_signed(certificate),
        Err(_) => false,
    }
}

/// Whether an authority may have `between` others below it.
fn is_authority_over(certificate: &X509Certificate<'_>, between: u32) -> bool {
    let limit = certificate.basic_constraints().ok().flatten().and_then(|c| c.value.path_len_constraint);
    is_authority(certificate) && limit.is_none_or(|limit| between <= limit)
}

/// Whether a certificate names itself as its issuer, by name and by key identifiers. The signature is not looked at.
fn is_self_signed(certificate: &X509Certificate<'_>) -> bool {
    let mut own = None;
    let mut issuer = None;
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => own = Some(id.0),
            ParsedExtension::AuthorityKeyIdentifier(authority) => issuer = Some(authority),
            _ => {}
        }
    }
    let same_key = match (own, issuer.and_then(|a| a.key_identifier.as_ref())) {
        (Some(own), Some(issuer)) => own == issuer.0,
        _ => true,
    };
    let serial = issuer.and_then(|a| a.authority_cert_serial);
    let same_serial = serial.is_none_or(|serial| serial == certificate.raw_serial());
    certificate.issuer().as_raw() == certificate.subject().as_raw() && same_key && same_serial && key_fits(certificate)
}

/// Whether the signature could be by a key of the certificate's own kind.
fn key_fits(certificate: &X509Certificate<'_>) -> bool {
    let signature = certificate.signature_algorithm.algorithm.to_id_string();
    let key = certificate.public_key().algorithm.algorithm.to_id_string();
    match key.as_str() {
        "1.2.840.113549.1.1.1" => signature.starts_with("1.2.840.113549.1.1."),
        "1.2.840.10045.2.1" => signature.starts_with("1.2.840.10045.4."),
        _ => signature == key,
    }
}
