//! The whole walk on a sandbox: the members and an operator, each of whom repeats one step until all is done.
//!
//! - [`Rehearsal::example`]: a made-up service and plan; [`Rehearsal::of`]: a plan, on a copy of the service that it is for.
//! - [`rehearse`]: the walk, with the faults that are asked for.

mod code;
mod copy;
mod example;
mod fault;
mod inject;
mod stage;
#[cfg(test)]
mod tests;

use serde::Serialize;

use super::{Did, Phase, Plan, Topology, UpgradeError};
use crate::id::{MemberId, NodeId};
use crate::sandbox::{NodeCode, Options};
use crate::service::Progress;
use crate::signer::Signer;

pub use copy::CopyError;
pub use example::example_signers;
pub use fault::{Fault, FaultError, FaultKind};
use stage::Stage;

/// More rounds than a walk takes.
const ROUNDS: usize = 1000;

/// How a member's signature comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// Signed where it is made.
    Direct,
    /// Prepared as a request file, signed apart from it, finished from the file and the signature.
    PrepareAndFinish,
}

/// What is rehearsed, and by whom.
pub struct Rehearsal {
    plan: Plan,
    /// The service that is upgraded.
    sandbox: Options,
    /// The members' keys.
    signers: Vec<Box<dyn Signer>>,
    /// What the operator starts.
    new: NodeCode,
    /// What the first nodes are called in the service that was copied.
    nodes: Vec<NodeId>,
    /// What was copied of a service, in words.
    pub copied: Vec<String>,
    /// What could not be copied, and why.
    pub not_copied: Vec<String>,
    /// How signatures come about.
    pub signing: Signing,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// Told why a request is waiting.
    pub progress: Option<Progress>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Rehearsed {
    /// Every step in which something was done.
    pub steps: Vec<RehearsedStep>,
    /// What went wrong, as it was asked for.
    pub faults: Vec<RehearsedFault>,
    /// How it ended.
    pub end: End,
}

/// How a rehearsal ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The upgrade is done.
    Done,
    /// Everybody waits for these.
    Waiting(Vec<RehearsedWait>),
    /// Nobody can go on before this is put right.
    Stopped(Vec<String>),
}

/// Who is waited for in the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct RehearsedWait {
    /// Members by name, or the operator.
    pub whom: String,
    /// What they are to do.
    pub what: String,
}

/// What one person did in one step, and how the service stands after it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct RehearsedStep {
    /// The phase in which it was done.
    pub phase: Phase,
    /// Which member took the step; null for the operator.
    pub member: Option<MemberId>,
    /// What was done.
    pub did: Vec<Did>,
    /// The nodes after it.
    #[serde(flatten)]
    pub topology: Topology,
}

/// A fault as it was rehearsed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct RehearsedFault {
    /// The fault with its phase, as it is asked for.
    pub fault: String,
    /// After so many steps it came; null if it did not come.
    pub after_step: Option<usize>,
    /// What went wrong, or why it did not.
    pub what: String,
    /// How the walk went on; null if it did not.
    pub recovery: Option<String>,
}

/// What is reported while it goes on.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Somebody did something.
    Step(&'a RehearsedStep),
    /// Something went wrong, as it was asked for.
    Fault(&'a RehearsedFault),
}

impl Rehearsal {
    /// The members who take steps, each with the name in the certificate.
    pub fn members(&self) -> Vec<(MemberId, String)> {
        let certificates = self.signers.iter().map(|signer| signer.certificate());
        let name = |id: MemberId, name: Option<&str>| name.map_or_else(|| id.short(), crate::text::visible);
        certificates
            .map(|certificate| (certificate.member_id(), name(certificate.member_id(), certificate.common_name())))
            .collect()
    }
}

/// Rehearses a code upgrade: starts a sandbox, lets each of the members and an operator repeat their step until nobody has anything
/// to do, and starts a node with the old code, which must be refused.
///
/// # Errors
/// A step fails, or what came of it is not what was wanted.
pub async fn rehearse(rehearsal: Rehearsal, report: &mut dyn FnMut(Event<'_>)) -> Result<Rehearsed, UpgradeError> {
    let mut stage = Stage::build(rehearsal).await?;
    for _ in 0..ROUNDS {
        if let Some(end) = stage.round(report).await? {
            return stage.close(end).await;
        }
    }
    Err(UpgradeError::Claim(format!("the walk was not over after {ROUNDS} rounds")))
}

impl std::fmt::Debug for Rehearsal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rehearsal").field("plan", &self.plan.digest()).finish_non_exhaustive()
    }
}
