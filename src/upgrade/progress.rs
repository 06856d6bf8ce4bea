//! How far the phases of an upgrade are.

use std::fmt;

use serde::Serialize;

use super::Phase;

/// A phase, and how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Progress {
    /// The phase.
    pub name: Phase,
    /// How far it is.
    pub state: State,
}

/// How far a phase is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// What it is for is so.
    Done,
    /// It is under way.
    Current,
    /// It comes later.
    Ahead,
}

impl Progress {
    /// Every phase, when this one is under way.
    pub fn of(current: Phase) -> Vec<Self> {
        let state = |phase: Phase| match phase.cmp(&current) {
            std::cmp::Ordering::Less => State::Done,
            std::cmp::Ordering::Equal => State::Current,
            std::cmp::Ordering::Greater => State::Ahead,
        };
        Phase::ALL.into_iter().map(|name| Self { name, state: state(name) }).collect()
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Done => "done",
            Self::Current => "under way",
            Self::Ahead => "ahead",
        })
    }
}
