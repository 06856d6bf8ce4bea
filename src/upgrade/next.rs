//! What one person does next: pure, from a plan and one look at the service.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::quorum::Quorum;
use super::superseded::{is_of_a_walk, is_superseded, is_twin, leads_away};
use super::{Intended, Need, Observed, ObservedProposal, Phase, Plan, Task, Wanted, Way, preconditions, wanted};
use crate::check::Verdict;
use crate::id::{MemberId, NodeId, ProposalId};
use crate::service::ProposalState;

/// Who takes the step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// The member whose key is at hand.
    pub member: Option<MemberId>,
    /// Whether it is the operator, who starts, stops and deletes nodes.
    pub operator: bool,
}

/// What a person does next.
#[derive(Clone, Debug, PartialEq)]
pub struct Next {
    /// Where the walk is, and what the service needs.
    pub wanted: Wanted,
    /// What is to be done.
    pub doing: Doing,
    /// Open proposals that are not part of the plan now, and why they get no vote.
    pub refused: Vec<(ProposalId, String)>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Doing {
    /// This, now.
    Act(Act),
    /// Nothing, until somebody else has done something.
    Wait(Vec<Waiting>),
    /// Nothing can be done before this is put right.
    Blocked(Vec<String>),
    /// Nothing: the end is reached.
    Done,
}

/// What one person can do.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Propose what is needed next.
    Propose(Intended),
    /// Vote for an open proposal that is exactly what is needed.
    Vote(ProposalId, Intended),
    /// Withdraw an own proposal: a duplicate, or one whose work is done.
    Withdraw(ProposalId),
    /// Delete a node that the service lets go.
    Delete(NodeId),
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// For whom.
    pub whom: Whom,
    /// What they are to do.
    pub what: String,
}

/// For whom somebody waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Any or all of these members.
    Members(Vec<MemberId>),
    /// The operator.
    Operator,
    /// The service itself: it takes a moment.
    Service,
}

/// What `who` does next.
pub fn next(plan: &Plan, seen: &Observed, who: Who) -> Next {
    let wanted = wanted(plan, seen);
    let step = Step { plan, seen, who, wanted: &wanted };
    let doing = step.doing();
    let refused = step.refused();
    Next { doing, refused, wanted }
}

struct Step<'a> {
    plan: &'a Plan,
    seen: &'a Observed,
    who: Who,
    wanted: &'a Wanted,
}

impl Step<'_> {
    fn doing(&self) -> Doing {
        if let Need::Blocked(reason) = &self.wanted.need {
            return Doing::Blocked(vec![reason.clone()]);
        }
        let checks = preconditions(self.plan, self.seen, self.wanted);
        let mut failed = checks.iter().filter(|c| matches!(c.verdict, Verdict::Fail | Verdict::Incomplete)).peekable();
        if failed.peek().is_some() {
            return Doing::Blocked(failed.map(|c| format!("{}: {}", c.name, c.detail)).collect());
        }
        // Without a primary nobody takes a request.
        let is_led = self.seen.replication.is_some();
        let act = || self.withdrawal().or_else(|| self.membership()).or_else(|| self.operation());
        let act = if is_led { act() } else { None };
        match (act, &self.wanted.need) {
            (Some(act), _) => Doing::Act(act),
            (None, Need::Nothing) => Doing::Done,
            (None, _) => Doing::Wait(self.waiting()),
        }
    }

    /// An own proposal that is in the way: one that can no longer pass, one that another one does as well, one that is
    /// superseded or, on the way back, one of the way forward.
    fn withdrawal(&self) -> Option<Act> {
        let member = self.who.member?;
        let mut mine = self.open().filter(|(_, known)| known.proposer == member);
        mine.find(|(id, known)| self.is_needless(*id, known)).map(|(id, _)| Act::Withdraw(id))
    }

    fn is_needless(&self, id: ProposalId, known: &ObservedProposal) -> bool {
        let Some(proposal) = &known.proposal else { return false };
        if self.is_needed(known) {
            return self.is_spent(known) || self.chosen().is_some_and(|(chosen, _)| chosen != id);
        }
        let twin = |(other, twin): (ProposalId, &ObservedProposal)| {
            rank(other, twin) > rank(id, known) && twin.proposal.as_ref().is_some_and(|twin| is_twin(proposal, twin))
        };
        (self.plan.way == Way::Back && leads_away(self.plan, self.seen, proposal))
            || is_superseded(self.plan, self.seen, proposal)
            || (is_of_a_walk(self.plan, self.seen, proposal) && self.open().any(twin))
    }

    /// What a member can do.
    fn membership(&self) -> Option<Act> {
        let (member, Need::Proposal(intended)) = (self.who.member?, &self.wanted.need) else { return None };
        if !self.seen.active().any(|known| known.member_id == member) {
            return None;
        }
        match self.chosen() {
            Some((id, known)) => (!known.ballots.contains_key(&member)).then(|| Act::Vote(id, intended.as_in(known))),
            None if self.failed().is_some() => None,
            None => {
                let proposer = self.plan.proposing(self.seen).ok()?;
                proposer.is_none_or(|proposer| proposer == member).then(|| Act::Propose(intended.clone()))
            }
        }
    }

    /// What an operator can do with this tool alone.
    fn operation(&self) -> Option<Act> {
        let deletion = |task: &Task| if let Task::Delete(id) = task { Some(Act::Delete(*id)) } else { None };
        self.wanted.tasks.iter().filter_map(deletion).find(|_| self.who.operator)
    }

    fn waiting(&self) -> Vec<Waiting> {
        let mut waiting = Vec::new();
        match &self.wanted.need {
            Need::Time(what) => waiting.push(Waiting { whom: Whom::Service, what: format!("until {what}") }),
            Need::Proposal(intended) => waiting.push(self.waiting_for_members(intended)),
            Need::Operator | Need::Blocked(_) | Need::Nothing => {}
        }
        waiting.extend(
            self.wanted
                .tasks
                .iter()
                .map(|task| Waiting { whom: Whom::Operator, what: task.says(self.plan, self.seen) }),
        );
        waiting
    }

    fn waiting_for_members(&self, intended: &Intended) -> Waiting {
        let active: Vec<MemberId> = self.seen.active().map(|m| m.member_id).collect();
        if let Some((id, known)) = self.chosen() {
            let title = intended.as_in(known).title(self.plan);
            let missing = active.iter().copied().filter(|id| !known.ballots.contains_key(id));
            let missing: Vec<MemberId> = missing.collect();
            if missing.is_empty() {
                let proposer = self.seen.name(known.proposer);
                let what = format!(
                    "agree: all of them have voted on proposal {} ({title}), and it is still open; {proposer} can withdraw it \
                     (ccf-gov proposal withdraw {}), and then it is proposed again",
                    id.short(),
                    id.short()
                );
                return Waiting { whom: Whom::Members(active), what };
            }
            let what = format!("vote on proposal {}: {title}", id.short());
            return Waiting { whom: Whom::Members(missing), what };
        }
        if let Some((id, known)) = self.failed() {
            let title = intended.as_in(known).title(self.plan);
            let why = known.outcome.as_deref().unwrap_or("no reason is given");
            let what = format!(
                "agree: proposal {} ({title}) is {}: {}; one of them proposes it again by hand, and it goes on",
                id.short(),
                known.state,
                crate::text::visible(why)
            );
            return Waiting { whom: Whom::Members(active), what };
        }
        let proposer = self.plan.proposing(self.seen).ok().flatten();
        let whom = proposer.map_or(active, |proposer| vec![proposer]);
        Waiting { whom: Whom::Members(whom), what: format!("propose to {}", intended.title(self.plan)) }
    }

    /// The open proposal that everybody votes on: exactly what is needed, with most ballots, and the lowest id of those.
    fn chosen(&self) -> Option<(ProposalId, &ObservedProposal)> {
        let candidates = self.open().filter(|(_, known)| self.is_needed(known) && !self.is_spent(known));
        candidates.max_by_key(|(id, known)| rank(*id, known))
    }

    /// One like it that the members rejected, or that could not be applied: to propose it again is for a person to decide.
    fn failed(&self) -> Option<(ProposalId, &ObservedProposal)> {
        let stands = |known: &ObservedProposal| match known.state {
            ProposalState::Failed => self.is_needed(known),
            ProposalState::Rejected => self.was_needed(known),
            _ => false,
        };
        self.seen.proposals.iter().map(|(id, known)| (*id, known)).find(|(_, known)| stands(known))
    }

    /// Whether a proposal is or, when it was made, was what is needed now: what was rejected stays so when its certificates would
    /// begin too early by now.
    fn was_needed(&self, known: &ObservedProposal) -> bool {
        let Need::Proposal(intended) = &self.wanted.need else { return false };
        known.proposal.as_ref().is_some_and(|proposal| intended.is_as(self.plan, self.seen.at, proposal))
    }

    fn open(&self) -> impl Iterator<Item = (ProposalId, &ObservedProposal)> {
        let all: &BTreeMap<ProposalId, ObservedProposal> = &self.seen.proposals;
        all.iter().map(|(id, known)| (*id, known)).filter(|(_, known)| known.state == ProposalState::Open)
    }

    fn is_needed(&self, known: &ObservedProposal) -> bool {
        self.difference(known).is_none()
    }

    /// Why a proposal is not what is needed; `None` if it is exactly that.
    fn difference(&self, known: &ObservedProposal) -> Option<String> {
        let Some(proposal) = &known.proposal else { return Some("it cannot be read".into()) };
        match &self.wanted.need {
            Need::Proposal(intended) => {
                let unlike = intended.check(self.plan, self.seen.at, proposal).err()?;
                Some(format!("the plan needs to {}, and {unlike}", intended.title(self.plan)))
            }
            _ => Some("the plan needs no proposal now".into()),
        }
    }

    /// A proposal that ballots which no longer hold keep from passing: their members cannot vote again. One member's ballot alone
    /// does not, for whoever writes it chooses what it guards, unless it is the proposer's own.
    fn is_spent(&self, known: &ObservedProposal) -> bool {
        let stale = |id: &MemberId| known.ballots.get(id).is_some_and(|ballot| !ballot.holds);
        let active: Vec<MemberId> = self.seen.active().map(|member| member.member_id).collect();
        let good = active.iter().filter(|id| !stale(id)).count();
        let all_voted = active.iter().all(|id| known.ballots.contains_key(id));
        stale(&known.proposer)
            || good < Quorum::of(active.len()).majority
            || (all_voted && known.ballots.keys().any(stale))
    }

    fn refused(&self) -> Vec<(ProposalId, String)> {
        self.open().filter_map(|(id, known)| Some((id, self.difference(known)?))).collect()
    }
}

/// Of two that do the same, the one with more ballots stays, and the one with the lower id of those.
fn rank(id: ProposalId, known: &ObservedProposal) -> (u64, Reverse<ProposalId>) {
    (known.ballot_count, Reverse(id))
}

impl Next {
    /// Where the walk is.
    pub fn phase(&self) -> Phase {
        self.wanted.phase
    }
}

#[cfg(test)]
mod tests;
