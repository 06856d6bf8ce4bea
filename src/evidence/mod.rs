//! What artefacts and attestations prove.

pub mod hash;
pub mod layers;
pub mod node;
pub mod policy;
pub mod recognise;
mod revocation;
pub mod sgx;
pub mod virt;

pub mod snp;

pub use revocation::{RevocationError, RevocationList};
