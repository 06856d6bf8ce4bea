//! Launch measurements of SNP nodes.

use super::evidence::{Proof, hex, names};
use super::{Finding, Subject};
use crate::check::Verdict::Warn;
use crate::digest::SnpMeasurement;
use crate::evidence::recognise::{Evidence, EvidenceKind};
use crate::proposal::Action;

/// Measurements beside UVM endorsements.
pub(super) fn measurement(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let endorsed = subject.named(&["add_snp_uvm_endorsement"]).next().is_some();
    subject.each(&["add_snp_measurement"], |action, found| {
        let value = action.text("measurement").and_then(|text| text.parse::<SnpMeasurement>().ok());
        let by_uvm = |kind: &EvidenceKind| matches!(kind, EvidenceKind::Uvm { uvm, valid: true } if Some(uvm.measurement) == value);
        let who = if endorsed {
            "the proposal admits those"
        } else if subject.given().iter().any(|e| by_uvm(&e.kind)) {
            "one endorses this measurement"
        } else {
            return;
        };
        found(Warn, format!("not consulted for nodes that present a UVM endorsement, and {who}"));
    })
}

/// What evidence says of a measurement.
pub(super) fn proof(action: &Action, evidence: &[Evidence]) -> Proof {
    let value = match hex::<SnpMeasurement>(action, "measurement") {
        Ok(value) => value,
        Err(malformed) => return malformed,
    };
    let backed = names(evidence, |kind| matches!(stated(kind), Some((measurement, true)) if measurement == value));
    let mut reversed = value.0;
    reversed.reverse();
    let states = |e: &&Evidence, bytes| stated(&e.kind).is_some_and(|(measurement, _)| measurement.0 == bytes);
    let mistake = if reversed != value.0 && evidence.iter().any(|e| states(&e, reversed)) {
        Some("its bytes are in reverse order".into())
    } else {
        let only = evidence.iter().find(|e| states(e, value.0));
        only.map(|e| format!("only {} says so, which did not pass its own checks", e.name))
    };
    Proof::new(value, backed, mistake)
}

/// The measurement that an artefact states, and whether it is to be believed.
fn stated(kind: &EvidenceKind) -> Option<(SnpMeasurement, bool)> {
    match kind {
        EvidenceKind::Uvm { uvm, valid } => Some((uvm.measurement, *valid)),
        EvidenceKind::Report { report, valid, .. } => Some((report.measurement(), *valid)),
        EvidenceKind::Guest(guest) => Some((guest.measurement, guest.is_sound())),
        EvidenceKind::Launch(measurement) => Some((*measurement, true)),
        _ => None,
    }
}
