//! What a walk will be if nothing unforeseen happens: the rules that decide each step, played on a copy of what was seen.

mod draw;
mod network;
mod policy;
mod simulate;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::quorum::{Change, Quorum};
use super::{
    Intended, Need, Observed, Phase, Plan, Progress, State, Task, Waiver, Wanted, preconditions, waiver, wanted,
};
use crate::check::Checks;
use crate::id::NodeId;
use crate::proposal::Proposal;
use crate::review::Application;
use crate::service::ProposalState;

pub use draw::{DrawnNode, drawing, mermaid};
use network::Cast;

/// A forecast.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// The nodes as they stand now.
    pub nodes: Vec<DrawnNode>,
    /// n, majority and f now.
    pub quorum: Quorum,
    /// What is still to be done, in its order.
    pub steps: Vec<ForecastStep>,
    /// Why it goes no further; `None` if it reaches the plan's end.
    pub stops: Option<String>,
    /// What is neither new nor old, and is still there then: see [`Plan::untouched`].
    pub untouched: Vec<String>,
    /// What is done, in its order, with made-up ids where a node is not started yet.
    turns: Vec<Turn>,
    /// What nodes with made-up ids are called.
    names: BTreeMap<NodeId, String>,
    current: Phase,
}

/// A step that is still to be taken.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct ForecastStep {
    /// Which one it is, from 1.
    pub number: usize,
    /// The phase to which it belongs.
    #[serde(skip)]
    pub phase: Phase,
    /// Who takes it.
    pub who: Role,
    /// What is done.
    pub what: String,
    /// The whole proposal; null for what the operator does. A node that is not started yet is `<id of new-1>`.
    pub proposal: Option<Value>,
    /// n, majority and f before it.
    pub before: Quorum,
    /// n, majority and f after it.
    pub after: Quorum,
    /// When writes pause, or may not be disturbed; null if they go on.
    pub pause: Option<String>,
    /// The nodes after it.
    pub nodes: Vec<DrawnNode>,
}

/// Who takes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Members: one proposes, and as many vote as the constitution asks.
    Members,
    /// The operator.
    Operator,
}

/// A phase, how far it is, and what it still needs.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct ForecastPhase {
    /// The phase, and how far it is.
    #[serde(flatten)]
    pub progress: Progress,
    /// What it still needs.
    pub steps: Vec<ForecastStep>,
}

/// What a walk will be. Pure: it needs no clock and no network, and ends after a bounded number of steps.
pub fn forecast(plan: &Plan, seen: &Observed) -> Forecast {
    let mut play = Play { cast: Cast::new(plan, seen), steps: Vec::new(), turns: Vec::new() };
    let (nodes, quorum) = (play.cast.drawn(), play.cast.quorum());
    let current = wanted(plan, seen).phase;
    // Each node is started, trusted, retired and deleted at most once; the rest is a handful.
    let most = 4 * (seen.nodes.len() + plan.nodes) + 16;
    let mut stops = Some("it comes to no end: each step asks for another one".to_owned());
    for _ in 0..most {
        let wanted = wanted(plan, &play.cast.seen);
        if let Err(end) = play.turn(&wanted) {
            stops = end;
            break;
        }
    }
    let Play { cast, steps, turns } = play;
    let untouched = plan.untouched(&cast.seen);
    Forecast { nodes, quorum, steps, stops, untouched, turns, names: cast.names, current }
}

/// What the plan rests on. `tried` is what [`Forecast::simulate`] found.
pub fn plan_checks(plan: &Plan, seen: &Observed, tried: &Checks) -> Checks {
    let mut checks = preconditions(plan, seen, &wanted(plan, seen));
    checks.append(super::preconditions::waive(plan, tried.clone()));
    checks
}

/// What is waived, and what the checks say today. `tried` is what [`Forecast::simulate`] found.
pub fn plan_waivers(plan: &Plan, seen: &Observed, tried: &Checks) -> Vec<Waiver> {
    waiver::waivers(plan, seen, &wanted(plan, seen), tried.clone())
}

impl Forecast {
    /// The phase that the walk is in.
    pub fn current(&self) -> Phase {
        self.current
    }

    /// Every phase with what it still needs. One that needs nothing any more is done.
    pub fn phases(&self) -> Vec<ForecastPhase> {
        let phase = |name: Phase| {
            let steps: Vec<ForecastStep> = self.steps.iter().filter(|step| step.phase == name).cloned().collect();
            let state = match steps.is_empty() {
                _ if name == self.current => State::Current,
                false => State::Ahead,
                true if self.stops.is_some() && name > self.current => State::Ahead,
                true => State::Done,
            };
            ForecastPhase { progress: Progress { name, state }, steps }
        };
        Phase::ALL.into_iter().map(phase).collect()
    }
}

/// What changes a service's tables.
#[derive(Clone, Debug)]
enum Turn {
    /// These nodes join, and wait.
    Start(Vec<NodeId>),
    /// This is proposed and accepted.
    Propose(Intended, Proposal),
    /// These nodes are deleted.
    Delete(Vec<NodeId>),
}

struct Play<'a> {
    cast: Cast<'a>,
    steps: Vec<ForecastStep>,
    turns: Vec<Turn>,
}

impl Play<'_> {
    /// Plays what is needed next; an end is `Err`, with the reason if it is not the plan's.
    fn turn(&mut self, wanted: &Wanted) -> Result<(), Option<String>> {
        for task in &wanted.tasks {
            let Task::Start(count) = task else { continue };
            self.operate(wanted.phase, task.says(self.cast.plan, &self.cast.seen), |cast| {
                Turn::Start(cast.start(*count))
            });
            return Ok(());
        }
        match &wanted.need {
            Need::Nothing => Err(None),
            Need::Blocked(reason) => Err(Some(reason.clone())),
            Need::Time(reason) => {
                if self.cast.settle() {
                    Ok(())
                } else {
                    Err(Some(reason.clone()))
                }
            }
            Need::Operator => self.delete(wanted),
            Need::Proposal(intended) => self.propose(intended),
        }
    }

    fn delete(&mut self, wanted: &Wanted) -> Result<(), Option<String>> {
        let gone: Vec<NodeId> =
            wanted.tasks.iter().filter_map(|task| if let Task::Delete(id) = task { Some(*id) } else { None }).collect();
        if gone.is_empty() {
            return Err(Some("the operator is waited for, and nothing says what for".into()));
        }
        let names: Vec<String> = gone.iter().map(|id| self.cast.name(*id)).collect();
        let what = format!("stop and delete node{} {}", if gone.len() == 1 { "" } else { "s" }, names.join(", "));
        self.operate(wanted.phase, what, |cast| {
            cast.delete(&gone);
            Turn::Delete(gone)
        });
        Ok(())
    }

    fn operate(&mut self, phase: Phase, what: String, act: impl FnOnce(&mut Cast<'_>) -> Turn) {
        let before = self.cast.quorum();
        let turn = act(&mut self.cast);
        self.turns.push(turn);
        self.record(phase, Role::Operator, what, None, before, None);
    }

    fn propose(&mut self, intended: &Intended) -> Result<(), Option<String>> {
        let (plan, at) = (self.cast.plan, self.cast.seen.at);
        let proposal = intended.proposal(plan, at).map_err(|error| Some(error.to_string()))?;
        let what = self.cast.named(&intended.title(plan));
        let written = self.cast.written(proposal.value());
        let (before, pause) = (self.cast.quorum(), self.pause(intended));
        self.turns.push(Turn::Propose(intended.clone(), proposal));
        self.apply(intended);
        self.cast.settle();
        self.record(intended.phase(), Role::Members, what, Some(written), before, pause);
        Ok(())
    }

    /// When writes pause, or may not be disturbed.
    fn pause(&self, intended: &Intended) -> Option<String> {
        let network = self.cast.seen.replication.as_ref()?;
        match intended {
            Intended::Retire(nodes) if nodes.first() == Some(&network.primary) => {
                Some("it is the primary: the others elect another one, and writes pause until then".into())
            }
            Intended::Trust { nodes, most } => {
                let found = network.assess(&Change::adding(nodes.iter().take(*most).copied()));
                (found.live_after <= found.after.majority).then(|| {
                    "until the new nodes have caught up, every node that has is needed: writes pause if one fails"
                        .into()
                })
            }
            _ => None,
        }
    }

    fn apply(&mut self, intended: &Intended) {
        let seen = &mut self.cast.seen;
        match intended {
            Intended::Register(actions) | Intended::Deregister(actions) => {
                actions.iter().for_each(|action| policy::apply(&mut seen.join_policy, action));
            }
            Intended::Rules(actions) => {
                for action in actions {
                    if let Some(text) = action.text("constitution") {
                        seen.constitution = Some(text.to_owned());
                    }
                    if let Some(bundle) = action.arg("bundle") {
                        seen.application = Application::of_bundle(bundle);
                    }
                }
            }
            Intended::Snapshot => self.cast.snapshot(ProposalState::Accepted),
            Intended::Trust { nodes, most } => self.cast.trust(nodes.get(..*most).unwrap_or(nodes)),
            Intended::Retire(nodes) => nodes.iter().take(1).for_each(|id| self.cast.retire(*id)),
        }
    }

    fn record(
        &mut self,
        phase: Phase,
        who: Role,
        what: String,
        proposal: Option<Value>,
        before: Quorum,
        pause: Option<String>,
    ) {
        let number = self.steps.len() + 1;
        let (after, nodes) = (self.cast.quorum(), self.cast.drawn());
        self.steps.push(ForecastStep { number, phase, who, what, proposal, before, after, pause, nodes });
    }
}
