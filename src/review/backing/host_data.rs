//! Host data of SNP nodes, and the security policies that they are digests of.

use super::comparison::Comparison;
use crate::check::Verdict;
use crate::digest::HostData;
use crate::evidence::policy::review::Review;
use crate::evidence::recognise::{Evidence, EvidenceKind, Policy};
use crate::host_data::{self, explain_mismatch};
use crate::proposal::Action;

impl Comparison<'_> {
    pub(super) fn snp_host_data(&mut self, action: &Action, adds: bool) {
        let Some(value) = self.hex::<HostData>(action, "host_data") else { return };
        let evidence = self.evidence;
        let policies = || {
            let all = evidence.iter().filter_map(|e| match &e.kind {
                EvidenceKind::Policies(policies) => Some(policies.iter().map(|policy| (policy.title(&e.name), policy))),
                _ => None,
            });
            all.flatten()
        };
        let shown = policies().find(|(_, policy)| policy.host_data() == value);
        let mut backed: Vec<String> =
            policies().filter(|(_, policy)| policy.host_data() == value).map(|(name, _)| name).collect();
        if backed.is_empty() {
            backed = self.backing(
                |kind| matches!(kind, EvidenceKind::Report { report, valid: true, .. } if report.host_data() == value),
            );
        }
        let mistake =
            policies().find_map(|(name, policy)| policy.explain(&value).map(|mistake| format!("{mistake} ({name})")));
        let mistake = mistake.or_else(|| self.hash_of_file(&value.0)).or_else(|| self.unproved(&value));
        let is_backed = self.settle(action, value, backed, mistake);
        if !adds {
            return;
        }
        self.security_policy(action, &value, shown.as_ref().map(|(_, policy)| *policy));
        if !is_backed {
            return;
        }
        let carried = action.text("security_policy").filter(|text| deployment_host_data(text.as_bytes()) == value);
        match (shown, carried) {
            // By its digest: groups of one file may have the same name, and other policies.
            (Some(_), _) if !self.reviewed.insert(value) => {}
            (Some((name, policy)), _) => self.policy_contents(&name, &policy.found.policy),
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
        let named = |e: &&Evidence| matches!(&e.kind, EvidenceKind::Report { report, valid: false, .. } if report.host_data() == *value);
        self.evidence.iter().find(named).map(|e| format!("only the report {} says so, which is not verified", e.name))
    }

    /// The policy that goes into the ledger with its host data.
    fn security_policy(&mut self, action: &Action, value: &HostData, right: Option<&Policy>) {
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
                let known = right.and_then(|policy| policy.explain(&deployment_host_data(text.as_bytes())));
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
