//! What artefacts and attestations prove.

pub mod certificate;
pub mod check;

pub mod snp;
