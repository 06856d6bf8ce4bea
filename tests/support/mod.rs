//! Helpers of several test modules.

pub mod browser;
pub mod consortium;
pub mod faulty_token;
pub mod server;
pub mod signing;
pub mod skip;
pub mod snp_lab;
pub mod softhsm;
