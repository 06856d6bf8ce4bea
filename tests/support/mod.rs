//! Helpers of several test modules.

pub mod server;
