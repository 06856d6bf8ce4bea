//! What a security policy lets run, as far as its text shows.

use std::collections::HashSet;

use super::host_data::{ADD, shown};
use super::{Finding, Subject};
use crate::check::Verdict::{Fail, Incomplete};
use crate::digest::sha256;
use crate::evidence::policy::Review;
use crate::host_data::decode;

/// A policy that proves nothing.
const ALLOW_ALL: &str = "allow-all";

/// What a policy admits that proves nothing of what runs; nothing is said if there is none.
pub(super) fn allow_all(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let warnings = reviewed(subject).iter().flat_map(|(of, review)| review.warnings.iter().map(move |w| (of, w)));
    let found = warnings
        .filter(|(_, warning)| warning.name == ALLOW_ALL)
        .map(|(of, warning)| (Fail, format!("{of}: {}: the attestation proves nothing of that", warning.detail)));
    Some(found.collect::<Vec<_>>()).filter(|found| !found.is_empty())
}

/// Everything else in a policy that a person should look at, and policies that nobody shows.
pub(super) fn contents(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let mut found = subject.each(ADD, |action, found| {
        if is_shown(subject, action.text("host_data")) {
            return;
        }
        match action.text("security_policy") {
            Some("") if subject.evidence.is_some() => {
                found(Incomplete, "no policy shows what it admits: give the policy as evidence".into());
            }
            Some("") => found(Incomplete, "it is empty, so there is nothing to look at".into()),
            // With evidence, `host-data` says that.
            Some(text) if subject.evidence.is_none() && decode(text.as_bytes()).is_some() => {
                found(Fail, "it is base64, not Rego".into());
            }
            _ => {}
        }
    })?;
    for (of, review) in reviewed(subject) {
        let others = review.warnings.iter().filter(|warning| warning.name != ALLOW_ALL);
        found.extend(others.map(|w| (w.verdict(), format!("{of}: {}: {}", w.name, w.detail))));
    }
    Some(found)
}

fn is_shown(subject: &Subject<'_>, host_data: Option<&str>) -> bool {
    let value = host_data.and_then(|text| text.parse().ok());
    value.is_some_and(|value| shown(subject.given(), &value).is_some())
}

/// Every policy, once: the one among the evidence, else the one in the proposal.
fn reviewed<'s>(subject: &'s Subject<'_>) -> &'s [(String, Review)] {
    subject.policies.get_or_init(|| {
        let mut seen = HashSet::new();
        let mut reviews = Vec::new();
        for (at, action) in subject.named(ADD) {
            let value = action.text("host_data").and_then(|text| text.parse().ok());
            let known = value.and_then(|value| shown(subject.given(), &value));
            let (of, policy) = match (known, action.text("security_policy")) {
                (Some((name, policy)), _) => (name, policy.found.policy.as_slice()),
                (None, Some(text)) if !text.is_empty() && decode(text.as_bytes()).is_none() => (at, text.as_bytes()),
                _ => continue,
            };
            if seen.insert(sha256(policy)) {
                reviews.push((of, Review::of(policy)));
            }
        }
        reviews
    })
}
