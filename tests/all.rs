//! The one test binary: every integration test is a module of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, missing_docs)]

mod architecture;
mod bad_input;
mod check_names;
mod cmd;
mod commands;
mod completion;
mod configuration;
mod corpus;
mod engines;
mod evidence_sgx;
mod fidelity;
mod interop;
mod real_ccf;
mod sandbox;
mod secrets;
mod service;
mod signers;
mod support;
mod terminal;
mod upgrade;
