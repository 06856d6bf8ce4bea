//! SGX: enclaves measured from their files, and their quotes verified.
//!
//! - [`enclave`]: MRENCLAVE of an Open Enclave ELF, by replaying its load ([`image`], [`properties`], [`measure`]).
//! - [`sigstruct`]: what the enclave's author signed. [`sgxs`]: an enclave as a measured stream.

pub mod artefact;
pub mod bytes;
pub mod enclave;
mod image;
pub mod measure;
pub mod properties;
pub mod sgxs;
pub mod sigstruct;
