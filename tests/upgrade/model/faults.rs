//! What goes wrong: nodes, elections, hands, other tools.

use std::rc::Rc;

use ccf_gov::id::{MemberId, NodeId, ProposalId};
use ccf_gov::proposal::{Action, Proposal};
use ccf_gov::service::{NodeStatus, ProposalState};
use ccf_gov::upgrade::Need;
use serde_json::json;

use super::schedule::Schedule;
use super::state::Ballot;

impl Schedule {
    pub fn fault(&mut self) {
        match self.random.below(12) {
            0 | 1 => self.kill(),
            2 => {
                let dead: Vec<NodeId> =
                    self.network.processes.iter().filter(|(_, p)| !p.alive).map(|(id, _)| *id).collect();
                if let Some(id) = self.random.pick(&dead) {
                    self.network.revive(id);
                    self.tell(format!("node {} lives again", id.short()));
                }
            }
            3 => {
                let old = self.network.primary.take();
                self.network.elect(&mut self.random, old);
                self.tell(format!("an election: {:?}", self.network.primary.map(|id| id.short())));
            }
            4 | 5 => self.vote_by_hand(),
            6 => self.withdraw_by_hand(),
            7 | 8 => self.foreign_proposal(),
            9 => {
                let code = if self.random.percent(50) { self.codes.new.clone() } else { self.codes.old.clone() };
                let genuine = self.random.percent(50);
                if !code.is_empty() {
                    self.join(code, genuine);
                }
            }
            10 => self.expire(),
            _ => self.look_alike(),
        }
    }

    fn kill(&mut self) {
        let alive: Vec<NodeId> =
            self.network.processes.keys().copied().filter(|id| self.network.is_alive(*id)).collect();
        let Some(id) = self.random.pick(&alive) else { return };
        self.network.kill(id);
        if !self.network.can_commit() && self.random.percent(80) {
            self.network.revive(id);
            return;
        }
        self.tell(format!("node {} dies", id.short()));
        self.excuse();
    }

    /// A pending node that does not ask again is forgotten.
    fn expire(&mut self) {
        let pending = self.network.state().nodes.iter().filter(|(_, entry)| entry.status == NodeStatus::Pending);
        let pending: Vec<NodeId> = pending.map(|(id, _)| *id).collect();
        if let Some(id) = self.random.pick(&pending) {
            let done = self.network.write(|state| {
                state.nodes.remove(&id);
                Ok(())
            });
            self.tell(format!("pending node {} is forgotten: {done:?}", id.short()));
        }
    }

    fn open(&self) -> Vec<ProposalId> {
        let open = self.network.state().proposals.iter().filter(|(_, held)| held.state == ProposalState::Open);
        open.map(|(id, _)| *id).collect()
    }

    fn members(&self) -> Vec<MemberId> {
        self.network.state().members.iter().copied().collect()
    }

    fn vote_by_hand(&mut self) {
        let (Some(id), Some(member)) = (self.random.pick(&self.open()), self.random.pick(&self.members())) else {
            return;
        };
        let yes = self.random.percent(70);
        let done = self.network.write(|state| state.vote(id, member, Ballot::Hand(yes)));
        self.tell(format!("{} votes {yes} by hand for {}: {done:?}", member.short(), id.short()));
        if done == Ok(true) {
            self.excuse();
        }
    }

    fn withdraw_by_hand(&mut self) {
        let Some(id) = self.random.pick(&self.open()) else { return };
        let proposer = self.network.state().proposals[&id].proposer;
        let done = self.network.write(|state| state.withdraw(id, proposer));
        self.tell(format!("{} withdraws {} by hand: {done:?}", proposer.short(), id.short()));
    }

    /// Another tool proposes what the plan knows nothing of.
    fn foreign_proposal(&mut self) {
        let nodes: Vec<NodeId> = self.network.state().nodes.keys().copied().collect();
        let node = self.random.pick(&nodes).unwrap();
        let code = self.random.hex();
        let action = match self.random.below(5) {
            0 => Action::new("remove_node", Some(json!({ "node_id": node }))),
            1 => {
                Action::new("transition_node_to_trusted", Some(json!({"node_id": node, "valid_from": "261126000000Z"})))
            }
            2 => Action::new("add_virtual_host_data", Some(json!({ "host_data": code }))),
            3 => Action::new("remove_virtual_host_data", Some(json!({ "host_data": self.codes.new }))),
            _ => Action::new("set_user", Some(json!({"cert": "x"}))),
        };
        self.submit(Proposal::of(vec![action]));
    }

    /// A proposal that is nearly what is needed.
    fn look_alike(&mut self) {
        let look = self.look();
        let Need::Proposal(intended) = ccf_gov::upgrade::wanted(&self.plan, &look.seen).need else { return };
        let good = intended.proposal(&self.plan, look.seen.at).unwrap();
        let Some(other) = super::mutation::mutation(&good, &mut self.random) else { return };
        self.submit(other);
    }

    fn submit(&mut self, proposal: Proposal) {
        let (id, member) = (self.random.hex().parse().unwrap(), self.random.pick(&self.members()).unwrap());
        let text = proposal.value().to_string();
        let done = self.network.write(|state| {
            state.propose(id, member, Rc::new(proposal), false);
            Ok(())
        });
        self.tell(format!("{} proposes {} by hand: {text}: {done:?}", member.short(), id.short()));
    }
}
