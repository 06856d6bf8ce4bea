//! Code of SGX and virtual nodes: an MRENCLAVE, or the digest of a program.

use super::evidence::{Proof, hash_of_file, hex, names};
use crate::digest::{HostData, MrEnclave};
use crate::evidence::recognise::{Evidence, EvidenceKind};
use crate::evidence::virt;
use crate::proposal::Action;

/// An enclave's code.
pub(super) fn enclave(action: &Action, evidence: &[Evidence]) -> Proof {
    let code = match hex::<MrEnclave>(action, "code_id") {
        Ok(code) => code,
        Err(malformed) => return malformed,
    };
    let backed = names(evidence, |kind| matches!(kind, EvidenceKind::Enclave(a) if a.mrenclave == code));
    let mut reversed = code.0;
    reversed.reverse();
    let mistake = evidence.iter().find_map(|e| match &e.kind {
        EvidenceKind::Enclave(a) if a.mrenclave.0 == reversed => Some("its bytes are in reverse order"),
        EvidenceKind::Enclave(a) if a.sigstruct.as_ref().is_some_and(|s| s.mrsigner.0 == code.0) => {
            Some("it is the signer (MRSIGNER), not the enclave (MRENCLAVE)")
        }
        EvidenceKind::Enclave(a) if a.sigstruct.as_ref().is_some_and(|s| s.mrenclave == code) => {
            Some("it is what the signature says, and the enclave's code is another")
        }
        _ => None,
    });
    let hashed = || hash_of_file(evidence, &code.0).map(|said| format!("{said}, and no MRENCLAVE"));
    Proof::new(code, backed, mistake.map(str::to_owned).or_else(hashed))
}

/// The program of a virtual node.
pub(super) fn program(action: &Action, evidence: &[Evidence]) -> Proof {
    let value = match hex::<HostData>(action, "host_data") {
        Ok(value) => value,
        Err(malformed) => return malformed,
    };
    let is =
        |kind: &EvidenceKind, value: [u8; 32]| matches!(kind, EvidenceKind::Executable(digest) if digest.0 == value);
    let mut reversed = value.0;
    reversed.reverse();
    let mistake = if evidence.iter().any(|e| is(&e.kind, reversed)) {
        Some("its bytes are in reverse order".into())
    } else {
        hash_of_file(evidence, &value.0).map(|said| format!("{said}, and that is not a program"))
    };
    Proof::new(value, names(evidence, |kind| is(kind, value.0)), mistake)
}

/// The measurement that every virtual node has.
pub(super) fn virtual_measurement(action: &Action) -> Proof {
    let value = action.text("measurement").unwrap_or_default();
    let why = format!("every virtual node's measurement is {:?}", virt::MEASUREMENT);
    let is_constant = value == virt::MEASUREMENT;
    let backed = is_constant.then(|| "the virtual platform's constant".to_owned());
    Proof::new(value, backed.into_iter().collect(), Some(why))
}
