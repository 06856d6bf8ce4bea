//! SEV-SNP: reports, their endorsements, and the values that a consortium registers.

pub mod admission;
pub mod attestation;
pub mod context;
pub mod did_x509;
pub mod endorsements;
pub mod launch;
pub mod report;
pub mod roots;
pub mod uvm;
pub mod vcek;

#[cfg(test)]
#[path = "../../../tests/support/snp_lab.rs"]
pub(crate) mod testing;
