//! SGX: enclaves measured from their files, and their quotes verified.
//!
//! - [`Artefact`]: what a file is. [`Enclave`]: MRENCLAVE of an Open Enclave ELF, by replaying its load, from its
//!   image (of its ELF file) and its properties, as the loader of its release does it.
//!   [`SigStruct`]: what its author signed. [`measure_sgxs`]: an enclave as a measured stream.
//! - [`verify`]: the whole verification of a node's [`Evidence`] with its [`collateral`], up to a pinned root
//!   ([`INTEL_ROOT`]).

mod artefact;
mod attestation;
mod bytes;
pub mod collateral;
mod elf;
mod enclave;
mod image;
mod loader;
mod measure;
mod platform;
mod properties;
mod quote;
mod sgxs;
mod sigstruct;
mod trust;

pub use artefact::{Artefact, ArtefactError, MAX_ARTEFACT};
pub use attestation::{Expected, Trust, verify};
pub use enclave::{Enclave, EnclaveError};
pub use quote::{Evidence, MAX_EVIDENCE, NODE_CLAIM, QuoteError, Report};
pub use sgxs::{SgxsError, measure_sgxs};
pub use sigstruct::{SIGSTRUCT_SIZE, SigStruct, SigStructError};
pub use trust::{Chain, ChainError, INTEL_ROOT};
