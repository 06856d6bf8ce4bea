//! Whether a proposal registers exactly what artefacts are: every value, and what backs it.

mod code;
mod comparison;
mod host_data;
mod measurement;
mod read;
mod tcb;
mod uvm;

use std::collections::BTreeSet;

use serde::Serialize;

use self::comparison::Comparison;
pub use self::comparison::registers;
pub use self::read::{EvidenceError, read};
use crate::ccf_version::CcfVersion;
use crate::check::Checks;
use crate::digest::{HostData, SnpMeasurement};
use crate::evidence::policy::deployment::Found;
use crate::evidence::sgx::artefact::Artefact;
use crate::evidence::snp::launch::igvm::IgvmMeasurement;
use crate::evidence::snp::report::Report;
use crate::evidence::snp::uvm::UvmEndorsement;
use crate::host_data::Digests;
use crate::proposal::{Action, Proposal};

/// What an evidence file turned out to be.
#[derive(Clone, Debug)]
pub enum Kind {
    /// An executable or library: its digest is a virtual node's host data.
    Executable(HostData),
    /// An enclave, or a signature on one.
    Enclave(Box<Artefact>),
    /// Security policies.
    Policies(Vec<Policy>),
    /// A UVM endorsement whose signature was checked.
    Uvm {
        /// The endorsement.
        uvm: Box<UvmEndorsement>,
        /// Whether issuer and signature hold.
        valid: bool,
    },
    /// An IGVM file: a guest's memory and first state.
    Guest(IgvmMeasurement),
    /// What a guest is launched with: firmware, kernel, processors. Nothing in it can be unsound.
    Launch(SnpMeasurement),
    /// A report, believed only as far as its endorsements go.
    Report {
        /// The report.
        report: Box<Report>,
        /// Whether its signature was verified up to AMD's root.
        valid: bool,
        /// What is wrong with it, or missing.
        why: String,
    },
    /// Something that is no artefact, or that cannot be read: why it backs nothing.
    Unusable(String),
}

impl Kind {
    /// The security policies of a deployment.
    pub fn policies(found: Vec<Found>) -> Self {
        let policy = |found: Found| Policy { digests: Digests::of(&found.policy), found };
        Self::Policies(found.into_iter().map(policy).collect())
    }
}

/// A security policy, with its digests: a proposal may have very many values, and each is compared with every policy.
#[derive(Clone, Debug)]
pub struct Policy {
    found: Found,
    digests: Digests,
}

impl Policy {
    /// The host data of nodes started with it.
    pub fn host_data(&self) -> HostData {
        self.digests.host_data()
    }

    /// How a person would call it: its file, and its container group if it has a name.
    fn title(&self, file: &str) -> String {
        self.found.name.as_ref().map_or_else(|| file.to_owned(), |group| format!("{file} ({group})"))
    }
}

/// An evidence file.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Its name, for people.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// SHA-256 of the file as it stands, if it was computed: what people register by mistake.
    pub digest: Option<[u8; 32]>,
}

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
}

/// What verifying a proposal comes to.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Every rule with its verdict; [`Checks::verdict`] is the answer.
    pub checks: Checks,
    /// Every value that the proposal registers or removes, and what backs it.
    pub values: Vec<Registered>,
}

/// Compares every action of `proposal` with `evidence`.
///
/// It passes only if every value is backed, none is dangerous, and every other action is one that `terms` name.
pub fn verify(proposal: &Proposal, evidence: &[Evidence], terms: &Terms) -> Verified {
    let mut review = Comparison::new(evidence, terms.ccf);
    review.checks.known_version(terms.ccf);
    let judged = judge(evidence);
    let adds_code = proposal.actions().iter().any(|action| action.name == "add_node_code");
    // An enclave that its host may debug is one to deregister.
    review.checks.append(if adds_code { judged } else { judged.excusing("debug") });
    for action in proposal.actions() {
        review.compare(action);
    }
    review.riders(proposal, &terms.also);
    review.contradictions(proposal);
    review.surplus(proposal);
    review.deregisters(proposal);
    if review.values.is_empty() {
        review.checks.incomplete("values", "the proposal registers and removes no code, so there is nothing to back");
    }
    Verified { checks: review.checks, values: review.values }
}

/// Compares one action's values with `evidence`, which [`judge`] has been asked about.
pub fn compare(action: &Action, evidence: &[Evidence], ccf: Option<CcfVersion>) -> (Checks, Vec<Registered>) {
    let mut review = Comparison::new(evidence, ccf);
    review.compare(action);
    (review.checks, review.values)
}

/// What is wrong with the evidence itself, or to be known of it, whatever it is compared with.
pub fn judge(evidence: &[Evidence]) -> Checks {
    let mut review = Comparison::new(evidence, None);
    for item in evidence {
        review.judge(item);
    }
    review.checks
}

#[cfg(test)]
mod tests;
