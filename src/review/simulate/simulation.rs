//! What a simulation found.

use super::passing::Passing;
use super::trial::Trial;
use crate::constitution::decide::Failure;
use crate::constitution::{Effect, ScriptError, Stage};
use crate::id::{MemberId, ProposalId};
use crate::kv::Change;

/// What would become of a proposal if every active member voted yes who has not voted.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// The proposal; made up if it is not submitted.
    pub id: ProposalId,
    /// Who proposes it.
    pub proposer: MemberId,
    /// What `validate` answers.
    pub validity: Validity,
    /// What each ballot answers.
    pub ballots: Vec<BallotRun>,
    /// Whose votes pass it; `None` if it is not valid, or `resolve` failed.
    pub passing: Option<Passing>,
    /// How it ends.
    pub outcome: Outcome,
    /// Why `resolve` or `apply` fails. A service answers 500 to the vote that would decide, and nothing changes.
    pub failure: Option<Failure>,
    /// Every row that changes, by table and key, but for those of the proposal itself.
    pub changes: Vec<Change>,
    /// What else the service would do.
    pub effects: Vec<Effect>,
    /// The open proposals that it drops.
    pub drops: Vec<ProposalId>,
    /// What the outcome rests on and is not known here. Empty: certain, as far as this engine is CCF's (docs/fidelity.md).
    pub uncertain: Vec<Uncertain>,
}

/// What `validate` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Validity {
    /// The proposal may be created.
    Valid,
    /// Refused, and why: 400 ProposalFailedToValidate.
    Invalid(String),
    /// `validate` itself failed: 500 InternalError.
    Threw(Failure),
    /// It needs something that this engine lacks.
    Unknown(String),
}

impl Validity {
    /// Why it is not valid.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Valid => None,
            Self::Invalid(reason) | Self::Unknown(reason) => Some(reason),
            Self::Threw(failure) => Some(&failure.reason),
        }
    }
}

/// How a proposal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is not valid, so it never is a proposal.
    NotValid,
    /// Not decided, not even when every active member has voted.
    Open,
    /// Accepted and applied.
    Accepted,
    /// Rejected.
    Rejected,
    /// `resolve` or `apply` throws: the vote that would decide is refused, and the proposal stays open.
    Failed,
    /// It needs something that this engine lacks.
    Unknown,
}

impl Outcome {
    pub(super) fn of(state: &str) -> Self {
        match state {
            "Accepted" => Self::Accepted,
            "Rejected" => Self::Rejected,
            _ => Self::Open,
        }
    }

    /// The name in JSON; `None` for a proposal that is not valid or not judged.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Open => Some("Open"),
            Self::Accepted => Some("Accepted"),
            Self::Rejected => Some("Rejected"),
            Self::Failed => Some("Failed"),
            Self::NotValid | Self::Unknown => None,
        }
    }
}

/// What a ballot answered on the tables as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BallotRun {
    /// Whose it is.
    pub member: MemberId,
    /// What it answered.
    pub answer: BallotAnswer,
}

/// What a ballot answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BallotAnswer {
    /// Whatever JavaScript takes for true.
    Yes,
    /// Anything else.
    No,
    /// It threw or reached a limit: no vote, and a vote failure when the proposal is decided.
    Threw(Failure),
    /// It does not compile, or exports no function `vote`: 500, for whoever votes.
    DoesNotLoad(String),
    /// It needs something that this engine lacks.
    Unknown(String),
}

impl BallotAnswer {
    /// What running it came to.
    pub(super) fn of(answer: Result<bool, ScriptError>) -> Self {
        match answer {
            Ok(true) => Self::Yes,
            Ok(false) => Self::No,
            Err(ScriptError { stage: Stage::Engine, reason, .. }) => Self::Unknown(reason),
            Err(ScriptError { stage: Stage::Load, reason, .. }) => Self::DoesNotLoad(reason),
            Err(error) => Self::Threw(Failure { reason: error.reason, trace: error.trace }),
        }
    }

    /// The vote, if it gave one.
    pub fn vote(&self) -> Option<bool> {
        match self {
            Self::Yes => Some(true),
            Self::No => Some(false),
            Self::Threw(_) | Self::DoesNotLoad(_) | Self::Unknown(_) => None,
        }
    }

    /// Whether a service refuses the request, and every later vote on the proposal.
    pub fn ends_request(&self) -> bool {
        matches!(self, Self::DoesNotLoad(_))
    }

    /// In a word or a sentence.
    pub fn describe(&self) -> String {
        match self {
            Self::Yes => "yes".into(),
            Self::No => "no".into(),
            Self::Threw(failure) => format!("it throws, so it gives no vote: {}", failure.describe()),
            Self::DoesNotLoad(reason) => format!("it does not load, and the service refuses it: {reason}"),
            Self::Unknown(reason) => reason.clone(),
        }
    }
}

/// Something that an outcome rests on and that is not known here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uncertain {
    /// The table, or another thing that was asked for.
    pub what: String,
    /// Why it is not known.
    pub why: String,
}

impl Uncertain {
    pub(super) fn new(what: &str, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }
}

impl Simulation {
    pub(super) fn of(trial: &Trial, validity: Validity) -> Self {
        let outcome = match &validity {
            Validity::Valid => Outcome::Open,
            Validity::Unknown(_) => Outcome::Unknown,
            Validity::Invalid(_) | Validity::Threw(_) => Outcome::NotValid,
        };
        let uncertain = match &validity {
            Validity::Unknown(reason) => vec![Uncertain::new("validate", reason)],
            _ => Vec::new(),
        };
        Self {
            id: trial.id(),
            proposer: trial.proposer(),
            validity,
            ballots: Vec::new(),
            passing: None,
            outcome,
            failure: None,
            changes: Vec::new(),
            effects: Vec::new(),
            drops: Vec::new(),
            uncertain,
        }
    }

    pub(super) fn note_failure(&mut self, doing: &str, error: ScriptError) {
        if error.stage == Stage::Engine {
            self.outcome = Outcome::Unknown;
            self.uncertain.push(Uncertain::new(doing, error.reason));
            return;
        }
        self.outcome = Outcome::Failed;
        let reason = match doing {
            "decide" => error.reason,
            function => format!("Failed to {function}(): {}", error.reason),
        };
        self.failure = Some(Failure { reason, trace: error.trace });
    }

    /// Why no votes pass it and have it applied; `None` if some do.
    pub fn obstacle(&self) -> Option<String> {
        let by_some = self.passing.as_ref().is_some_and(|passing| passing.fewest.is_some());
        if self.passes() || (by_some && self.outcome != Outcome::Failed && self.outcome != Outcome::Unknown) {
            return None;
        }
        let failure = self.failure.as_ref().map(|failure| failure.reason.clone());
        let lacking = || self.uncertain.last().filter(|_| self.outcome == Outcome::Unknown).map(|one| one.why.clone());
        let reason = failure.or_else(|| self.validity.reason().map(str::to_owned)).or_else(lacking);
        Some(reason.unwrap_or_else(|| "it is not accepted, whoever votes yes".into()))
    }

    /// Whether it would pass and be applied, if those who have not voted vote yes.
    pub fn passes(&self) -> bool {
        self.outcome == Outcome::Accepted
    }
}
