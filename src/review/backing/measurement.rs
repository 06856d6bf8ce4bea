//! Launch measurements of SNP nodes.

use super::comparison::Comparison;
use crate::digest::SnpMeasurement;
use crate::evidence::recognise::EvidenceKind;
use crate::proposal::Action;

impl Comparison<'_> {
    pub(super) fn snp_measurement(&mut self, action: &Action, adds: bool) {
        let Some(value) = self.hex::<SnpMeasurement>(action, "measurement") else { return };
        let by_uvm =
            self.backing(|kind| matches!(kind, EvidenceKind::Uvm { uvm, valid: true } if uvm.measurement == value));
        let mut backed = self.backing(
            |kind| matches!(kind, EvidenceKind::Report { report, valid: true, .. } if report.measurement() == value),
        );
        backed.extend(self.backing(|kind| match kind {
            EvidenceKind::Guest(guest) => guest.is_sound() && guest.measurement == value,
            EvidenceKind::Launch(measurement) => *measurement == value,
            _ => false,
        }));
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
        let is_reversed = reversed != value.0
            && self.evidence.iter().any(|e| match &e.kind {
                EvidenceKind::Uvm { uvm, .. } => uvm.measurement.0 == reversed,
                EvidenceKind::Report { report, .. } => report.measurement().0 == reversed,
                EvidenceKind::Guest(guest) => guest.measurement.0 == reversed,
                EvidenceKind::Launch(measurement) => measurement.0 == reversed,
                _ => false,
            });
        let unproved = self.evidence.iter().find(|e| match &e.kind {
            EvidenceKind::Uvm { uvm, valid: false } => uvm.measurement == value,
            EvidenceKind::Report { report, valid: false, .. } => report.measurement() == value,
            EvidenceKind::Guest(guest) => !guest.is_sound() && guest.measurement == value,
            _ => false,
        });
        let mistake = if is_reversed {
            Some("its bytes stand in reverse order".into())
        } else {
            unproved.map(|e| format!("only {} says so, which did not pass its own checks", e.name))
        };
        self.settle(action, value, backed, mistake);
    }
}
