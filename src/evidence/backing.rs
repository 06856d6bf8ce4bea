//! Whether a proposal registers exactly what artefacts are: every value, and what backs it.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::check::{Checks, Verdict};
use super::policy::deployment::{self, Found};
use super::policy::review::Review;
use super::sgx::artefact::Artefact;
use super::snp::host_data::{self, explain_mismatch, explain_text};
use super::snp::report::Report;
use super::snp::tcb::{Cpuid, MinimumTcb, TcbVersion};
use super::snp::uvm::{KNOWN_ISSUERS, UvmEndorsement};
use super::snp::version::{CcfVersion, SvnOrder};
use super::virt;
use crate::digest::{HexError, HostData, MrEnclave, SnpMeasurement};
use crate::proposal::{Action, Proposal};

/// What an evidence file turned out to be.
#[derive(Clone, Debug)]
pub enum Kind {
    /// An executable or library: its digest is a virtual node's host data.
    Executable(HostData),
    /// An enclave, or a signature on one.
    Enclave(Box<Artefact>),
    /// Security policies.
    Policies(Vec<Found>),
    /// A UVM endorsement whose signature was checked.
    Uvm {
        /// The endorsement.
        uvm: Box<UvmEndorsement>,
        /// Whether issuer and signature hold.
        valid: bool,
    },
    /// A report, believed only as far as its endorsements go.
    Report {
        /// The report.
        report: Box<Report>,
        /// Whether its signature was verified up to AMD's root.
        valid: bool,
    },
}

/// An evidence file.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Its name, for people.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// A value that the proposal registers or removes.
#[derive(Clone, Debug, Serialize)]
pub struct Registered {
    /// The action.
    pub action: String,
    /// The value, as written.
    pub value: String,
    /// The evidence that backs it.
    pub backed_by: Vec<String>,
}

/// Compares every value of `proposal` with `evidence`.
///
/// `ccf` is the version of the service, where it is known. Passes only if every value is backed and none dangerous.
pub fn verify(proposal: &Proposal, evidence: &[Evidence], ccf: Option<CcfVersion>) -> (Checks, Vec<Registered>) {
    let mut review = Comparison { evidence, ccf, checks: Checks::new(), values: Vec::new(), warned: BTreeSet::new() };
    for item in evidence {
        review.judge(item);
    }
    for action in proposal.actions() {
        review.compare(action);
    }
    if review.values.is_empty() {
        review.checks.incomplete("values", "the proposal registers and removes no code, so there is nothing to back");
    }
    (review.checks, review.values)
}

struct Comparison<'a> {
    evidence: &'a [Evidence],
    ccf: Option<CcfVersion>,
    checks: Checks,
    values: Vec<Registered>,
    warned: BTreeSet<String>,
}

impl Comparison<'_> {
    /// What is wrong with the evidence itself.
    fn judge(&mut self, item: &Evidence) {
        match &item.kind {
            Kind::Enclave(artefact) => {
                for check in artefact.checks.iter().filter(|c| c.verdict != Verdict::Pass) {
                    let verdict = if check.name == "debug" { Verdict::Fail } else { check.verdict };
                    self.checks.push(check.name, verdict, format!("{}: {}", item.name, check.detail));
                }
            }
            Kind::Uvm { valid: false, .. } => {
                self.checks.fail("uvm-signature", format!("{}: issuer or signature do not hold", item.name));
            }
            Kind::Report { valid: false, .. } => self.checks.incomplete(
                "report-signature",
                format!("{}: not verified up to AMD's root, so it backs nothing; give its endorsements too", item.name),
            ),
            _ => {}
        }
    }

    fn compare(&mut self, action: &Action) {
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
            "add_virtual_host_data" | "remove_virtual_host_data" => {
                self.virtual_platform(adds);
                self.virtual_host_data(action);
            }
            "add_virtual_measurement" | "remove_virtual_measurement" => {
                self.virtual_platform(adds);
                self.virtual_measurement(action);
            }
            other => self
                .checks
                .warn("other-action", format!("{other} is about nothing that artefacts back: review it by itself")),
        }
    }

    fn warn_once(&mut self, name: &'static str, detail: impl Into<String>) {
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

    /// Notes a value, and fails or passes it by what backs it.
    fn settle(
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
    fn hex<T: std::str::FromStr<Err = HexError>>(&mut self, action: &Action, argument: &str) -> Option<T> {
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

    fn malformed(&mut self, action: &Action, value: &str, why: String) {
        self.settle(action, value, Vec::new(), Some(format!("malformed: {why}")));
    }

    fn backing(&self, mut backs: impl FnMut(&Kind) -> bool) -> Vec<String> {
        self.evidence.iter().filter(|e| backs(&e.kind)).map(|e| e.name.clone()).collect()
    }

    fn node_code(&mut self, action: &Action) {
        let Some(code) = self.hex::<MrEnclave>(action, "code_id") else { return };
        let backed = self.backing(|kind| matches!(kind, Kind::Enclave(a) if a.mrenclave == code));
        let mut reversed = code.0;
        reversed.reverse();
        let mistake = self.evidence.iter().find_map(|e| match &e.kind {
            Kind::Enclave(a) if a.mrenclave.0 == reversed => Some("its bytes stand in reverse order"),
            Kind::Enclave(a) if a.sigstruct.as_ref().is_some_and(|s| s.mrsigner.0 == code.0) => {
                Some("it is the signer (MRSIGNER), not the enclave (MRENCLAVE)")
            }
            Kind::Enclave(a) if a.sigstruct.as_ref().is_some_and(|s| s.mrenclave == code) => {
                Some("it is what the signature says, and the enclave's code is another")
            }
            Kind::Executable(digest) if digest.0 == code.0 => Some("it is the hash of a file, not an MRENCLAVE"),
            _ => None,
        });
        self.settle(action, code, backed, mistake.map(str::to_owned));
    }

    fn virtual_host_data(&mut self, action: &Action) {
        let Some(value) = self.hex::<HostData>(action, "host_data") else { return };
        let backed = self.backing(|kind| matches!(kind, Kind::Executable(digest) if *digest == value));
        self.settle(action, value, backed, None);
    }

    fn virtual_measurement(&mut self, action: &Action) {
        let value = action.text("measurement").unwrap_or_default().to_owned();
        let why = format!("every virtual node's measurement is {:?}", virt::MEASUREMENT);
        let backed =
            if value == virt::MEASUREMENT { vec!["the virtual platform's constant".to_owned()] } else { Vec::new() };
        self.settle(action, value, backed, Some(why));
    }

    fn snp_host_data(&mut self, action: &Action, adds: bool) {
        let Some(value) = self.hex::<HostData>(action, "host_data") else { return };
        let policies: Vec<(String, Vec<u8>)> = self
            .evidence
            .iter()
            .filter_map(|e| match &e.kind {
                Kind::Policies(found) => Some(found.iter().map(|f| (label(&e.name, f), f.policy.clone()))),
                _ => None,
            })
            .flatten()
            .collect();
        let mut backed: Vec<String> =
            policies.iter().filter(|(_, p)| deployment_host_data(p) == value).map(|(name, _)| name.clone()).collect();
        if backed.is_empty() {
            backed = self
                .backing(|kind| matches!(kind, Kind::Report { report, valid: true } if report.host_data() == value));
            if !backed.is_empty() && adds {
                self.warn_once(
                    "policy-unknown",
                    format!("{value}: a node runs with it, but no policy shows what it admits"),
                );
            }
        }
        let mistake =
            policies.iter().find_map(|(name, p)| explain_mismatch(&value, p).map(|m| format!("{m} ({name})")));
        let is_backed = self.settle(action, value, backed, mistake);
        if !adds {
            return;
        }
        self.security_policy(action, &value, &policies);
        if is_backed && let Some((name, policy)) = policies.iter().find(|(_, p)| deployment_host_data(p) == value) {
            self.policy_contents(name, policy);
        }
    }

    /// The policy that goes into the ledger with its host data.
    fn security_policy(&mut self, action: &Action, value: &HostData, policies: &[(String, Vec<u8>)]) {
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
                let right = policies.iter().find(|(_, p)| deployment_host_data(p) == *value);
                let known = right.and_then(|(_, policy)| explain_text(text.as_bytes(), policy));
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
            let dangerous = matches!(warning.name, "allow-all" | "not-utf8");
            if !self.warned.insert(format!("{name} {} {}", warning.name, if dangerous { "" } else { &warning.detail }))
            {
                continue;
            }
            if warning.name == "allow-all" {
                self.checks.fail(
                    "policy-allow-all",
                    format!("{name}: a rule admits everything, whatever runs: the attestation proves nothing"),
                );
            } else {
                let verdict = if dangerous { Verdict::Fail } else { Verdict::Warn };
                self.checks.push("policy-contents", verdict, format!("{name}: {}: {}", warning.name, warning.detail));
            }
        }
    }

    fn snp_measurement(&mut self, action: &Action, adds: bool) {
        let Some(value) = self.hex::<SnpMeasurement>(action, "measurement") else { return };
        let by_uvm = self.backing(|kind| matches!(kind, Kind::Uvm { uvm, valid: true } if uvm.measurement == value));
        let mut backed =
            self.backing(|kind| matches!(kind, Kind::Report { report, valid: true } if report.measurement() == value));
        if adds && !by_uvm.is_empty() {
            self.warn_once(
                "measurement-moot",
                format!(
                    "{value}: a node that shows its UVM endorsement is judged by that; this entry is then not looked at"
                ),
            );
        }
        backed.extend(by_uvm);
        let mut reversed = value.0;
        reversed.reverse();
        let is_reversed = self.evidence.iter().any(|e| match &e.kind {
            Kind::Uvm { uvm, .. } => uvm.measurement.0 == reversed,
            Kind::Report { report, .. } => report.measurement().0 == reversed,
            _ => false,
        });
        self.settle(action, value, backed, is_reversed.then(|| "its bytes stand in reverse order".into()));
    }

    fn snp_uvm(&mut self, action: &Action, adds: bool) {
        let (Some(did), Some(feed)) = (action.text("did"), action.text("feed")) else {
            return self.malformed(action, "", "it has no texts did and feed".into());
        };
        let known: Vec<&UvmEndorsement> = self
            .evidence
            .iter()
            .filter_map(|e| match &e.kind {
                Kind::Uvm { uvm, valid: true } => Some(&**uvm),
                _ => None,
            })
            .collect();
        if !adds {
            let backed = self
                .backing(|kind| matches!(kind, Kind::Uvm { uvm, valid: true } if uvm.did == did && uvm.feed == feed));
            self.settle(action, format!("{feed} of {did}"), backed, None);
            return;
        }
        let Some(svn) = self.svn(action) else { return };
        let order = self.ccf.map_or(SvnOrder::Integer, CcfVersion::svn_order);
        let backs = |uvm: &UvmEndorsement| uvm.did == did && uvm.feed == feed && order.compare(&svn, &uvm.svn).is_le();
        let mistake = known.iter().find_map(|uvm| {
            if uvm.did == did && uvm.feed != feed {
                Some(format!("wrong feed: the endorsement's is {}", uvm.feed))
            } else if uvm.feed == feed && uvm.did != did {
                Some(format!("wrong issuer: the endorsement's is {}", uvm.did))
            } else if uvm.did == did && !backs(uvm) {
                let how = if order == SvnOrder::Text { " (this version of CCF compares svn as text)" } else { "" };
                Some(format!("svn {svn} is above the endorsement's {}, so nodes with it could not join{how}", uvm.svn))
            } else {
                None
            }
        });
        let lower = known.iter().any(|uvm| backs(uvm)) && known.iter().all(|uvm| !backs(uvm) || uvm.svn != svn);
        let backed = self.backing(|kind| matches!(kind, Kind::Uvm { uvm, valid: true } if backs(uvm)));
        self.settle(action, format!("{feed} svn {svn} of {did}"), backed, mistake);
        if lower {
            self.checks.warn(
                "uvm-svn",
                format!("{feed}: svn {svn} is below the endorsement's: older images are admitted too"),
            );
        }
        self.uvm_contents(did, feed, &svn, order);
    }

    /// The svn, whose type depends on the version of CCF.
    fn svn(&mut self, action: &Action) -> Option<String> {
        let (svn, integer) = match action.arg("svn") {
            Some(Value::String(text)) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
                (text.clone(), false)
            }
            Some(Value::Number(number)) if number.is_u64() => (number.to_string(), true),
            _ => {
                self.malformed(action, "", "its svn is no decimal number".into());
                return None;
            }
        };
        let wants_integer = self.ccf.map(CcfVersion::svn_is_integer_in_action);
        match (integer, wants_integer) {
            (true, Some(true)) | (false, Some(false)) => {}
            (true, _) => self.checks.fail("svn-type", "svn is a number; from CCF 5 on the action wants text"),
            (false, Some(true)) => self.checks.fail("svn-type", "svn is text; CCF 4 wants a number"),
            (false, None) => {}
        }
        Some(svn)
    }

    fn uvm_contents(&mut self, did: &str, feed: &str, svn: &str, order: SvnOrder) {
        match KNOWN_ISSUERS.iter().find(|issuer| issuer.did == did) {
            Some(issuer) if issuer.feed != feed => self
                .checks
                .fail("uvm-feed", format!("this issuer's feed is {}, and the proposal says {feed}", issuer.feed)),
            Some(issuer) => {
                let first = issuer.first_svn.unwrap_or(0);
                if SvnOrder::Integer.compare(svn, &first.to_string()).is_lt() {
                    self.checks.warn(
                        "uvm-svn",
                        format!("{feed}: production releases begin at svn {first}, and this admits {svn}"),
                    );
                }
            }
            None => self.checks.warn("uvm-issuer", "the issuer is none of those that Microsoft is known to use"),
        }
        if order == SvnOrder::Text {
            self.checks.warn(
                "svn-order",
                format!("this version of CCF compares svn as text: with {svn} registered, an endorsement of another number of digits may be refused or admitted wrongly"),
            );
        }
    }

    fn minimum_tcb(&mut self, action: &Action) {
        let cpuid = match action.text("cpuid").map(str::parse::<Cpuid>) {
            Some(Ok(cpuid)) => cpuid,
            Some(Err(error)) => {
                return self.malformed(action, action.text("cpuid").unwrap_or_default(), error.to_string());
            }
            None => return self.malformed(action, "", "it has no text cpuid".into()),
        };
        let Some(product) = cpuid.product() else {
            return self.malformed(action, &cpuid.to_string(), "no processor that CCF knows has this cpuid".into());
        };
        let written = action.arg("tcb_version").cloned().unwrap_or(Value::Null);
        let version = written.as_str().and_then(TcbVersion::from_hex);
        let minimum = match (&written, version) {
            (Value::String(_), Some(version)) => MinimumTcb::of(version.components(product)),
            (Value::Object(_), _) => match MinimumTcb::from_json(&written) {
                Ok(minimum) => minimum,
                Err(error) => return self.malformed(action, &written.to_string(), error.to_string()),
            },
            _ => {
                return self.malformed(
                    action,
                    &written.to_string(),
                    "its tcb_version is neither 16 hexadecimal digits nor an object".into(),
                );
            }
        };
        let reports: Vec<(String, TcbVersion)> = self
            .evidence
            .iter()
            .filter_map(|e| match &e.kind {
                Kind::Report { report, valid: true } if report.product() == Some(product) => {
                    Some((e.name.clone(), report.reported_tcb()))
                }
                _ => None,
            })
            .collect();
        let mut locked_out = None;
        for (name, tcb) in &reports {
            let refusals = minimum.refusals(&tcb.components(product));
            if !refusals.is_empty() {
                let reversed = version.is_some_and(|v| v.reversed() == *tcb);
                let why = if reversed { "its bytes stand in reverse order".into() } else { refusals.join("; ") };
                locked_out = Some(format!("the node of {name} reports {tcb} and would be refused: {why}"));
            }
        }
        let backed =
            if locked_out.is_some() { Vec::new() } else { reports.into_iter().map(|(name, _)| name).collect() };
        self.settle(action, format!("{cpuid} ({product}) {written}"), backed, locked_out);
    }
}

fn deployment_host_data(policy: &[u8]) -> HostData {
    HostData(crate::digest::sha256(policy))
}

fn label(file: &str, found: &Found) -> String {
    found.name.as_ref().map_or_else(|| file.to_owned(), |group| format!("{file} ({group})"))
}

/// The action's name as a check's name.
fn action_name(name: &str) -> &'static str {
    const NAMES: [&str; 12] = [
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
    ];
    NAMES.iter().find(|n| **n == name).copied().unwrap_or("set_snp_minimum_tcb_version")
}

/// The policies of a file, if it holds any.
pub fn policies(file: &[u8]) -> Option<Vec<Found>> {
    deployment::find(file).ok()
}
