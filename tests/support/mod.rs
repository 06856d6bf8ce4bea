//! Helpers of several test modules.

pub mod consortium;
pub mod server;
pub mod softhsm;
