//! Faults that are rehearsed, and when.

use std::fmt;
use std::str::FromStr;

use crate::text::clip;
use crate::upgrade::Phase;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The process of the primary ends.
    PrimaryDies,
    /// The process of another node ends.
    NodeDies,
    /// The primary is cut off until the others have elected another one.
    Election,
    /// Nodes that are trusted take three seconds to catch up.
    SlowJoin,
    /// An open proposal of the plan is dropped.
    DroppedProposal,
    /// A member takes no step any more: the last one, and of several such faults the one before, and so on.
    MemberAbsent,
}

/// A fault, and the phase at whose beginning it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// When.
    pub phase: Phase,
}

/// Why a text names no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// There is no such fault.
    #[error("there is no fault {name:?}; there are {}", names(&FaultKind::ALL.map(FaultKind::name)))]
    Name {
        /// What was given.
        name: String,
    },
    /// There is no such phase.
    #[error("there is no phase {phase:?}; there are {}", names(&Phase::ALL.map(Phase::name)))]
    Phase {
        /// What was given.
        phase: String,
    },
    /// Nothing can go wrong so in that phase.
    #[error("{name} has no effect in the phase {phase}; it has in {}", names(phases))]
    Vain {
        /// The fault.
        name: &'static str,
        /// The phase that was given.
        phase: &'static str,
        /// Those in which it has an effect.
        phases: Vec<&'static str>,
    },
}

fn names(names: &[&str]) -> String {
    names.join(", ")
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::PrimaryDies, Self::NodeDies, Self::Election, Self::SlowJoin, Self::DroppedProposal, Self::MemberAbsent];

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PrimaryDies => "primary-dies",
            Self::NodeDies => "node-dies",
            Self::Election => "election",
            Self::SlowJoin => "slow-join",
            Self::DroppedProposal => "dropped-proposal",
            Self::MemberAbsent => "member-absent",
        }
    }

    /// When it comes if nobody says when: where a walk feels it most.
    pub const fn usual_phase(self) -> Phase {
        match self {
            Self::PrimaryDies | Self::NodeDies => Phase::Retire,
            Self::Election | Self::SlowJoin => Phase::JoinAndTrust,
            Self::DroppedProposal | Self::MemberAbsent => Phase::Register,
        }
    }

    /// Whether it has an effect in a phase.
    fn fits(self, phase: Phase) -> bool {
        match self {
            Self::SlowJoin => phase == Phase::JoinAndTrust,
            Self::DroppedProposal => phase != Phase::Delete,
            _ => true,
        }
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    /// `NAME` or `NAME@PHASE`.
    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (name, phase) = text.split_once('@').map_or((text, None), |(name, phase)| (name, Some(phase)));
        let kind = FaultKind::ALL.into_iter().find(|kind| kind.name() == name);
        let kind = kind.ok_or_else(|| FaultError::Name { name: clip(name, 80) })?;
        let Some(phase) = phase else { return Ok(Self { kind, phase: kind.usual_phase() }) };
        let found = Phase::ALL.into_iter().find(|known| known.name() == phase);
        let found = found.ok_or_else(|| FaultError::Phase { phase: clip(phase, 80) })?;
        if !kind.fits(found) {
            let phases = Phase::ALL.into_iter().filter(|phase| kind.fits(*phase)).map(Phase::name).collect();
            return Err(FaultError::Vain { name: kind.name(), phase: found.name(), phases });
        }
        Ok(Self { kind, phase: found })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.kind.name(), self.phase.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_named_with_its_phase_or_comes_when_it_is_felt_most() {
        let read = |text: &str| text.parse::<Fault>().map(|fault| fault.to_string()).map_err(|e| e.to_string());
        assert_eq!(read("primary-dies").unwrap(), "primary-dies@retire");
        assert_eq!(read("election@delete").unwrap(), "election@delete");
        for kind in FaultKind::ALL {
            assert_eq!(read(&format!("{}@{}", kind.name(), kind.usual_phase().name())), read(kind.name()));
        }
        assert_eq!(
            read("flood").unwrap_err(),
            "there is no fault \"flood\"; there are primary-dies, node-dies, election, slow-join, dropped-proposal, member-absent"
        );
        assert_eq!(
            read("node-dies@lunch").unwrap_err(),
            "there is no phase \"lunch\"; there are register, join-and-trust, retire, delete, rules, deregister"
        );
        assert_eq!(
            read("slow-join@retire").unwrap_err(),
            "slow-join has no effect in the phase retire; it has in join-and-trust"
        );
    }
}
