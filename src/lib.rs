//! Govern and upgrade a service on Microsoft's Confidential Consortium Framework (CCF).
//!
//! A proposal's way through this library is one straight walk:
//! intent → proposal → envelope; evidence, rules and simulation beside it → service → outcome.
//! The modules are the stations of that walk, and each imports only those before it:
//!
//! - [`proposal`]: what members say: actions, templates, ballots.
//! - [`cose`]: how it is signed.
//! - [`signer`]: who signs.
//! - [`service`]: the wire.
//! - [`evidence`]: what artefacts and attestations prove.
//! - [`kv`]: the governance tables.
//! - [`constitution`]: the rules, run locally.
//! - [`review`]: what is judged before something is signed.
//! - [`sandbox`]: a whole service in this process.
//! - [`upgrade`]: the walk of a code upgrade.
//!
//! The vocabulary they share stands before them: [`id`], [`digest`], [`json`], [`text`], [`files`], [`ccf_version`], [`platform`],
//! [`check`], [`curve`], [`certificate`], [`processor`], [`host_data`] and [`tcb`].

#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(not(test), warn(unreachable_pub))]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

#[cfg(test)]
#[path = "../tests/support/skip.rs"]
mod skip;

mod cbor;
pub mod ccf_version;
pub mod certificate;
pub mod check;
pub mod curve;
mod der;
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

pub mod cose;

pub mod signer;

pub mod service;

pub mod evidence;

pub mod kv;

pub mod constitution;

pub mod review;

pub mod sandbox;

pub mod upgrade;
