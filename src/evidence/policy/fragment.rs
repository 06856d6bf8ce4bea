//! Fragments: other people's policies, which a policy may load.

use serde::Serialize;

use super::contents::{members, shorten, text, texts};
use super::rego::Term;
use crate::evidence::snp::did_x509;

/// The key purpose that stands for all of them.
const ANY_PURPOSE: &str = "2.5.29.37.0";

/// The key purposes of the public authorities: servers, clients, code, mail and so on.
const PUBLIC_PURPOSES: &str = "1.3.6.1.5.5.7.3.";

/// A fragment: whoever its issuer is, may add what it includes.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Fragment {
    /// A did:x509.
    pub issuer: Option<String>,
    /// Its name.
    pub feed: Option<String>,
    /// The least version.
    pub minimum_svn: Option<String>,
    /// What of it counts.
    pub includes: Vec<String>,
    /// Values that it is given, as the policy writes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<String>,
    /// The receipts that it must come with, as the policy writes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_receipts: Option<String>,
}

impl Fragment {
    pub(super) fn read(term: &Term) -> Self {
        Self {
            issuer: text(term, "issuer").or_else(|| text(term, "iss")),
            feed: text(term, "feed"),
            minimum_svn: text(term, "minimum_svn"),
            includes: texts(term.get("includes")),
            parameters: text(term, "parameters"),
            required_receipts: text(term, "required_receipts"),
        }
    }

    /// Why its issuer may be anybody, if that is so.
    pub(super) fn unpinned(&self) -> Option<&'static str> {
        let issuer = self.issuer.as_deref().unwrap_or_default();
        if did_x509::check_syntax(issuer).is_err() {
            return Some("is not pinned by a did:x509");
        }
        let general = |predicate: &str| {
            predicate.strip_prefix("eku:").is_some_and(|oid| oid == ANY_PURPOSE || oid.starts_with(PUBLIC_PURPOSES))
        };
        let anybody = issuer.split("::").skip(1).all(general);
        anybody.then_some("is anyone with a certificate of that root for a common purpose")
    }
}

/// What of a fragment's text is not read.
pub(super) fn unknown_of_fragment(term: &Term) -> impl Iterator<Item = String> {
    let known = ["feed", "includes", "iss", "issuer", "minimum_svn", "parameters", "required_receipts"];
    members(term).filter(move |(name, _)| !known.contains(name)).map(|(name, _)| shorten(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_pinned_by_a_purpose_of_its_own() {
        let root = "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s";
        for (predicates, pinned) in [
            ("::eku:1.3.6.1.4.1.311.76.59.1.3", true),
            ("::eku:1.3.6.1.5.5.7.3.3::subject:CN:Example", true),
            ("::eku:1.3.6.1.5.5.7.3.3", false),
            ("::eku:2.5.29.37.0", false),
            ("", false),
        ] {
            let issuer = Term::Text(format!("{root}{predicates}"));
            let fragment = Fragment::read(&Term::Object(vec![("issuer".into(), issuer)]));
            assert_eq!(fragment.unpinned().is_none(), pinned, "{predicates}");
        }
        assert!(Fragment::read(&Term::Object(Vec::new())).unpinned().is_some());
    }
}
