//! Path validation (RFC 5280 section 6.1) of a chain whose last certificate is the trust anchor; dates aside.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, GeneralSubtree, NameConstraints, ParsedExtension};
use x509_parser::x509::X509Name;

use super::{DidError, PathError};
use crate::certificate::{self, CertificateError};

/// Checks a chain of at least two certificates, leaf first.
pub(super) fn check(chain: &[X509Certificate<'_>]) -> Result<(), DidError> {
    for pair in chain.windows(2) {
        if pair[0].issuer().as_raw() != pair[1].subject().as_raw() {
            return Err(DidError::ChainOrder);
        }
    }
    for certificate in chain {
        check_critical(certificate)?;
    }
    for (below, issuer) in chain.iter().enumerate().skip(1) {
        check_authority(issuer, &chain[1..below])?;
    }
    for (below, issuer) in chain.iter().enumerate().skip(1) {
        let Some(constraints) = name_constraints(issuer)? else { continue };
        for (i, certificate) in chain[..below].iter().enumerate() {
            if i == 0 || !is_self_issued(certificate) {
                check_names(certificate, constraints)?;
            }
        }
    }
    for pair in chain.windows(2) {
        check_signature(&pair[0], &pair[1])?;
    }
    match chain.last() {
        Some(anchor) if is_self_issued(anchor) => check_signature(anchor, anchor),
        _ => Ok(()),
    }
}

fn check_signature(signed: &X509Certificate<'_>, by: &X509Certificate<'_>) -> Result<(), DidError> {
    certificate::check_issued(signed, by).map_err(|e| match e {
        CertificateError::WrongIssuer { .. } => DidError::ChainOrder,
        _ => DidError::Chain(PathError::Signature),
    })
}

/// The extensions that are understood here, or whose processing cannot refuse anything here (policies).
const UNDERSTOOD: [&str; 9] = [
    "2.5.29.15", // key usage
    "2.5.29.17", // subject alternative name
    "2.5.29.19", // basic constraints
    "2.5.29.30", // name constraints
    "2.5.29.32", // certificate policies
    "2.5.29.33", // policy mappings
    "2.5.29.36", // policy constraints
    "2.5.29.37", // extended key usage
    "2.5.29.54", // inhibit any policy
];

fn check_critical(certificate: &X509Certificate<'_>) -> Result<(), DidError> {
    let extensions =
        certificate.extensions_map().map_err(|_| DidError::Malformed("an extension appears twice".into()))?;
    for extension in extensions.values() {
        let understood = UNDERSTOOD.contains(&extension.oid.to_id_string().as_str());
        if understood && matches!(extension.parsed_extension(), ParsedExtension::ParseError { .. }) {
            return Err(DidError::Malformed(format!("the extension {} cannot be read", extension.oid)));
        }
        if extension.critical && !understood {
            return Err(DidError::Chain(PathError::CriticalExtension));
        }
    }
    Ok(())
}

/// `intermediates` are the certificates between `issuer` and the leaf.
fn check_authority(issuer: &X509Certificate<'_>, intermediates: &[X509Certificate<'_>]) -> Result<(), DidError> {
    let invalid = DidError::Chain(PathError::InvalidCa);
    let Ok(Some(constraints)) = issuer.basic_constraints() else { return Err(invalid) };
    let Ok(usage) = issuer.key_usage() else { return Err(invalid) };
    if !constraints.value.ca || usage.is_some_and(|u| !u.value.key_cert_sign()) {
        return Err(invalid);
    }
    let length = intermediates.iter().filter(|c| !is_self_issued(c)).count() as u64;
    if constraints.value.path_len_constraint.is_some_and(|most| length > u64::from(most)) {
        return Err(DidError::Chain(PathError::PathLength));
    }
    Ok(())
}

fn is_self_issued(certificate: &X509Certificate<'_>) -> bool {
    certificate.issuer().as_raw() == certificate.subject().as_raw()
}

fn name_constraints<'a>(certificate: &'a X509Certificate<'_>) -> Result<Option<&'a NameConstraints<'a>>, DidError> {
    let constraints = certificate.name_constraints().map_err(|e| DidError::Malformed(e.to_string()))?;
    Ok(constraints.map(|c| c.value))
}

fn check_names(certificate: &X509Certificate<'_>, constraints: &NameConstraints<'_>) -> Result<(), DidError> {
    let subject = certificate.subject();
    if subject.iter().next().is_some() {
        check_name(&GeneralName::DirectoryName(subject.clone()), constraints)?;
    }
    let names = certificate.subject_alternative_name().map_err(|e| DidError::Malformed(e.to_string()))?;
    for name in names.map_or(&[][..], |n| &n.value.general_names) {
        check_name(name, constraints)?;
    }
    Ok(())
}

fn check_name(name: &GeneralName<'_>, constraints: &NameConstraints<'_>) -> Result<(), DidError> {
    let matching = |subtrees: &Option<Vec<GeneralSubtree<'_>>>| {
        let mut of_kind = false;
        for subtree in subtrees.iter().flatten() {
            match is_within(name, &subtree.base)? {
                Some(true) => return Ok((true, true)),
                Some(false) => of_kind = true,
                None => {}
            }
        }
        Ok::<_, DidError>((of_kind, false))
    };
    if let (true, false) = matching(&constraints.permitted_subtrees)? {
        return Err(DidError::Chain(PathError::PermittedSubtree));
    }
    if let (_, true) = matching(&constraints.excluded_subtrees)? {
        return Err(DidError::Chain(PathError::ExcludedSubtree));
    }
    Ok(())
}

/// Whether `name` lies within `base`; `None` if they are names of different kinds.
fn is_within(name: &GeneralName<'_>, base: &GeneralName<'_>) -> Result<Option<bool>, DidError> {
    Ok(match (name, base) {
        (GeneralName::DNSName(name), GeneralName::DNSName(base)) => Some(is_dns_within(name, base)),
        (GeneralName::RFC822Name(name), GeneralName::RFC822Name(base)) => Some(is_email_within(name, base)),
        (GeneralName::URI(name), GeneralName::URI(base)) => {
            let host = host_of(name).ok_or(DidError::Chain(PathError::NameConstraint))?;
            Some(is_host_within(host, base))
        }
        (GeneralName::DirectoryName(name), GeneralName::DirectoryName(base)) => Some(is_directory_within(name, base)),
        (GeneralName::IPAddress(name), GeneralName::IPAddress(base)) => Some(is_address_within(name, base)),
        (a, b) if std::mem::discriminant(a) == std::mem::discriminant(b) => {
            return Err(DidError::Chain(PathError::NameConstraint));
        }
        _ => None,
    })
}

fn is_dns_within(name: &str, base: &str) -> bool {
    let (name, base) = (name.to_ascii_lowercase(), base.to_ascii_lowercase());
    let base = base.strip_prefix('.').unwrap_or(&base);
    base.is_empty() || name == *base || name.strip_suffix(base).is_some_and(|rest| rest.ends_with('.'))
}

fn is_email_within(name: &str, base: &str) -> bool {
    let Some((mailbox, host)) = name.rsplit_once('@') else { return false };
    match base.rsplit_once('@') {
        Some((base_mailbox, base_host)) => mailbox == base_mailbox && host.eq_ignore_ascii_case(base_host),
        None => is_host_within(host, base),
    }
}

/// A base that begins with a point means every host below it, another one that host alone.
fn is_host_within(host: &str, base: &str) -> bool {
    let (host, base) = (host.to_ascii_lowercase(), base.to_ascii_lowercase());
    if base.starts_with('.') { host.ends_with(&base) } else { host == base }
}

fn host_of(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = host.split(':').next()?;
    (!host.is_empty() && !host.starts_with('[')).then_some(host)
}

fn is_directory_within(name: &X509Name<'_>, base: &X509Name<'_>) -> bool {
    let mut names = name.iter_rdn();
    base.iter_rdn().all(|base| names.next().is_some_and(|name| name == base))
}

fn is_address_within(address: &[u8], base: &[u8]) -> bool {
    if base.len() != 2 * address.len() {
        return false;
    }
    let (network, mask) = base.split_at(address.len());
    address.iter().zip(network).zip(mask).all(|((a, n), m)| a & m == n & m)
}
