//! SGX: enclaves measured from their files, and their quotes verified.
//!
//! - [`artefact`]: what a file is. [`enclave`]: MRENCLAVE of an Open Enclave ELF, by replaying its load, from its
//!   image (of its ELF file) and its properties, as the `loader` of its release does it, with [`measure`].
//!   [`sigstruct`]: what its author signed. [`sgxs`]: an enclave as a measured stream.
//! - [`attestation`]: the whole verification of a node's [`quote`] with its [`collateral`], up to a pinned root
//!   ([`trust`]).

pub mod artefact;
pub mod attestation;
pub mod bytes;
pub mod collateral;
mod elf;
pub mod enclave;
mod image;
mod loader;
pub mod measure;
mod platform;
mod properties;
pub mod quote;
pub mod sgxs;
pub mod sigstruct;
pub mod trust;
