//! Whether a proposal registers exactly what artefacts are: every value, and what backs it.

mod code;
mod comparison;
mod host_data;
mod measurement;
mod tcb;
mod uvm;

use std::collections::BTreeSet;

use serde::Serialize;

use self::comparison::Comparison;
pub use self::comparison::registers;
use crate::ccf_version::CcfVersion;
use crate::check::Checks;
use crate::evidence::recognise::Evidence;
use crate::proposal::{Action, Proposal};

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
