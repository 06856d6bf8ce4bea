//! What artefacts and attestations prove.

pub mod hash;
pub mod layers;
pub mod node;
pub mod policy;
pub mod recognise;
pub mod revocation;
pub mod sgx;
pub mod virt;

pub mod snp;
