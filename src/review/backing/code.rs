//! Code of SGX and virtual nodes: an MRENCLAVE, or the digest of a program.

use super::comparison::Comparison;
use crate::digest::{HostData, MrEnclave};
use crate::evidence::recognise::EvidenceKind;
use crate::evidence::virt;
use crate::proposal::Action;

impl Comparison<'_> {
    pub(super) fn node_code(&mut self, action: &Action) {
        let Some(code) = self.hex::<MrEnclave>(action, "code_id") else { return };
        let backed = self.backing(|kind| matches!(kind, EvidenceKind::Enclave(a) if a.mrenclave == code));
        let mut reversed = code.0;
        reversed.reverse();
        let mistake = self.evidence.iter().find_map(|e| match &e.kind {
            EvidenceKind::Enclave(a) if a.mrenclave.0 == reversed => Some("its bytes stand in reverse order"),
            EvidenceKind::Enclave(a) if a.sigstruct.as_ref().is_some_and(|s| s.mrsigner.0 == code.0) => {
                Some("it is the signer (MRSIGNER), not the enclave (MRENCLAVE)")
            }
            EvidenceKind::Enclave(a) if a.sigstruct.as_ref().is_some_and(|s| s.mrenclave == code) => {
                Some("it is what the signature says, and the enclave's code is another")
            }
            _ => None,
        });
        let hashed = || self.hash_of_file(&code.0).map(|said| format!("{said}, and no MRENCLAVE"));
        let mistake = mistake.map(str::to_owned).or_else(hashed);
        self.settle(action, code, backed, mistake);
    }

    pub(super) fn virtual_host_data(&mut self, action: &Action) {
        let Some(value) = self.hex::<HostData>(action, "host_data") else { return };
        let backed = self.backing(|kind| matches!(kind, EvidenceKind::Executable(digest) if *digest == value));
        let mut reversed = value.0;
        reversed.reverse();
        let is_reversed =
            |kind: &EvidenceKind| matches!(kind, EvidenceKind::Executable(digest) if digest.0 == reversed);
        let mistake = if self.evidence.iter().any(|e| is_reversed(&e.kind)) {
            Some("its bytes stand in reverse order".into())
        } else {
            self.hash_of_file(&value.0).map(|said| format!("{said}, and that is no program"))
        };
        self.settle(action, value, backed, mistake);
    }

    pub(super) fn virtual_measurement(&mut self, action: &Action) {
        let value = action.text("measurement").unwrap_or_default().to_owned();
        let why = format!("every virtual node's measurement is {:?}", virt::MEASUREMENT);
        let backed =
            if value == virt::MEASUREMENT { vec!["the virtual platform's constant".to_owned()] } else { Vec::new() };
        self.settle(action, value, backed, Some(why));
    }
}
