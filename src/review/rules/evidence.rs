//! What evidence says of a proposal: whether it registers exactly what artefacts are.

use std::collections::BTreeSet;

use serde::Serialize;
use time::OffsetDateTime;

use super::{Subject, code, host_data, measurement, tcb, uvm};
use crate::ccf_version::CcfVersion;
use crate::check::{Checks, Conclusion, Verdict};
use crate::digest::{HexError, sha256};
use crate::evidence::recognise::{Evidence, EvidenceKind};
use crate::proposal::catalogue::Catalogue;
use crate::proposal::{Action, Proposal, Registration};
use crate::review::against_registered;
use crate::service::JoinPolicy;

/// A value that the proposal registers or removes.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Registered {
    /// The action.
    pub action: String,
    /// The value, as written.
    pub value: String,
    /// The evidence that backs it.
    pub backed_by: Vec<String>,
}

/// On which terms a proposal is verified.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The version of CCF that the service runs, where it is known.
    pub ccf: Option<CcfVersion>,
    /// The names of actions that may stand in the proposal although no evidence can back them. A registration is never
    /// one of them: see [`registers`].
    pub also: BTreeSet<String>,
    /// The actions that are known.
    pub catalogue: Catalogue,
}

/// What verifying a proposal comes to.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Every rule with its verdict; [`Checks::verdict`] is the answer.
    pub checks: Checks,
    /// Every value that the proposal registers or removes, and what backs it.
    pub values: Vec<Registered>,
}

impl Verified {
    /// Whether the answer is yes: what could not be checked is none.
    pub fn passes(&self) -> bool {
        self.checks.verdict() == Conclusion::Pass
    }
}

/// Compares every action of `proposal` with `evidence`, and holds what it registers against the rules.
///
/// It passes only if every value is backed, none is dangerous, and every other action is one that `terms` name. What it would
/// lower or leave empty of the join `policy` is reported, if that is known.
pub fn verify(proposal: &Proposal, evidence: &[Evidence], terms: &Terms, policy: Option<&JoinPolicy>) -> Verified {
    let mut checks = Checks::new();
    checks.known_version(terms.ccf);
    let judged = judge(evidence);
    let adds_code = proposal.actions().iter().any(|action| action.name == "add_node_code");
    // An enclave that its host may debug is one to deregister.
    checks.append(if adds_code { judged } else { judged.excusing("debug") });
    let subject = subject(proposal, evidence, terms);
    let values = subject.values(&mut checks);
    checks.append(subject.checks());
    if values.is_empty() {
        checks.incomplete("values", "the proposal registers and removes no code, so there is nothing to back");
    }
    if let Some(policy) = policy {
        checks.append(against_registered(proposal, policy, terms.ccf));
    }
    Verified { checks, values }
}

/// Compares the values that one action would register with `evidence`, which [`judge`] has been asked about.
pub fn compare(action: &Action, evidence: &[Evidence], ccf: Option<CcfVersion>) -> (Checks, Vec<Registered>) {
    let proposal = Proposal::of(vec![action.clone()]);
    let terms = Terms { ccf, ..Terms::default() };
    let mut checks = Checks::new();
    let mut subject = subject(&proposal, evidence, &terms);
    let values = subject.values(&mut checks);
    subject.title = values.first().map(|registered| shorten(&registered.value));
    checks.append(subject.checks());
    (checks, values)
}

fn subject<'a>(proposal: &'a Proposal, evidence: &'a [Evidence], terms: &'a Terms) -> Subject<'a> {
    Subject {
        evidence: Some(evidence),
        also: Some(&terms.also),
        // Only rules that need no evidence look at the time.
        ..Subject::new(proposal, &terms.catalogue, terms.ccf, OffsetDateTime::UNIX_EPOCH)
    }
}

/// What is wrong with the evidence itself, or to be known of it, whatever it is compared with.
pub fn judge(evidence: &[Evidence]) -> Checks {
    let mut checks = Checks::new();
    for item in evidence {
        judge_one(item, &mut checks);
    }
    checks
}

fn judge_one(item: &Evidence, checks: &mut Checks) {
    let name = &item.name;
    match &item.kind {
        EvidenceKind::Enclave(artefact) => {
            for check in artefact.checks.iter().filter(|c| c.verdict != Verdict::Pass) {
                checks.push(check.name, check.verdict, format!("{name}: {}", check.detail));
            }
        }
        EvidenceKind::Uvm { valid: false, .. } => {
            checks.fail("uvm-signature", format!("{name}: issuer or signature do not hold"));
        }
        EvidenceKind::Uvm { uvm, valid: true } => {
            let mut contents = Checks::new();
            uvm.check_contents(&mut contents);
            for check in contents.iter().filter(|c| c.verdict != Verdict::Pass) {
                // Anybody can make an issuer of his own, and have it endorse what he likes.
                let unknown = check.name == "uvm-known-issuer" && check.verdict == Verdict::Warn;
                let verdict = if unknown { Verdict::Incomplete } else { check.verdict };
                checks.push(check.name, verdict, format!("{name}: {}", check.detail));
            }
        }
        EvidenceKind::Report { valid: false, why, .. } => {
            checks.incomplete("report-signature", format!("{name}: it backs nothing: {why}"));
        }
        EvidenceKind::Policies(policies) => {
            for policy in policies {
                if let Some(remark) = &policy.found.remark {
                    checks.warn("policy-source", format!("{}: {remark}", policy.title(name)));
                }
            }
        }
        EvidenceKind::Unusable(why) => checks.warn("evidence", format!("{name}: it backs nothing: {why}")),
        EvidenceKind::Guest(guest) if !guest.is_sound() => {
            let detail = format!("{name}: its host may debug it, or its ID block states another measurement");
            checks.fail("guest", detail);
        }
        _ => {}
    }
}

/// What evidence says of one value.
pub(super) struct Proof {
    value: String,
    backed_by: Vec<String>,
    /// Why nothing backs it, if more is known than that.
    otherwise: Option<String>,
    /// What else the evidence shows.
    pub further: Checks,
}

impl Proof {
    pub(super) fn new(value: impl ToString, backed_by: Vec<String>, otherwise: Option<String>) -> Self {
        Self { value: value.to_string(), backed_by, otherwise, further: Checks::new() }
    }

    pub(super) fn malformed(value: &str, why: impl std::fmt::Display) -> Self {
        Self::new(value, Vec::new(), Some(format!("malformed: {why}")))
    }
}

impl Subject<'_> {
    /// Every value that evidence can back; whether it does goes to `checks`, by the action's name.
    fn values(&self, checks: &mut Checks) -> Vec<Registered> {
        let mut values = Vec::new();
        for action in self.proposal.actions() {
            let Some(Proof { value, backed_by, otherwise, further }) = self.proof(action) else { continue };
            let (name, short) = (action_name(&action.name), shorten(&value));
            if backed_by.is_empty() {
                let why = otherwise.unwrap_or_else(|| "no evidence backs it".into());
                // What is malformed may have no value that could be shown.
                let detail = if short.is_empty() { why } else { format!("{short}: {why}") };
                checks.fail(name, detail);
            } else {
                checks.pass(name, format!("{short} is backed by {}", backed_by.join(", ")));
            }
            checks.append(further);
            values.push(Registered { action: action.name.clone(), value, backed_by });
        }
        values
    }

    fn proof(&self, action: &Action) -> Option<Proof> {
        let evidence = self.given();
        if EXECUTOR.contains(&action.name.as_str()) {
            let code = action.text("executor_code_id").unwrap_or_default();
            return Some(Proof::new(
                code,
                Vec::new(),
                Some("what an executor's code is cannot be computed here".into()),
            ));
        }
        let kind = Registration::of(&action.name)?;
        let removes = action.name == kind.remove();
        Some(match kind {
            Registration::SgxCode => code::enclave(action, evidence),
            Registration::SnpHostData => host_data::proof(action, evidence),
            Registration::SnpMeasurement => measurement::proof(action, evidence),
            Registration::SnpUvmEndorsement => uvm::proof(action, evidence, self.version),
            Registration::SnpMinimumTcb if removes => tcb::removal(action, evidence),
            Registration::SnpMinimumTcb => tcb::proof(action, evidence),
            Registration::VirtualHostData => code::program(action, evidence),
            Registration::VirtualMeasurement => code::virtual_measurement(action),
            Registration::JoinPolicyScript if removes => return None,
            Registration::JoinPolicyScript => join_policy(action, evidence),
        })
    }
}

/// A script admits whom it likes: only the very same script among the evidence backs it.
fn join_policy(action: &Action, evidence: &[Evidence]) -> Proof {
    let Some(script) = action.text("policy") else { return Proof::malformed("", "it has no text policy") };
    let digest = sha256(script.as_bytes());
    let backed = evidence.iter().filter(|e| e.digest == Some(digest)).map(|e| e.name.clone()).collect();
    let why = "it lets a script decide who joins, and no file among the evidence is that script";
    Proof::new(format!("a script of {} bytes", script.len()), backed, Some(why.into()))
}

/// A hexadecimal argument.
///
/// # Errors
/// What is wrong with its form.
pub(super) fn hex<T: std::str::FromStr<Err = HexError>>(action: &Action, argument: &str) -> Result<T, Proof> {
    let Some(text) = action.text(argument) else {
        return Err(Proof::malformed("", format!("it has no text {argument}")));
    };
    text.parse::<T>().map_err(|error| match text.starts_with("0x") || text.starts_with("0X") {
        true => Proof::malformed(text, "it begins with 0x, and CCF compares texts: it would never match"),
        false => Proof::malformed(text, error),
    })
}

/// The file of which a value is the plain SHA-256, where that is not what the value should be.
pub(super) fn hash_of_file(evidence: &[Evidence], digest: &[u8; 32]) -> Option<String> {
    let file = evidence.iter().find(|e| e.digest.as_ref() == Some(digest))?;
    Some(format!("it is the SHA-256 of the file {} as it stands", file.name))
}

/// The files whose contents are such.
pub(super) fn names(evidence: &[Evidence], mut is: impl FnMut(&EvidenceKind) -> bool) -> Vec<String> {
    evidence.iter().filter(|e| is(&e.kind)).map(|e| e.name.clone()).collect()
}

fn shorten(value: &str) -> String {
    value.chars().take(300).collect()
}

/// Code of executors, which CCF had for a while: no node runs it, so it is no [`Registration`].
const EXECUTOR: [&str; 2] = ["add_executor_node_code", "remove_executor_node_code"];

/// Whether an action of this name registers or removes a value that only evidence can back.
pub fn registers(action: &str) -> bool {
    registering().any(|name| name == action)
}

/// The action's name as a check's name.
fn action_name(name: &str) -> &'static str {
    registering().find(|known| *known == name).unwrap_or("other-action")
}

/// The actions whose values evidence can back: all of the registrations, but for the removal of a script, which has no value.
fn registering() -> impl Iterator<Item = &'static str> {
    let of = |kind: Registration| kind.adds().iter().copied().chain([kind.remove()]);
    let without_value = Registration::JoinPolicyScript.remove();
    Registration::ALL.into_iter().flat_map(of).filter(move |name| *name != without_value).chain(EXECUTOR)
}

#[cfg(test)]
mod tests;
