//! did:x509: an issuer named by a certificate authority's fingerprint and by what its leaf certificate says.
//!
//! Method version 0 of the did:x509 specification. Validity dates are not looked at: the chain is judged as it was
//! when the endorsement was made, and whoever shows it says when that was.

mod path;
mod predicate;

use std::fmt;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_parser::certificate::X509Certificate;
use x509_parser::public_key::PublicKey;

use crate::certificate;
use crate::curve::Curve;
use crate::der::significant;

/// The most certificates that a chain may have.
pub const MAX_CHAIN: usize = 16;

/// The longest DID that is read, in bytes.
pub const MAX_DID: usize = 8 << 10;

/// Why a DID does not resolve against a chain. The texts are those of the method's published test vectors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DidError {
    /// Fewer than two certificates.
    #[error("Certificate chain must contain at least two certificates.")]
    ChainTooShort,
    /// More certificates than any chain has.
    #[error("Certificate chain must contain at most {MAX_CHAIN} certificates.")]
    ChainTooLong,
    /// A certificate that cannot be read.
    #[error("Certificate chain contains a malformed certificate: {0}.")]
    Malformed(String),
    /// The chain breaks a rule of RFC 5280.
    #[error("Certificate chain verification failed: {0}.")]
    Chain(PathError),
    /// The certificates do not issue one another in the order given.
    #[error("Supplied chain does not match the verified chain.")]
    ChainOrder,
    /// A name with the same attribute twice.
    #[error("Certificate name contains duplicate attributes.")]
    DuplicateAttributes,
    /// A subject alternative name that is no email, DNS name, URI or directory name.
    #[error("Certificate contains an unsupported SAN type.")]
    UnsupportedSan,
    /// Not `did:x509:0:`.
    #[error("DID prefix is invalid.")]
    Prefix,
    /// A path after the DID.
    #[error("DID URL paths are not supported.")]
    Path,
    /// A query after the DID.
    #[error("DID URL queries are not supported.")]
    Query,
    /// A DID that does not keep to the syntax.
    #[error("DID syntax is invalid.")]
    Syntax,
    /// A fingerprint that is no SHA-256, SHA-384 or SHA-512.
    #[error("Fingerprint algorithm is not supported.")]
    FingerprintAlgorithm,
    /// No certificate above the leaf has the fingerprint.
    #[error("CA fingerprint does not match the certificate chain.")]
    Fingerprint,
    /// Nothing about the leaf.
    #[error("DID must contain at least one predicate.")]
    NoPredicate,
    /// Something unknown about the leaf.
    #[error("DID contains an unknown predicate.")]
    UnknownPredicate,
    /// A predicate that does not hold, or cannot be read.
    #[error("{0}")]
    Predicate(&'static str),
    /// The leaf may neither sign nor agree on keys.
    #[error("Leaf certificate key usage does not support DID operations.")]
    KeyUsage,
    /// The leaf's key is of a kind that has no JSON Web Key here.
    #[error("Leaf certificate has an unsupported public key.")]
    Key,
}

/// The rule of RFC 5280 that a chain breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathError {
    /// A signature does not hold.
    Signature,
    /// A critical extension that is not understood.
    CriticalExtension,
    /// An issuer that may not issue certificates.
    InvalidCa,
    /// More certificates below an issuer than it allows.
    PathLength,
    /// A name outside of what an issuer allows.
    PermittedSubtree,
    /// A name that an issuer excludes.
    ExcludedSubtree,
    /// A constraint on a kind of name that is not understood.
    NameConstraint,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signature => "certificate signature failure",
            Self::CriticalExtension => "unhandled critical extension",
            Self::InvalidCa => "invalid CA certificate",
            Self::PathLength => "path length constraint exceeded",
            Self::PermittedSubtree => "permitted subtree violation",
            Self::ExcludedSubtree => "excluded subtree violation",
            Self::NameConstraint => "unsupported name constraint type",
        })
    }
}

/// Resolves `did` against `chain` (DER, leaf first, anchor last) to its DID document.
///
/// # Errors
/// Names the first rule that does not hold.
pub fn resolve<C: AsRef<[u8]>>(did: &str, chain: &[C]) -> Result<Value, DidError> {
    let chain = verify(did, chain)?;
    let id = did.split('#').next().unwrap_or_default();
    document(id, &chain[0])
}

/// Checks that the leaf of `chain` (DER, leaf first, anchor last) is the issuer that `did` names; returns the
/// certificates, at least two.
///
/// # Errors
/// Names the first rule that does not hold.
pub fn verify<'a, C: AsRef<[u8]>>(did: &str, chain: &'a [C]) -> Result<Vec<X509Certificate<'a>>, DidError> {
    if chain.len() < 2 {
        return Err(DidError::ChainTooShort);
    }
    if chain.len() > MAX_CHAIN {
        return Err(DidError::ChainTooLong);
    }
    let parsed: Result<Vec<_>, _> = chain.iter().map(|der| certificate::parse(der.as_ref())).collect();
    let parsed = parsed.map_err(|e| DidError::Malformed(e.to_string()))?;
    path::check(&parsed)?;
    let models: Result<Vec<_>, _> = parsed.iter().map(predicate::Model::of).collect();
    let models = models?;

    let (algorithm, fingerprint, predicates) = parse(did)?;
    let authorities = chain.iter().skip(1).map(|der| algorithm.hash(der.as_ref()));
    if !authorities.into_iter().any(|hash| hash == fingerprint) {
        return Err(DidError::Fingerprint);
    }
    for (name, value) in predicates {
        models[0].check(name, value)?;
    }
    match uses(&parsed[0])? {
        (false, false) => Err(DidError::KeyUsage),
        _ => Ok(parsed),
    }
}

/// Checks how a DID is written, without a chain: prefix, fingerprint, and at least one predicate.
///
/// # Errors
/// Names the first rule that does not hold.
pub fn check_syntax(did: &str) -> Result<(), DidError> {
    let (algorithm, fingerprint, predicates) = parse(did)?;
    let right_length = algorithm.hash(b"").len() == fingerprint.len();
    if right_length && !predicates.is_empty() { Ok(()) } else { Err(DidError::Syntax) }
}

#[derive(Clone, Copy)]
enum Fingerprint {
    Sha256,
    Sha384,
    Sha512,
}

impl Fingerprint {
    fn hash(self, der: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(der).to_vec(),
            Self::Sha384 => Sha384::digest(der).to_vec(),
            Self::Sha512 => Sha512::digest(der).to_vec(),
        }
    }
}

/// The fingerprint's algorithm and value, and the predicates with their values.
type Parsed<'a> = (Fingerprint, Vec<u8>, Vec<(&'a str, &'a str)>);

fn parse(did: &str) -> Result<Parsed<'_>, DidError> {
    if did.len() > MAX_DID {
        return Err(DidError::Syntax);
    }
    let id = did.split('#').next().unwrap_or_default();
    let rest = id.strip_prefix("did:x509:0:").ok_or(DidError::Prefix)?;
    match rest.find(['/', '?']).and_then(|at| rest.as_bytes().get(at)) {
        Some(b'/') => return Err(DidError::Path),
        Some(_) => return Err(DidError::Query),
        None => {}
    }
    if rest.bytes().any(|b| !(b.is_ascii_alphanumeric() || b".-_%:".contains(&b))) {
        return Err(DidError::Syntax);
    }
    let mut parts = rest.split("::");
    let (algorithm, fingerprint) = parts.next().and_then(|p| p.split_once(':')).ok_or(DidError::Syntax)?;
    let algorithm = match algorithm {
        "sha256" => Fingerprint::Sha256,
        "sha384" => Fingerprint::Sha384,
        "sha512" => Fingerprint::Sha512,
        _ => return Err(DidError::FingerprintAlgorithm),
    };
    let fingerprint = BASE64_URL_SAFE_NO_PAD.decode(fingerprint).map_err(|_| DidError::Fingerprint)?;
    let predicates: Option<Vec<_>> = parts.map(|p| p.split_once(':')).collect();
    let predicates = predicates.ok_or(DidError::Syntax)?;
    if predicates.is_empty() {
        return Err(DidError::NoPredicate);
    }
    Ok((algorithm, fingerprint, predicates))
}

/// Whether a leaf's key may sign, and whether it may agree on keys.
pub fn uses(leaf: &X509Certificate<'_>) -> Result<(bool, bool), DidError> {
    let usage = leaf.key_usage().map_err(|e| DidError::Malformed(e.to_string()))?.map(|u| u.value);
    Ok((usage.is_none_or(|u| u.digital_signature()), usage.is_none_or(|u| u.key_agreement())))
}

fn document(id: &str, leaf: &X509Certificate<'_>) -> Result<Value, DidError> {
    let (signs, agrees) = uses(leaf)?;
    let method = format!("{id}#0");
    let mut document = json!({
        "@context": "https://www.w3.org/ns/cid/v1",
        "id": id,
        "verificationMethod": [
            {"id": method, "type": "JsonWebKey", "controller": id, "publicKeyJwk": jwk(leaf)?}
        ],
    });
    if signs {
        document["authentication"] = json!([method]);
        document["assertionMethod"] = json!([method]);
    }
    if agrees {
        document["keyAgreement"] = json!([method]);
    }
    Ok(document)
}

/// The public key of a certificate as a JSON Web Key (RFC 7517, 8037).
fn jwk(certificate: &X509Certificate<'_>) -> Result<Value, DidError> {
    let base64 = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let key = certificate.public_key();
    match key.parsed() {
        Ok(PublicKey::EC(point)) => {
            let curve = Curve::of_key(key).ok_or(DidError::Key)?;
            match point.data().split_first() {
                Some((4, xy)) if xy.len() == 2 * curve.bytes() => {
                    let (x, y) = xy.split_at(curve.bytes());
                    Ok(json!({"kty": "EC", "crv": curve.name(), "x": base64(x), "y": base64(y)}))
                }
                _ => Err(DidError::Key),
            }
        }
        Ok(PublicKey::RSA(rsa)) => {
            let number = |bytes: &[u8]| base64(significant(bytes));
            Ok(json!({"kty": "RSA", "n": number(rsa.modulus), "e": number(rsa.exponent)}))
        }
        _ if key.algorithm.algorithm.to_id_string() == "1.3.101.112" => {
            Ok(json!({"kty": "OKP", "crv": "Ed25519", "x": base64(&key.subject_public_key.data)}))
        }
        _ => Err(DidError::Key),
    }
}

#[cfg(test)]
mod tests;
