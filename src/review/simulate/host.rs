//! What `apply` asks of a service, where there is none.

use std::cell::Cell;

use super::simulation::Uncertain;
use crate::constitution::Host;
use crate::proposal::time::{self, TimeError};
use crate::text::clip;

/// What stands in the place of a node's certificate signing request, which no API tells.
pub const PLACEHOLDER_CSR: &str = "(the certificate signing request of this node, which the API does not tell)";

/// Whether a text stands in the place of a signing request.
pub fn placeholder_csr(text: &str) -> bool {
    text == PLACEHOLDER_CSR
}

/// Answers with what the service would sign, in words.
#[derive(Debug, Default)]
pub(super) struct SimulatedHost {
    asked_for_secret: Cell<bool>,
}

impl SimulatedHost {
    pub(super) fn uncertain(&self) -> Option<Uncertain> {
        let why = "a script asked from which transaction the newest ledger secret holds, which is not known";
        self.asked_for_secret.get().then(|| Uncertain::new("ledger secret", why))
    }
}

/// A node throws where it cannot read the moment.
fn readable(valid_from: &str) -> Result<(), String> {
    match time::read(valid_from) {
        Err(TimeError::Form(_)) => Err(format!("{:?} is not a time that a node reads", clip(valid_from, 80))),
        Err(TimeError::NoOffset(_) | TimeError::OutOfRange(_)) | Ok(_) => Ok(()),
    }
}

impl Host for SimulatedHost {
    fn endorse(&self, csr_pem: &str, valid_from: &str, validity_days: u64) -> Result<String, String> {
        readable(valid_from)?;
        let whose = if placeholder_csr(csr_pem) { "" } else { ", for a key that the proposal names" };
        Ok(format!(
            "(a certificate that the service would sign{whose}: valid from {valid_from} for {validity_days} days)"
        ))
    }

    fn network_certificate(&self, valid_from: &str, validity_days: u64) -> Result<String, String> {
        readable(valid_from)?;
        Ok(format!("(the service's certificate, renewed: valid from {valid_from} for {validity_days} days)"))
    }

    fn latest_ledger_secret_seqno(&self) -> u64 {
        self.asked_for_secret.set(true);
        1
    }
}
