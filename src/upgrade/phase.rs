//! The phases of an upgrade, in their order.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The phases of an upgrade, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The join policy admits the new code.
    Register,
    /// New nodes join, and are trusted.
    JoinAndTrust,
    /// Old nodes are removed from the network, the primary last.
    Retire,
    /// Their processes end, and the service forgets them.
    Delete,
    /// Constitution and application are as wanted.
    Rules,
    /// The join policy admits nothing but the new code.
    Deregister,
    /// What was wanted is so.
    Done,
}

impl Phase {
    /// Every phase in which something is done.
    pub const ALL: [Self; 6] =
        [Self::Register, Self::JoinAndTrust, Self::Retire, Self::Delete, Self::Rules, Self::Deregister];

    /// The name as a person types it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::JoinAndTrust => "join-and-trust",
            Self::Retire => "retire",
            Self::Delete => "delete",
            Self::Rules => "rules",
            Self::Deregister => "deregister",
            Self::Done => "done",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Register => "register",
            Self::JoinAndTrust => "join and trust",
            Self::Retire => "retire",
            Self::Delete => "delete",
            Self::Rules => "rules and application",
            Self::Deregister => "deregister",
            Self::Done => "done",
        })
    }
}
