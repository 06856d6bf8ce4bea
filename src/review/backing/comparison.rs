//! The comparison: each action by its own rules, each value settled in the same way.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value;

use super::Registered;
use crate::ccf_version::{Answer, CcfVersion};
use crate::check::{Checks, Verdict};
use crate::digest::{HexError, HostData, sha256};
use crate::evidence::recognise::{Evidence, EvidenceKind};
use crate::proposal::catalogue::Catalogue;
use crate::proposal::merge::conflicts;
use crate::proposal::{Action, Proposal};
use crate::text::visible;

/// A proposal being compared with evidence.
pub(super) struct Comparison<'a> {
    pub(super) evidence: &'a [Evidence],
    pub(super) ccf: Option<CcfVersion>,
    pub(super) checks: Checks,
    pub(super) values: Vec<Registered>,
    pub(super) warned: BTreeSet<String>,
    /// The policies whose contents were looked at.
    pub(super) reviewed: HashSet<HostData>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(evidence: &'a [Evidence], ccf: Option<CcfVersion>) -> Self {
        Self {
            evidence,
            ccf,
            checks: Checks::new(),
            values: Vec::new(),
            warned: BTreeSet::new(),
            reviewed: HashSet::new(),
        }
    }

    /// What is wrong with the evidence itself.
    pub(super) fn judge(&mut self, item: &Evidence) {
        match &item.kind {
            EvidenceKind::Enclave(artefact) => {
                for check in artefact.checks.iter().filter(|c| c.verdict != Verdict::Pass) {
                    self.checks.push(check.name, check.verdict, format!("{}: {}", item.name, check.detail));
                }
            }
            EvidenceKind::Uvm { valid: false, .. } => {
                self.checks.fail("uvm-signature", format!("{}: issuer or signature do not hold", item.name));
            }
            EvidenceKind::Uvm { uvm, valid: true } => {
                let mut contents = Checks::new();
                uvm.check_contents(&mut contents);
                for check in contents.iter().filter(|c| c.verdict != Verdict::Pass) {
                    // Anybody can make an issuer of his own, and have it endorse what he likes.
                    let unknown = check.name == "uvm-known-issuer" && check.verdict == Verdict::Warn;
                    let verdict = if unknown { Verdict::Incomplete } else { check.verdict };
                    self.checks.push(check.name, verdict, format!("{}: {}", item.name, check.detail));
                }
            }
            EvidenceKind::Report { valid: false, why, .. } => {
                self.checks.incomplete("report-signature", format!("{}: it backs nothing: {why}", item.name));
            }
            EvidenceKind::Policies(policies) => {
                for policy in policies {
                    if let Some(remark) = &policy.found.remark {
                        self.checks.warn("policy-source", format!("{}: {remark}", policy.title(&item.name)));
                    }
                }
            }
            EvidenceKind::Unusable(why) => {
                self.checks.warn("evidence", format!("{}: it backs nothing: {why}", item.name))
            }
            EvidenceKind::Guest(guest) if !guest.is_sound() => self.checks.fail(
                "guest",
                format!("{}: its host may debug it, or its ID block states another measurement", item.name),
            ),
            _ => {}
        }
    }

    pub(super) fn compare(&mut self, action: &Action) {
        self.known_to_service(&action.name);
        let adds = action.name.starts_with("add_") || action.name.starts_with("set_");
        match action.name.as_str() {
            "add_node_code" | "remove_node_code" => {
                if adds && self.ccf.is_some_and(|ccf| ccf >= CcfVersion::new(6, 0, 0)) {
                    self.checks.fail("platform", "SGX code means nothing to CCF 6 and later, which have no such table");
                }
                self.node_code(action);
            }
            "add_snp_host_data" | "remove_snp_host_data" => self.snp_host_data(action, adds),
            "add_snp_measurement" | "remove_snp_measurement" => self.snp_measurement(action, adds),
            "add_snp_uvm_endorsement" | "remove_snp_uvm_endorsement" => self.snp_uvm(action, adds),
            "set_snp_minimum_tcb_version" | "set_snp_minimum_tcb_version_hex" => self.minimum_tcb(action),
            "remove_snp_minimum_tcb_version" => self.remove_minimum_tcb(action),
            "set_node_join_policy" => self.node_join_policy(action),
            "add_executor_node_code" | "remove_executor_node_code" => {
                let code = action.text("executor_code_id").unwrap_or_default().to_owned();
                self.settle(action, code, Vec::new(), Some("what an executor's code is can't be computed here".into()));
            }
            "add_virtual_host_data" | "remove_virtual_host_data" => {
                self.virtual_platform(adds);
                self.virtual_host_data(action);
            }
            "add_virtual_measurement" | "remove_virtual_measurement" => {
                self.virtual_platform(adds);
                self.virtual_measurement(action);
            }
            _ => {}
        }
    }

    /// Actions that undo one another: each value may be backed, and what is registered in the end is another thing.
    pub(super) fn contradictions(&mut self, proposal: &Proposal) {
        let actions: Vec<&Action> = proposal.actions().iter().collect();
        for conflict in conflicts(&actions, Catalogue::builtin()) {
            self.checks.fail("contradictions", conflict.told(&actions));
        }
    }

    /// A registration that this version of CCF has no action for.
    fn known_to_service(&mut self, name: &str) {
        let feature = Catalogue::builtin().find(name).and_then(|template| template.feature);
        let Some((feature, ccf)) = feature.zip(self.ccf) else { return };
        match ccf.has(feature) {
            Answer::Yes => {}
            Answer::No => {
                self.checks.fail("platform", format!("CCF {ccf} has no action {name}, which {}", feature.absence(ccf)));
            }
            Answer::Unknown(doubt) => self.checks.warn("platform", format!("{name} may not be there: {doubt}")),
        }
    }

    /// The actions beside the registrations, each once: evidence backs none of them, so the answer is no yes unless the
    /// caller names it. One that nobody knows could register anything, or be a registration whose name is misspelt.
    pub(super) fn riders(&mut self, proposal: &Proposal, named: &BTreeSet<String>) {
        let names = || proposal.actions().iter().map(|action| action.name.as_str()).filter(|name| !registers(name));
        let mut counts: HashMap<&str, usize> = HashMap::new();
        names().for_each(|name| *counts.entry(name).or_default() += 1);
        for (name, count) in names().filter_map(|name| counts.remove_entry(name)) {
            let template = Catalogue::builtin().get(name);
            let (shown, does) = match &template {
                Ok(template) => {
                    let does = template.description.split_whitespace().collect::<Vec<_>>().join(" ");
                    (name.to_owned(), format!("What it does: {}", does.trim_end_matches('.')))
                }
                Err(unknown) => {
                    let near = unknown.nearest.as_ref().map(|n| format!("; did you mean {n}?")).unwrap_or_default();
                    let does = "no constitution of CCF's own has it, so what it does is not known";
                    (format!("{:?}", unknown.name), format!("{does}{near}"))
                }
            };
            let shown = if count > 1 { format!("{shown} ({count} times)") } else { shown };
            if named.contains(name) {
                self.checks
                    .warn("named-action", format!("{shown} was named by the caller; no evidence backs it. {does}"));
                continue;
            }
            let check = if template.is_ok() { "other-action" } else { "unknown-action" };
            let detail =
                format!("{shown}: no evidence can back it; review it, and name it (--also) if it is wanted. {does}");
            self.checks.incomplete(check, detail);
        }
    }

    /// What stands beside the values, which no evidence backs: a service's own constitution may read it.
    pub(super) fn surplus(&mut self, proposal: &Proposal) {
        let mut found = Vec::new();
        let top = proposal.value().as_object().into_iter().flatten();
        found.extend(top.map(|(key, _)| key.clone()).filter(|key| key != "actions"));
        let list = proposal.value().get("actions").and_then(Value::as_array).into_iter().flatten();
        for (at, action) in list.enumerate() {
            let members = action.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
            found.extend(members.filter(|k| !matches!(*k, "name" | "args")).map(|k| format!("actions[{at}].{k}")));
            let name = action.get("name").and_then(Value::as_str).unwrap_or_default();
            let Some(template) = Catalogue::builtin().get(name).ok().filter(|_| registers(name)) else { continue };
            let args = action.get("args").and_then(Value::as_object).into_iter().flatten();
            let unknown = args.filter(|(key, _)| template.parameter(key).is_none());
            found.extend(unknown.map(|(key, _)| format!("actions[{at}].args.{key}")));
        }
        if !found.is_empty() {
            found.truncate(8);
            let names = found.iter().map(|name| visible(name)).collect::<Vec<_>>().join(", ");
            self.checks.incomplete("surplus", format!("no evidence can back what stands beside the values: {names}"));
        }
    }

    /// That code is taken back is said: whoever votes by the verdict alone would vote out what the evidence is.
    pub(super) fn deregisters(&mut self, proposal: &Proposal) {
        let removes = |name: &str| registers(name) && name.starts_with("remove_");
        let count = proposal.actions().iter().filter(|action| removes(&action.name)).count();
        if count > 0 {
            let (values, them) =
                if count == 1 { ("1 value".into(), "it") } else { (format!("{count} values"), "them") };
            self.checks
                .warn("deregisters", format!("the proposal takes back {values}: nodes can no longer join with {them}"));
        }
    }

    pub(super) fn warn_once(&mut self, name: &'static str, detail: impl Into<String>) {
        let detail = detail.into();
        if self.warned.insert(format!("{name} {detail}")) {
            self.checks.warn(name, detail);
        }
    }

    fn virtual_platform(&mut self, adds: bool) {
        if adds {
            self.warn_once(
                "platform",
                "the virtual platform proves nothing: anybody's code passes for it; never in production",
            );
        }
    }

    /// A script admits whom it likes: only the very same script among the evidence backs it.
    fn node_join_policy(&mut self, action: &Action) {
        let script = action.text("policy").unwrap_or_default();
        let digest = sha256(script.as_bytes());
        let backed = self.evidence.iter().filter(|e| e.digest == Some(digest)).map(|e| e.name.clone()).collect();
        let why = "it lets a script decide who joins, and no file among the evidence is that script";
        self.settle(action, format!("a script of {} bytes", script.len()), backed, Some(why.into()));
        self.warn_once(
            "join-policy-script",
            "nodes with other host data than the registered ones may join by a script",
        );
    }

    /// Notes a value, and fails or passes it by what backs it.
    pub(super) fn settle(
        &mut self,
        action: &Action,
        value: impl ToString,
        backed_by: Vec<String>,
        otherwise: Option<String>,
    ) -> bool {
        let (value, name) = (value.to_string(), action_name(&action.name));
        let short: String = value.chars().take(300).collect();
        let backed = !backed_by.is_empty();
        if backed {
            self.checks.pass(name, format!("{short} is backed by {}", backed_by.join(", ")));
        } else {
            let why = otherwise.unwrap_or_else(|| "no evidence backs it".into());
            self.checks.fail(name, format!("{short}: {why}"));
        }
        self.values.push(Registered { action: action.name.clone(), value, backed_by });
        backed
    }

    /// A hexadecimal argument; what is wrong with its form is told.
    pub(super) fn hex<T: std::str::FromStr<Err = HexError>>(&mut self, action: &Action, argument: &str) -> Option<T> {
        let Some(text) = action.text(argument) else {
            self.malformed(action, "", format!("it has no text {argument}"));
            return None;
        };
        match text.parse::<T>() {
            Ok(value) => Some(value),
            Err(error) => {
                let prefixed = text.starts_with("0x") || text.starts_with("0X");
                let hint = if prefixed {
                    "it begins with 0x, and CCF compares texts: it would never match".into()
                } else {
                    error.to_string()
                };
                self.malformed(action, text, hint);
                None
            }
        }
    }

    pub(super) fn malformed(&mut self, action: &Action, value: &str, why: String) {
        self.settle(action, value, Vec::new(), Some(format!("malformed: {why}")));
    }

    /// The file of which a value is the plain SHA-256, where that is not what the value should be.
    pub(super) fn hash_of_file(&self, digest: &[u8; 32]) -> Option<String> {
        let file = self.evidence.iter().find(|e| e.digest.as_ref() == Some(digest))?;
        Some(format!("it is the SHA-256 of the file {} as it stands", file.name))
    }

    pub(super) fn backing(&self, mut backs: impl FnMut(&EvidenceKind) -> bool) -> Vec<String> {
        self.evidence.iter().filter(|e| backs(&e.kind)).map(|e| e.name.clone()).collect()
    }
}

/// The actions whose values evidence can back.
const REGISTRATIONS: [&str; 18] = [
    "add_node_code",
    "remove_node_code",
    "add_snp_host_data",
    "remove_snp_host_data",
    "add_snp_measurement",
    "remove_snp_measurement",
    "add_snp_uvm_endorsement",
    "remove_snp_uvm_endorsement",
    "add_virtual_host_data",
    "remove_virtual_host_data",
    "add_virtual_measurement",
    "remove_virtual_measurement",
    "set_snp_minimum_tcb_version",
    "set_snp_minimum_tcb_version_hex",
    "remove_snp_minimum_tcb_version",
    "set_node_join_policy",
    "add_executor_node_code",
    "remove_executor_node_code",
];

/// Whether an action of this name registers or removes a value that only evidence can back.
pub fn registers(action: &str) -> bool {
    REGISTRATIONS.contains(&action)
}

/// The action's name as a check's name.
fn action_name(name: &str) -> &'static str {
    REGISTRATIONS.iter().find(|n| **n == name).copied().unwrap_or("other-action")
}

#[cfg(test)]
mod tests;
