//! Exit codes: documented in docs/exit-codes.md, and constant.
//!
//! An error's follows from its kind ([`super::error`]), that of checks from their verdict ([`super::checks::exit`]).

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or "yes".
    Done = 0,
    /// It failed.
    Failed = 1,
    /// The command line, or a file named on it, asks for what cannot be.
    Usage = 2,
    /// Checked, and the answer is no.
    No = 3,
    /// The service refused.
    Refused = 4,
    /// The service cannot be reached.
    Unreachable = 5,
    /// Waiting for somebody else.
    Waiting = 6,
    /// The person who was asked said no.
    Declined = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}
