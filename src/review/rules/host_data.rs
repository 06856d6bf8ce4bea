//! Host data of SNP nodes: the SHA-256 of a security policy.

use super::evidence::{Proof, hash_of_file, hex, names};
use super::{Finding, Subject};
use crate::check::Verdict::{Fail, Incomplete, Pass, Warn};
use crate::digest::{HostData, sha256};
use crate::evidence::recognise::{Evidence, EvidenceKind, Policy};
use crate::host_data::{decode, explain_mismatch, of_policy};
use crate::proposal::Action;

pub(super) const ADD: &[&str] = &["add_snp_host_data"];

/// Host data against the policy that goes into the ledger with it, with the known mistakes by name.
pub(super) fn host_data(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    subject.each(ADD, |action, found| {
        let Some(given) = action.text("host_data") else { return };
        let Some(policy) = action.text("security_policy") else {
            // Without evidence, what is missing has a rule of its own.
            if subject.evidence.is_some() {
                found(Fail, "security_policy is missing or not text".into());
            }
            return;
        };
        if policy.is_empty() {
            match subject.evidence {
                Some(_) => found(Warn, "security_policy is empty, so the service verifies and shows none".into()),
                None => {
                    found(Incomplete, "security_policy is empty: what this host data lets run is not known".into());
                }
            }
            return;
        }
        // Digits that cannot be read are reported elsewhere.
        let Ok(given) = given.to_ascii_lowercase().parse::<HostData>() else { return };
        if let Some(decoded) = decode(policy.as_bytes()) {
            let decoded = of_policy(&decoded);
            let which = if given.0 == sha256(policy.as_bytes()) {
                format!("host_data is the hash of that text, which no node has; nodes with this policy have {decoded}")
            } else if given == decoded {
                "host_data is right, and the constitution will refuse the pair".into()
            } else {
                format!("nodes with this policy have {decoded}")
            };
            found(Fail, format!("security_policy is base64, and must be the raw policy; {which}"));
            return;
        }
        let right = of_policy(policy.as_bytes());
        if given != right {
            let known = shown(subject.given(), &given).and_then(|(_, policy)| policy.explain(&right));
            let known = known.map(|mistake| format!(": security_policy hashed as written, {mistake}"));
            let mistake = || explain_mismatch(&given, policy.as_bytes()).map(|mistake| format!(": {mistake}"));
            let mistake = known.or_else(mistake).unwrap_or_default();
            found(Fail, format!("the policy's SHA-256 is {right}, and host_data is {given}{mistake}"));
        } else if subject.evidence.is_some() {
            found(Pass, format!("{given} is SHA-256 of security_policy"));
        }
    })
}

/// What evidence says of host data: policies first, and reports of nodes that run with it.
pub(super) fn proof(action: &Action, evidence: &[Evidence]) -> Proof {
    let value = match hex::<HostData>(action, "host_data") {
        Ok(value) => value,
        Err(malformed) => return malformed,
    };
    let mut backed: Vec<String> =
        policies(evidence).filter(|(_, policy)| policy.host_data() == value).map(|(name, _)| name).collect();
    let reports = |believed: bool| {
        names(
            evidence,
            |kind| matches!(kind, EvidenceKind::Report { report, valid, .. } if *valid == believed && report.host_data() == value),
        )
    };
    if backed.is_empty() {
        backed = reports(true);
    }
    let mistake = policies(evidence)
        .find_map(|(name, policy)| policy.explain(&value).map(|mistake| format!("{mistake} ({name})")));
    let unproved = || {
        let report = reports(false).into_iter().next()?;
        Some(format!("only the report {report} says so, which is not verified"))
    };
    let mistake = mistake.or_else(|| hash_of_file(evidence, &value.0)).or_else(unproved);
    Proof::new(value, backed, mistake)
}

/// The policy among the evidence that nodes with this host data run with.
pub(super) fn shown<'a>(evidence: &'a [Evidence], value: &HostData) -> Option<(String, &'a Policy)> {
    policies(evidence).find(|(_, policy)| policy.host_data() == *value)
}

fn policies(evidence: &[Evidence]) -> impl Iterator<Item = (String, &Policy)> {
    let policies = evidence.iter().filter_map(|e| match &e.kind {
        EvidenceKind::Policies(policies) => Some(policies.iter().map(|policy| (policy.title(&e.name), policy))),
        _ => None,
    });
    policies.flatten()
}
