//! What members say: actions, proposals, and ballots on them.
//!
//! - [`Proposal`]: a list of [`Action`]s, read strictly, kept byte for byte.
//! - [`catalogue`]: every action that CCF's constitutions know, with its parameters.

pub mod catalogue;
mod document;

pub use document::{Action, MAX_PROPOSAL, Proposal, ProposalError};
