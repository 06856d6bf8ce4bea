//! Faults at their moments, and how the walk goes on.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::stage::Stage;
use super::{End, Event, Fault, FaultKind, RehearsedFault};
use crate::id::{MemberId, NodeId};
use crate::sandbox::NodeState;
use crate::service::{NodeStatus, ProposalState};
use crate::upgrade::quorum::Quorum;
use crate::upgrade::{CodeKind, Observed, Phase, Topology, UpgradeError, Who};

/// How long a slow node takes to catch up.
const SLOW: Duration = Duration::from_secs(3);
/// How long an election is waited for.
const ELECTION: Duration = Duration::from_secs(10);
/// How often it is looked whether it is over.
const LOOK: Duration = Duration::from_millis(20);

/// A fault that came.
pub(super) struct Injected {
    fault: Fault,
    pub(super) at: Instant,
    /// The node that died.
    died: Option<NodeId>,
    told: RehearsedFault,
}

impl Injected {
    /// Whether the service itself may be disturbed by it for a while.
    pub(super) fn unsettles(&self) -> bool {
        matches!(self.fault.kind, FaultKind::PrimaryDies | FaultKind::NodeDies | FaultKind::Election)
    }
}

impl Stage {
    /// Lets everything go wrong whose moment it is.
    pub(super) async fn inject(&mut self, report: &mut dyn FnMut(Event<'_>)) -> Result<(), UpgradeError> {
        if self.faults.is_empty() {
            return Ok(());
        }
        // What cannot be seen now, while something else went wrong, is seen in the next turn.
        let Ok((seen, next)) = self.walk(Who::default()).look().await else { return Ok(()) };
        let (due, ahead) = self.faults.iter().partition(|fault| fault.phase == next.phase());
        self.faults = ahead;
        for fault in due {
            let Some((what, died)) = self.go_wrong(fault, &seen).await? else {
                self.faults.push(fault);
                continue;
            };
            let told =
                RehearsedFault { fault: fault.to_string(), after_step: Some(self.steps.len()), what, recovery: None };
            report(Event::Fault(&told));
            self.injected.push(Injected { fault, at: Instant::now(), died, told });
        }
        Ok(())
    }

    /// What went wrong, in words, and the node that died of it; `None` if it cannot go wrong yet.
    async fn go_wrong(
        &mut self,
        fault: Fault,
        seen: &Observed,
    ) -> Result<Option<(String, Option<NodeId>)>, UpgradeError> {
        let can_spare = self.can_spare_a_node(seen);
        let what = match fault.kind {
            FaultKind::PrimaryDies if can_spare => return Ok(self.primary().map(|id| self.stop(id, "the primary"))),
            FaultKind::NodeDies if can_spare => {
                return Ok(self.backup(seen, fault.phase).map(|id| self.stop(id, "a backup")));
            }
            FaultKind::Election if can_spare => self.elect().await?,
            FaultKind::PrimaryDies | FaultKind::NodeDies | FaultKind::Election => None,
            FaultKind::SlowJoin => {
                self.sandbox.set_catch_up(SLOW);
                Some(format!("nodes that are trusted take {} seconds to catch up", SLOW.as_secs()))
            }
            FaultKind::DroppedProposal => self.drop_one(seen),
            FaultKind::MemberAbsent => self.leave(seen),
        };
        Ok(what.map(|what| (what, None)))
    }

    /// Whether those that are left without one node are still a majority.
    fn can_spare_a_node(&self, seen: &Observed) -> bool {
        let trusted: Vec<NodeId> = seen.nodes_that_are(NodeStatus::Trusted).map(|node| node.id).collect();
        let live = trusted.iter().filter(|id| seen.is_caught_up(**id)).count();
        live > Quorum::of(trusted.len()).majority
    }

    fn primary(&self) -> Option<NodeId> {
        self.sandbox.primary()
    }

    /// A trusted node that does not lead: an old one as long as old ones are needed.
    fn backup(&self, seen: &Observed, phase: Phase) -> Option<NodeId> {
        let topology = Topology::of(&self.plan, seen);
        let backups =
            topology.nodes.into_iter().filter(|n| n.status == NodeStatus::Trusted && n.caught_up && !n.primary);
        let first = if phase <= Phase::Retire { CodeKind::Old } else { CodeKind::New };
        backups.min_by_key(|node| node.code != first).map(|node| node.node_id)
    }

    fn stop(&self, id: NodeId, what: &str) -> (String, Option<NodeId>) {
        // It was running a moment ago; one that has stopped since is as dead.
        let _ = self.sandbox.stop(id);
        (format!("node {}, {what}, dies", id.short()), Some(id))
    }

    /// Cuts the primary off until another one is elected.
    async fn elect(&self) -> Result<Option<String>, UpgradeError> {
        let Some(old) = self.primary() else { return Ok(None) };
        self.sandbox.pause(old).map_err(UpgradeError::Sandbox)?;
        let until = Instant::now() + ELECTION;
        let new = loop {
            match self.primary().filter(|new| *new != old) {
                None if Instant::now() < until => sleep(LOOK).await,
                new => break new,
            }
        };
        self.sandbox.resume(old).map_err(UpgradeError::Sandbox)?;
        let new = new.map_or_else(|| "nobody".into(), |id| format!("node {}", id.short()));
        Ok(Some(format!("node {} is cut off and comes back; meanwhile the others elect {new}", old.short())))
    }

    /// Drops a proposal of the plan that is open and lacks votes.
    fn drop_one(&self, seen: &Observed) -> Option<String> {
        let (id, _) = seen.proposals.iter().find(|(_, known)| known.state == ProposalState::Open)?;
        self.sandbox.drop_proposal(*id).ok()?;
        Some(format!("the open proposal {} is dropped", id.short()))
    }

    /// The last member who is still there takes no step any more.
    fn leave(&mut self, seen: &Observed) -> Option<String> {
        let members = self.signers.iter().map(|signer| signer.certificate().member_id());
        let there: Vec<MemberId> = members.filter(|id| !self.absent.contains(id)).collect();
        let gone = *there.last()?;
        self.absent.insert(gone);
        Some(format!("{} takes no step any more", seen.name(gone)))
    }

    /// Notes how the walk went on after what went wrong, once somebody has done something.
    pub(super) fn recovered(&mut self, who: &str) {
        let Some(step) = self.steps.last() else { return };
        let did = step.did.first().map(|did| did.what.clone()).unwrap_or_default();
        let leader = step.topology.nodes.iter().find(|node| node.primary).map(|node| node.node_id.short());
        for injected in self.injected.iter_mut().filter(|injected| injected.told.recovery.is_none()) {
            let felt = match injected.fault.kind {
                // It is over when the new nodes have caught up.
                FaultKind::SlowJoin => step.phase > Phase::JoinAndTrust,
                _ => true,
            };
            if !felt {
                continue;
            }
            let seconds = injected.at.elapsed().as_secs_f64();
            let mut recovery = format!("{seconds:.1} seconds later, {who} did: {did}");
            if let (true, Some(leader)) = (injected.unsettles(), &leader) {
                recovery += &format!("; node {leader} leads");
            }
            injected.told.recovery = Some(recovery);
        }
    }

    /// What became of a node that died.
    fn fate(&self, id: NodeId) -> &'static str {
        let listed = self.steps.last().and_then(|step| step.topology.nodes.iter().find(|node| node.node_id == id));
        match listed.map(|node| node.status) {
            _ if self.sandbox.nodes().iter().any(|node| node.id == id && node.state == NodeState::Running) => {
                "runs again, for the operator started it"
            }
            None => "is retired and deleted",
            Some(NodeStatus::Retired) => "is retired",
            Some(_) => "is still a node of the service",
        }
    }

    /// Every fault that was asked for: those that came, and those whose moment did not.
    pub(super) fn told_faults(&self, end: &End) -> Vec<RehearsedFault> {
        let mut told: Vec<RehearsedFault> = self.injected.iter().map(|injected| injected.told.clone()).collect();
        if *end != End::Done {
            // What the walk waits for in the end it has not recovered from.
            let absences = self.injected.iter().zip(&mut told);
            absences
                .filter(|(injected, _)| injected.fault.kind == FaultKind::MemberAbsent)
                .for_each(|(_, told)| told.recovery = None);
        }
        for (injected, told) in self.injected.iter().zip(&mut told) {
            if let (Some(id), Some(recovery)) = (injected.died, &mut told.recovery) {
                *recovery += &format!("; in the end, node {} {}", id.short(), self.fate(id));
            }
        }
        let never = self.faults.iter().map(|fault| RehearsedFault {
            fault: fault.to_string(),
            after_step: None,
            what: match fault.kind {
                FaultKind::DroppedProposal => {
                    "it did not come: no proposal of that phase was open and lacked votes".into()
                }
                FaultKind::PrimaryDies | FaultKind::NodeDies | FaultKind::Election => {
                    "it did not come: the walk has no such phase, or the service could spare no node then".into()
                }
                FaultKind::SlowJoin | FaultKind::MemberAbsent => {
                    "it did not come: the walk has no such phase".to_owned()
                }
            },
            recovery: None,
        });
        told.extend(never);
        told
    }
}
