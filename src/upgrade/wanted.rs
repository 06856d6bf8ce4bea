//! What a service needs next on the way to a plan's end, whoever does it.

use std::collections::BTreeSet;

use super::quorum::{Change, GuardError, Quorum};
use super::{CodeKind, Intended, Observed, ObservedNode, OldCode, Phase, Plan, Task, Way};
use crate::id::NodeId;
use crate::proposal::Action;
use crate::review::Application;
use crate::service::{NodeStatus, ProposalState, Replication, ServiceStatus};
use serde_json::json;

/// What a service needs next.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The phase in which the walk is.
    pub phase: Phase,
    /// What is needed to get on.
    pub need: Need,
    /// What the operator can do now, beside that.
    pub tasks: Vec<Task>,
}

/// What is needed to get on.
#[derive(Clone, Debug, PartialEq)]
pub enum Need {
    /// A proposal, and votes on it.
    Proposal(Intended),
    /// The operator: see the tasks.
    Operator,
    /// Nothing but time: what the service has to do first.
    Time(String),
    /// Somebody who thinks: why nothing can be done.
    Blocked(String),
    /// Nothing: the end is reached.
    Nothing,
}

/// What the service needs next.
pub fn wanted(plan: &Plan, seen: &Observed) -> Wanted {
    let old = plan.old_code(seen);
    let look = Look { plan, seen, old: &old };
    match look.network() {
        Ok(network) => look.walk(network),
        Err(need) => Wanted { phase: look.phase(), need, tasks: Vec::new() },
    }
}

pub(super) struct Look<'a> {
    pub(super) plan: &'a Plan,
    pub(super) seen: &'a Observed,
    pub(super) old: &'a OldCode,
}

impl<'a> Look<'a> {
    /// The network, if there is one that works and everything that was read is certain.
    fn network(&self) -> Result<&'a Replication, Need> {
        let seen = self.seen;
        let Some(network) = &seen.replication else {
            return Err(match seen.lost_quorum {
                Some(lost) => Need::Blocked(format!(
                    "{lost}: more nodes have failed than the service tolerates; this is no upgrade any more but disaster recovery"
                )),
                None => Need::Time(
                    "the nodes elect a primary; should that take longer than a minute, the operator sees to those that do not answer"
                        .into(),
                ),
            });
        };
        if let Err(disaster @ GuardError::Disaster { .. }) = network.check(&Change::default(), 0) {
            return Err(Need::Blocked(disaster.to_string()));
        }
        if let Some(info) = seen.info.as_ref().filter(|info| info.status != ServiceStatus::Open) {
            let status = crate::text::visible(&info.status.to_string());
            return Err(Need::Blocked(format!("the service is {status}, and only an open one is upgraded")));
        }
        if !self.old.ambiguous.is_empty() {
            let codes: Vec<_> = self.old.ambiguous.iter().map(|code| crate::text::clip(code, 80)).collect();
            return Err(Need::Blocked(format!(
                "the service has several codes that are not the new one ({}): name under [old] which is to be retired",
                codes.join(", ")
            )));
        }
        if let Some(reason) = seen.nodes_that_are(NodeStatus::Trusted).find_map(|node| self.unknown(node)) {
            return Err(Need::Blocked(reason));
        }
        if !seen.committed {
            return Err(Need::Time("what the service shows is not committed yet".into()));
        }
        // The network was asked for after the nodes: both are to be of one moment.
        let trusted: BTreeSet<NodeId> = seen.nodes_that_are(NodeStatus::Trusted).map(|node| node.id).collect();
        if trusted != network.configured {
            return Err(Need::Time("the network is the nodes that are trusted".into()));
        }
        Ok(network)
    }

    /// Why it is not known what a trusted node is to the plan. Without that, more and more new nodes would be asked for.
    fn unknown(&self, node: &ObservedNode) -> Option<String> {
        match (&node.running, &node.verified) {
            _ if self.kind(node) != CodeKind::Other => None,
            (None, _) => Some(format!(
                "what trusted node {} runs is not known, for the service shows no attestation of it that can be read{}",
                node.title(),
                match self.plan.way {
                    Way::Forward => ": if it is to be retired, name it under [old] nodes",
                    Way::Back => "",
                }
            )),
            (Some(running), Err(reason)) if self.plan.new.is(running) => Some(format!(
                "trusted node {} says that it runs {}, and its attestation does not prove it: {}",
                node.title(),
                self.plan.wanted_code(),
                crate::text::visible(reason)
            )),
            _ => None,
        }
    }

    fn walk(&self, network: &Replication) -> Wanted {
        let mut tasks = self.deletions();
        let missing = self.plan.new.registration(&self.seen.join_policy);
        if !missing.is_empty() {
            return Wanted { phase: Phase::Register, need: Need::Proposal(Intended::Register(missing)), tasks };
        }
        if let Some((need, more)) = self.trust(network) {
            tasks.extend(more);
            return Wanted { phase: Phase::JoinAndTrust, need, tasks };
        }
        if let Some((need, more)) = self.retire(network) {
            tasks.extend(more);
            return Wanted { phase: Phase::Retire, need, tasks };
        }
        if !tasks.is_empty() {
            return Wanted { phase: Phase::Delete, need: Need::Operator, tasks };
        }
        let rules = self.rules();
        if !rules.is_empty() {
            return Wanted { phase: Phase::Rules, need: Need::Proposal(Intended::Rules(rules)), tasks };
        }
        let surplus = self.surplus();
        if !surplus.is_empty() {
            return Wanted { phase: Phase::Deregister, need: Need::Proposal(Intended::Deregister(surplus)), tasks };
        }
        Wanted { phase: Phase::Done, need: Need::Nothing, tasks }
    }

    /// The phase by what is not done yet, where the network tells nothing.
    fn phase(&self) -> Phase {
        let enough = self.of(NodeStatus::Trusted, CodeKind::New).count() >= self.plan.nodes;
        match (self.plan.new.is_admitted(&self.seen.join_policy), enough) {
            (false, _) => Phase::Register,
            (true, false) => Phase::JoinAndTrust,
            (true, true) if self.of(NodeStatus::Trusted, CodeKind::Old).next().is_some() => Phase::Retire,
            (true, true) if !self.deletions().is_empty() => Phase::Delete,
            (true, true) if !self.rules().is_empty() => Phase::Rules,
            (true, true) if !self.surplus().is_empty() => Phase::Deregister,
            (true, true) => Phase::Done,
        }
    }

    /// What is needed until enough new nodes are trusted and caught up, and what the operator can do for that.
    fn trust(&self, network: &Replication) -> Option<(Need, Vec<Task>)> {
        let (live, lost): (Vec<_>, Vec<_>) =
            self.of(NodeStatus::Trusted, CodeKind::New).partition(|node| self.seen.is_live(node.id));
        if let Some(node) = live.iter().find(|node| !self.seen.is_caught_up(node.id)) {
            return Some((
                Need::Time(format!("{} node {} catches up", self.plan.word(CodeKind::New), node.title())),
                Vec::new(),
            ));
        }
        let short = self.plan.nodes.saturating_sub(live.len());
        if short == 0 {
            return None;
        }
        let is_silent = |node: &&&ObservedNode| network.heard.get(&node.id).is_some_and(|heard| !heard.is_lost());
        if let Some(node) = lost.iter().find(is_silent) {
            let word = self.plan.word(CodeKind::New);
            return Some((
                Need::Time(format!("{word} node {} is heard of again, or counts as lost", node.title())),
                Vec::new(),
            ));
        }
        if self.needs_snapshot() {
            return Some((Need::Proposal(Intended::Snapshot), Vec::new()));
        }
        let mut waiting: Vec<_> = self.of(NodeStatus::Pending, CodeKind::New).map(|node| node.id).collect();
        waiting.sort();
        let mut tasks: Vec<_> = lost.iter().map(|node| Task::Replace(node.id)).collect();
        let unknown = self.seen.nodes_that_are(NodeStatus::Pending).filter(|node| node.running.is_none());
        let unknown: Vec<_> = unknown.map(|node| node.id).take(short.saturating_sub(waiting.len())).collect();
        if short > waiting.len() + unknown.len() {
            tasks.push(Task::Start(short - waiting.len() - unknown.len()));
        }
        tasks.extend(unknown.into_iter().map(Task::Provide));
        let Some(first) = waiting.first() else { return Some((Need::Operator, tasks)) };
        let most = network.most_added().min(short);
        match network.check(&Change::adding([*first]), self.minimum_f()) {
            Ok(_) => Some((Need::Proposal(Intended::Trust { nodes: waiting, most }), tasks)),
            // A service of one node can be upgraded in no other way.
            Err(_) if network.is_second_node(&Change::adding([*first])) => {
                Some((Need::Proposal(Intended::Trust { nodes: waiting, most: 1 }), tasks))
            }
            // A node that is dead stands in the way: without it, those that live are a majority again.
            Err(refused) => {
                let (need, more) =
                    self.retire_one_of(network, self.dead()).unwrap_or_else(|| self.stuck(network, refused));
                tasks.extend(more);
                Some((need, tasks))
            }
        }
    }

    /// Nodes of CCF 7 join a service of CCF 6 from a snapshot that was made for them.
    fn needs_snapshot(&self) -> bool {
        let joined = self.seen.nodes.iter().any(|node| self.kind(node) == CodeKind::New);
        let made = self.seen.proposals.values().any(|known| {
            let actions = known.proposal.as_ref().map(|p| p.actions()).unwrap_or_default();
            known.state == ProposalState::Accepted && matches!(actions, [one] if one.name == "trigger_snapshot")
        });
        self.plan.joins_from_snapshot(self.seen) && !joined && !made
    }

    fn rules(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        if let Some(bundle) = &self.plan.application
            && Application::of_bundle(bundle)
                .is_some_and(|wanted| self.seen.application.as_ref().is_some_and(|running| !running.is_as(&wanted)))
        {
            actions.push(Action::new("set_js_app", Some(json!({ "bundle": bundle }))));
        }
        if let Some(constitution) = &self.plan.constitution
            && self.seen.constitution.as_ref().is_some_and(|running| running != constitution)
        {
            // Last: everything else is applied by the rules under which it was voted on.
            actions.push(Action::new("set_constitution", Some(json!({ "constitution": constitution }))));
        }
        actions
    }

    /// What may join, and is not the new code.
    fn surplus(&self) -> Vec<Action> {
        let removals = self.old.registered.iter().map(|(kind, key)| super::code::removal(*kind, key));
        self.plan.new.raises(&self.seen.join_policy).into_iter().chain(removals).collect()
    }

    /// How many nodes are to be able to fail: no more than in the end can.
    pub(super) fn minimum_f(&self) -> usize {
        self.plan.minimum_f.min(Quorum::of(self.plan.nodes).f)
    }

    pub(super) fn kind(&self, node: &ObservedNode) -> CodeKind {
        self.old.kind_of(self.plan, node)
    }

    pub(super) fn of(&self, status: NodeStatus, kind: CodeKind) -> impl Iterator<Item = &'a ObservedNode> {
        self.seen.nodes_that_are(status).filter(move |node| self.kind(node) == kind)
    }
}
