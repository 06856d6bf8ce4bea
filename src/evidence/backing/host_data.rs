//! Host data of SNP nodes, and the security policies that they are digests of.

use std::rc::Rc;

use super::comparison::Comparison;
use super::{Evidence, Kind};
use crate::digest::HostData;
use crate::evidence::check::Verdict;
use crate::evidence::policy::deployment::Found;
use crate::evidence::policy::review::Review;
use crate::evidence::snp::host_data::{self, Digests, explain_mismatch};
use crate::proposal::Action;

/// A policy among the evidence: a proposal may have very many values, and each is compared with every policy.
pub(super) struct Policy<'a> {
    name: String,
    bytes: &'a [u8],
    digests: Digests,
}

impl<'a> Policy<'a> {
    /// All of them.
    pub(super) fn all(evidence: &'a [Evidence]) -> Rc<[Self]> {
        let found = evidence.iter().filter_map(|e| match &e.kind {
            Kind::Policies(found) => Some(found.iter().map(|f| (label(&e.name, f), &f.policy))),
            _ => None,
        });
        found.flatten().map(|(name, bytes)| Self { name, bytes, digests: Digests::of(bytes) }).collect()
    }
}

impl Comparison<'_> {
    pub(super) fn snp_host_data(&mut self, action: &Action, adds: bool) {
        let Some(value) = self.hex::<HostData>(action, "host_data") else { return };
        let policies = Rc::clone(&self.policies);
        let mut backed: Vec<String> =
            policies.iter().filter(|p| p.digests.host_data() == value).map(|p| p.name.clone()).collect();
        if backed.is_empty() {
            backed = self.backing(
                |kind| matches!(kind, Kind::Report { report, valid: true, .. } if report.host_data() == value),
            );
        }
        let mistake =
            policies.iter().find_map(|p| p.digests.explain(&value).map(|mistake| format!("{mistake} ({})", p.name)));
        let mistake = mistake.or_else(|| self.hash_of_file(&value.0)).or_else(|| self.unproved(&value));
        let is_backed = self.settle(action, value, backed, mistake);
        if !adds {
            return;
        }
        let shown = policies.iter().find(|p| p.digests.host_data() == value);
        self.security_policy(action, &value, shown);
        if !is_backed {
            return;
        }
        let carried = action.text("security_policy").filter(|text| deployment_host_data(text.as_bytes()) == value);
        match (shown, carried) {
            (Some(policy), _) if !self.reviewed.insert(policy.name.clone()) => {}
            (Some(policy), _) => self.policy_contents(&policy.name, policy.bytes),
            (None, Some(text)) => self.policy_contents("the proposal's security_policy", text.as_bytes()),
            (None, None) => self.checks.incomplete(
                "policy-unknown",
                format!(
                    "{value}: a node runs with it, but no policy shows what it admits: give the policy as evidence"
                ),
            ),
        }
    }

    /// A report that has the value, and is not to be believed.
    fn unproved(&self, value: &HostData) -> Option<String> {
        let named = |e: &&Evidence| matches!(&e.kind, Kind::Report { report, valid: false, .. } if report.host_data() == *value);
        self.evidence.iter().find(named).map(|e| format!("only the report {} says so, which is not verified", e.name))
    }

    /// The policy that goes into the ledger with its host data.
    fn security_policy(&mut self, action: &Action, value: &HostData, right: Option<&Policy<'_>>) {
        let name = "security-policy";
        match action.text("security_policy") {
            None => self.checks.fail(name, format!("{value}: there is no text security_policy")),
            Some("") => {
                self.checks.warn(name, format!("{value}: the policy is empty, so the service verifies and shows none"));
            }
            Some(text) if host_data::decode(text.as_bytes()).is_some() => {
                self.checks.fail(name, format!("{value}: security_policy is base64, and must be the policy itself"));
            }
            Some(text) if deployment_host_data(text.as_bytes()) == *value => {
                self.checks.pass(name, format!("{value} is SHA-256 of security_policy"));
            }
            Some(text) => {
                let known = right.and_then(|policy| policy.digests.explain(&deployment_host_data(text.as_bytes())));
                let why = match (known, explain_mismatch(value, text.as_bytes())) {
                    (Some(mistake), _) => format!(": hashed as written, {mistake}"),
                    (None, Some(mistake)) => format!(": {mistake}"),
                    (None, None) => String::new(),
                };
                self.checks.fail(name, format!("{value} is not SHA-256 of security_policy{why}"));
            }
        }
    }

    fn policy_contents(&mut self, name: &str, policy: &[u8]) {
        for warning in Review::of(policy).warnings {
            let verdict = warning.verdict();
            let dangerous = verdict == Verdict::Fail;
            if !self.warned.insert(format!("{name} {} {}", warning.name, if dangerous { "" } else { &warning.detail }))
            {
                continue;
            }
            if warning.name == "allow-all" {
                self.checks.fail(
                    "policy-allow-all",
                    format!("{name}: {}: the attestation proves nothing of that", warning.detail),
                );
            } else {
                self.checks.push("policy-contents", verdict, format!("{name}: {}: {}", warning.name, warning.detail));
            }
        }
    }
}

fn deployment_host_data(policy: &[u8]) -> HostData {
    HostData(crate::digest::sha256(policy))
}

fn label(file: &str, found: &Found) -> String {
    found.name.as_ref().map_or_else(|| file.to_owned(), |group| format!("{file} ({group})"))
}
