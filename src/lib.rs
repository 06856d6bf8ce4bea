//! Govern and upgrade a service on Microsoft's Confidential Consortium Framework (CCF).
//!
//! A proposal's way through this library is one straight walk:
//! intent → proposal → evidence → simulation → envelope → service → outcome.
//! The modules are the stations of that walk, and each knows only those before it:
//!
//! - [`proposal`]: what members say: actions, templates, lint, ballots.
//! - [`evidence`]: what artefacts and attestations prove.
//! - [`constitution`]: the rules, run locally.
//! - [`cose`]: how it is signed.
//! - [`signer`]: who signs.
//! - [`service`]: the wire.
//! - [`upgrade`]: the walk of a code upgrade.
//! - [`review`]: what is judged before something is signed.
//! - [`sandbox`]: a whole service in this process.
//!
//! The vocabulary they share lies beside them: [`id`], [`digest`], [`json`], [`text`], [`files`] and [`ccf_version`].

#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

#[cfg(test)]
#[path = "../tests/support/skip.rs"]
mod skip;

mod cbor;
pub mod ccf_version;
pub mod certificate;
pub mod check;
pub mod digest;
pub mod files;
pub mod host_data;
pub mod id;
pub mod json;
pub mod platform;
pub mod processor;
pub mod tcb;
pub mod text;

pub mod proposal;

pub mod evidence;

pub mod constitution;

pub mod cose;

pub mod signer;

pub mod service;

pub mod upgrade;

pub mod review;

pub mod sandbox;
