//! Chains of certificates to a pinned root, and the lists of what was revoked.

use x509_parser::certificate::X509Certificate;

use super::attestation::Trust;
use super::collateral::is_der;
use crate::certificate::{self, CertificateError};
use crate::check::Checks;
use crate::digest::sha256;
use crate::evidence::RevocationList;

/// SHA-256 of the DER of Intel's root certificate, `Intel SGX Root CA`.
pub const INTEL_ROOT: [u8; 32] = [
    0x44, 0xa0, 0x19, 0x6b, 0x2b, 0x99, 0xf8, 0x89, 0xb8, 0xe1, 0x49, 0xe9, 0x5b, 0x80, 0x7a, 0x35, 0x0e, 0x74, 0x24,
    0x96, 0x43, 0x99, 0xe8, 0x85, 0xa7, 0xcb, 0xb8, 0xcc, 0xfa, 0xb6, 0x74, 0xd3,
];

/// Longer chains are refused; Intel's have two or three certificates.
const MAX_CHAIN: usize = 6;

/// Why certificates are not a chain.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// Too few, or too many.
    #[error("a chain has two to {MAX_CHAIN} certificates")]
    Contents,
    /// One cannot be read.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// Certificates, the leaf first, each of which can be read.
pub struct Chain(Vec<Vec<u8>>);

impl Chain {
    /// Reads PEM certificates.
    ///
    /// # Errors
    /// [`ChainError`]
    pub fn parse(text: &[u8]) -> Result<Self, ChainError> {
        let text = text.strip_suffix(&[0]).unwrap_or(text);
        let all = certificate::from_pem(text)?;
        if !(2..=MAX_CHAIN).contains(&all.len()) {
            return Err(ChainError::Contents);
        }
        for der in &all {
            certificate::parse(der)?;
        }
        Ok(Self(all))
    }

    /// The certificates, the leaf first.
    pub fn certificates(&self) -> Vec<X509Certificate<'_>> {
        self.0.iter().filter_map(|der| certificate::parse(der).ok()).collect()
    }

    /// Gives the leaf to `read`.
    pub fn with_leaf<T: Default>(&self, read: impl FnOnce(&X509Certificate<'_>) -> T) -> T {
        self.certificates().first().map(read).unwrap_or_default()
    }
}

/// Checks that a chain ends in the trusted root and that each certificate issued the one before it.
pub(super) fn check_chain(
    name: &'static str,
    chain: Result<Chain, ChainError>,
    trust: &Trust,
    checks: &mut Checks,
) -> Option<Chain> {
    let chain = match chain {
        Ok(chain) => chain,
        Err(error) => {
            checks.fail(name, error.to_string());
            return None;
        }
    };
    let refused = {
        let all = chain.certificates();
        let root = chain.0.last().map(|der| sha256(der));
        let issued = |pair: &[X509Certificate<'_>]| certificate::check_issued(&pair[0], &pair[1]);
        let broken = all.windows(2).find_map(|pair| issued(pair).err());
        let self_signed = all.last().map(|root| certificate::check_issued(root, root));
        let no_authority = all.iter().skip(1).any(|c| !c.is_ca());
        let future = all.iter().any(|c| certificate::dates(c).0 > trust.at);
        if root != Some(trust.root) {
            Some("its root is not Intel's".to_owned())
        } else if let Some(error) = broken {
            Some(error.to_string())
        } else if let Some(Err(error)) = self_signed {
            Some(format!("its root: {error}"))
        } else if no_authority {
            Some("an issuer in it is not a certificate authority".into())
        } else if future {
            Some("a certificate in it is not valid yet".into())
        } else {
            None
        }
    };
    if let Some(why) = refused {
        checks.fail(name, why);
        return None;
    }
    let end = chain.certificates().iter().map(|c| certificate::dates(c).1).min();
    match end {
        Some(end) if end < trust.at => {
            checks.warn(name, format!("leads to the pinned root; stale: a certificate in it expired {}", end.date()));
        }
        _ => checks.pass(name, "leads to the pinned root"),
    }
    Some(chain)
}

/// Checks a revocation list, signed by `authority`, and that it names nothing of `chains`.
pub(super) fn check_crl(
    name: &'static str,
    text: &[u8],
    authority: Option<&X509Certificate<'_>>,
    chains: &[&Chain],
    trust: &Trust,
    checks: &mut Checks,
) {
    let Some(der) = crl_der(text) else {
        checks.fail(name, "it is neither PEM nor DER nor hexadecimal");
        return;
    };
    let Ok(list) = RevocationList::parse(&der) else {
        checks.fail(name, "it is not a list of revoked certificates");
        return;
    };
    if !authority.is_some_and(|authority| list.is_signed_by(authority)) {
        checks.fail(
            name,
            format!("the list of {} is not signed by the authority whose certificates it must be about", list.issuer()),
        );
        return;
    }
    let mut all = chains.iter().flat_map(|chain| chain.certificates());
    if let Some(revoked) = all.find(|certificate| list.revokes(certificate)) {
        checks.fail(name, format!("the certificate of {} is revoked", revoked.subject()));
        return;
    }
    match list.dates() {
        Some((issued, _)) if issued > trust.at => {
            checks.fail(name, format!("the list is of {}, which is in the future", issued.date()));
        }
        Some((_, Some(next))) if next < trust.at => {
            checks.warn(name, format!("nothing is revoked; stale: the next list was due {}", next.date()));
        }
        _ => checks.pass(name, "nothing is revoked"),
    }
}

/// The list in PEM or DER, out of hexadecimal if need be.
fn crl_der(text: &[u8]) -> Option<Vec<u8>> {
    match text.first()? {
        _ if is_der(text) => Some(text.to_vec()),
        b'-' => Some(text.to_vec()),
        _ => hex::decode(text).ok(),
    }
}
