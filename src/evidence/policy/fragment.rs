//! Fragments: other people's policies, which a policy may load.

use serde::Serialize;

use super::contents::{members, shorten, text, texts};
use super::rego::Term;

/// A fragment: whoever its issuer is, may add what it includes.
#[derive(Clone, Debug, Serialize)]
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
}

/// What of a fragment's text is not read.
pub(super) fn unknown_of_fragment(term: &Term) -> impl Iterator<Item = String> {
    let known = ["feed", "includes", "iss", "issuer", "minimum_svn", "parameters", "required_receipts"];
    members(term).filter(move |(name, _)| !known.contains(name)).map(|(name, _)| shorten(name))
}
