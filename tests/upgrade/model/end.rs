//! How a schedule may end.

use std::collections::BTreeSet;

use ccf_gov::proposal::Action;
use ccf_gov::service::{NodeStatus, ProposalState};
use ccf_gov::upgrade::{Doing, Waiting, Whom, next};

use super::look::observed;
use super::schedule::{End, Schedule};
use super::state::Held;

impl Schedule {
    pub fn end(&mut self) -> Result<End, String> {
        let seen = observed(self.network.state(), true, &self.network);
        let mut end = End::Done;
        for who in self.people() {
            let decided = next(&self.plan, &seen, Self::who(who));
            let found = match &decided.doing {
                Doing::Done => End::Done,
                Doing::Wait(waiting) => self.waits(waiting)?,
                Doing::Blocked(reasons) => self.blocked(reasons)?,
                Doing::Act(act) => return Err(format!("something is left to do: {act:?}")),
            };
            if who != self.people()[0] && found != end {
                return Err(format!("some say {end:?}, others {found:?}"));
            }
            end = found;
        }
        if end != End::Blocked {
            self.nothing_twice()?;
        }
        if end == End::Done {
            self.all_is_as_planned()?
        }
        Ok(end)
    }

    fn waits(&self, waiting: &[Waiting]) -> Result<End, String> {
        for wait in waiting {
            match &wait.whom {
                Whom::Members(members) if wait.what.starts_with("agree") && !members.is_empty() => {
                    return Ok(End::Members);
                }
                Whom::Members(members) if members.iter().any(|id| !self.present.contains(id)) => {
                    let idle: Vec<_> = members.iter().filter(|id| self.present.contains(id)).collect();
                    return if idle.is_empty() {
                        Ok(End::Members)
                    } else {
                        Err(format!("{} is waited for by name and has nothing to do: {}", idle[0], wait.what))
                    };
                }
                Whom::Service if self.excused && wait.what.contains("the operator sees to") => {
                    return Ok(End::Operator);
                }
                Whom::Operator if !self.willing || wait.what.starts_with("see to") => return Ok(End::Operator),
                _ => {}
            }
        }
        Err(format!("nobody is waited for who is not here: {waiting:?}"))
    }

    fn blocked(&self, reasons: &[String]) -> Result<End, String> {
        let known = |reason: &String| {
            reason.contains("several codes")
                || reason.starts_with("open-proposals")
                || (self.excused && reason.contains("disaster recovery"))
                || reason.starts_with("node-count")
                || (self.excused && reason.contains("new majority"))
        };
        if reasons.iter().all(known) { Ok(End::Blocked) } else { Err(format!("blocked without need: {reasons:?}")) }
    }

    /// No two open proposals of members who are here, made by steps, do the same.
    fn nothing_twice(&self) -> Result<(), String> {
        let state = self.network.state();
        let ours =
            |held: &&Held| held.ours && held.state == ProposalState::Open && self.present.contains(&held.proposer);
        let mut seen = BTreeSet::new();
        for held in state.proposals.values().filter(ours) {
            let effect = |action: &Action| {
                let of = ["node_id", "host_data", "constitution"]
                    .map(|name| action.text(name).unwrap_or_default().to_owned());
                (action.name.clone(), of)
            };
            let effects: BTreeSet<_> = held.proposal.actions().iter().map(effect).collect();
            if !seen.insert(effects) {
                return Err(format!("proposed twice for good: {}", held.proposal.value()));
            }
        }
        Ok(())
    }

    fn all_is_as_planned(&self) -> Result<(), String> {
        let state = self.network.state();
        let trusted = state.nodes.iter().filter(|(_, entry)| entry.status == NodeStatus::Trusted);
        let (other, ours): (Vec<_>, Vec<_>) = trusted.partition(|(id, entry)| self.codes.is_other(id, entry));
        let good = ours.len() == self.plan.nodes
            && ours.iter().all(|(_, entry)| *entry.code == *self.codes.new)
            && state.policy.contains(&self.codes.new)
            && (self.codes.old.is_empty() || !state.policy.contains(&self.codes.old))
            && self.plan.constitution.as_deref().is_none_or(|text| text == &*state.constitution);
        if good {
            Ok(())
        } else {
            Err(format!("done, but not as planned: {ours:?}, others {other:?}, {:?}", state.policy))
        }
    }
}
