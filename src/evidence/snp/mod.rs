//! SEV-SNP: reports, their endorsements, and the values that a consortium registers.

mod admission;
mod attestation;
mod context;
pub mod did_x509;
mod endorsements;
pub mod launch;
mod report;
mod roots;
pub mod uvm;
mod vcek;

pub use admission::Admission;
pub use attestation::{Evidence, Expected, Values, verify};
pub use context::{AMD_FILE, ContextError, HASH_ENVELOPE_FILE, POLICY_FILE, SecurityContext, UVM_FILE};
pub use endorsements::{Endorsements, EndorsementsError, MAX_ENDORSEMENTS};
pub use report::{GuestPolicy, REPORT_LENGTH, Report, ReportError, ReportSignatureError};
pub use roots::{Root, Roots, RootsError};
pub use vcek::Vcek;

#[cfg(test)]
#[path = "../../../tests/support/snp_lab.rs"]
pub(crate) mod testing;
