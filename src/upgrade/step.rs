//! One step: look, decide, act, and again, until somebody else has to do something.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::{
    Act, Doing, Intended, Next, Observed, Plan, UpgradeError, Verification, Who, Whom, check_constitution, next,
    observe,
};
use crate::check::Verdict;
use crate::id::{MemberId, TransactionId};
use crate::service::{Service, ServiceError, Submission};

/// How long a step waits for what the service does by itself.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it looks meanwhile.
const LOOK: Duration = Duration::from_millis(40);
/// How long it waits before it does the same again: a request that is signed twice in one second is a repetition to the service.
const AGAIN: Duration = Duration::from_millis(550);
/// How often the same is done in one step: what has no effect is not done for ever.
const ATTEMPTS: usize = 3;

/// The service, the plan for it, and who walks it.
#[derive(Clone, Copy, Debug)]
pub struct Walk<'a> {
    /// The service.
    pub service: &'a Service,
    /// What it is to come to.
    pub plan: &'a Plan,
    /// How attestations are verified.
    pub verification: &'a Verification,
    /// Who takes the step.
    pub who: Who,
}

/// What a step came to.
#[derive(Debug)]
pub struct Stepped {
    /// What was done, in this order.
    pub did: Vec<Did>,
    /// How the service stands, and what is next.
    pub seen: Observed,
    /// What is next: never an act.
    pub next: Next,
}

/// Something that was done.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Did {
    /// What, in words.
    pub what: String,
    /// The proposal that it was about, if it was about one.
    pub proposal_id: Option<crate::id::ProposalId>,
    /// The committed transaction; null where an earlier sending did it.
    pub transaction_id: Option<TransactionId>,
    /// How each member voted, where this decided the proposal.
    pub votes: BTreeMap<MemberId, bool>,
}

impl Did {
    /// What was done unsigned.
    pub fn unsigned(what: String, transaction_id: Option<TransactionId>) -> Self {
        Self { what, proposal_id: None, transaction_id, votes: BTreeMap::new() }
    }

    /// What was signed, sent and taken.
    pub fn signed(what: String, submission: &Submission) -> Self {
        let proposal = submission.proposal.as_ref();
        Self {
            what,
            proposal_id: proposal.map(|proposal| proposal.proposal_id),
            transaction_id: Some(submission.transaction),
            votes: proposal.and_then(|proposal| proposal.final_votes.clone()).unwrap_or_default(),
        }
    }
}

impl Stepped {
    /// Nodes that still wait though the end is reached, in a sentence; `None` without any.
    pub fn leftover(&self) -> Option<String> {
        self.seen.leftover().filter(|_| matches!(self.next.doing, Doing::Done))
    }

    /// Whether the service itself is waited for, which passes without anything being committed.
    pub fn waits_for_the_service(&self) -> bool {
        matches!(&self.next.doing, Doing::Wait(waiting) if waiting.iter().any(|w| w.whom == Whom::Service))
    }
}

impl Walk<'_> {
    /// Looks at the service once, for whoever takes the step.
    ///
    /// # Errors
    /// See [`observe`].
    pub async fn look(&self) -> Result<(Observed, Next), ServiceError> {
        let seen =
            observe(self.service, self.plan, self.verification, OffsetDateTime::now_utc(), Some(self.who)).await?;
        let next = next(self.plan, &seen, self.who);
        Ok((seen, next))
    }

    /// Does what is this person's to do now, and whatever is theirs next, until they have to wait.
    ///
    /// `perform` shows, signs and sends one act; it returns `None` if somebody was faster (see [`super::was_outrun`]).
    ///
    /// # Errors
    /// The service cannot be reached; what was accepted has no effect; whatever `perform` says.
    pub async fn step<E: From<ServiceError> + From<UpgradeError>>(
        &self,
        mut perform: impl AsyncFnMut(&Observed, &Act) -> Result<Option<Did>, E>,
    ) -> Result<Stepped, E> {
        let mut did = Vec::new();
        let mut tried: Vec<Act> = Vec::new();
        let mut end = Instant::now() + PATIENCE;
        loop {
            let (seen, next) = self.look().await?;
            match &next.doing {
                Doing::Act(act) => {
                    match tried.iter().filter(|known| *known == act).count() {
                        0 => {}
                        ATTEMPTS => return Err(UpgradeError::NoEffect(act.title(self.plan)).into()),
                        _ => tokio::time::sleep(AGAIN).await,
                    }
                    tried.push(act.clone());
                    if let Act::Propose(intended) = act
                        && let Some(next) = self.refused_by_the_constitution(&seen, &next, intended)?
                    {
                        return Ok(Stepped { did, seen, next });
                    }
                    did.extend(perform(&seen, act).await?);
                    self.service.refresh().await;
                    end = Instant::now() + PATIENCE;
                }
                Doing::Wait(waiting) if waiting.iter().any(|w| w.whom == Whom::Service) && Instant::now() < end => {
                    tokio::time::sleep(LOOK).await;
                }
                _ => return Ok(Stepped { did, seen, next }),
            }
        }
    }

    /// The live constitution judges a proposal before it is signed.
    fn refused_by_the_constitution(
        &self,
        seen: &Observed,
        next: &Next,
        intended: &Intended,
    ) -> Result<Option<Next>, UpgradeError> {
        let checks = check_constitution(self.plan, seen, &[intended.proposal(self.plan, seen.at)?]);
        let failed = checks.iter().filter(|check| check.verdict == Verdict::Fail);
        let reasons: Vec<String> = failed.map(|check| format!("{}: {}", check.name, check.detail)).collect();
        Ok((!reasons.is_empty()).then(|| Next { doing: Doing::Blocked(reasons), ..next.clone() }))
    }
}
