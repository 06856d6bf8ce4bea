//! Whose roots attestations are judged by.

use time::OffsetDateTime;

use crate::check::{Checks, REHEARSAL};
use crate::evidence::sgx;
use crate::evidence::snp::Roots;

/// Whose roots count, and when.
#[derive(Clone, Debug)]
pub struct Trust {
    /// AMD's.
    pub amd: Roots,
    /// Intel's, and the moment for which everything is judged.
    pub intel: sgx::Trust,
}

impl Trust {
    /// The pinned roots of AMD and Intel, at this moment.
    pub fn pinned(at: OffsetDateTime) -> Self {
        Self { amd: Roots::amd(), intel: sgx::Trust::intel(at) }
    }

    /// The made-up roots of a rehearsal instead of AMD's, and none instead of Intel's: no SGX quote passes.
    pub fn rehearsal(roots: Roots, at: OffsetDateTime) -> Self {
        Self { amd: roots, intel: sgx::Trust { root: [0; 32], at } }
    }

    /// The checks that what is judged by these roots begins with: none, or in a rehearsal one that says so.
    pub fn preface(&self) -> Checks {
        let mut checks = Checks::new();
        if self.amd.is_rehearsal() {
            checks.warn(
                REHEARSAL,
                "judged by made-up roots, not by AMD's and Intel's: this proves nothing about any hardware",
            );
        }
        checks
    }
}
