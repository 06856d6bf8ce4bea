//! What the ledger of a network in memory says: nodes, join policy, constitution, proposals, and how they change.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ccf_gov::id::{MemberId, NodeId, ProposalId};
use ccf_gov::proposal::{Action, Proposal};
use ccf_gov::service::{NodeStatus, ProposalState};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub status: NodeStatus,
    pub retired_committed: bool,
    /// Its host data.
    pub code: Rc<str>,
    /// Whether its attestation is genuine.
    pub genuine: bool,
}

/// What a guarded ballot holds on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guards {
    pub constitution: Rc<str>,
    pub trusted: Option<Rc<BTreeSet<NodeId>>>,
    pub nodes: BTreeMap<NodeId, Entry>,
    pub policy: Option<BTreeSet<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ballot {
    /// Cast by hand, without a condition.
    Hand(bool),
    /// Cast by a step: yes while this is so.
    Guarded(Rc<Guards>),
}

#[derive(Clone, Debug)]
pub struct Held {
    pub proposer: MemberId,
    pub state: ProposalState,
    pub proposal: Rc<Proposal>,
    pub ballots: BTreeMap<MemberId, Ballot>,
    /// Made by a step.
    pub ours: bool,
}

#[derive(Clone, Debug)]
pub struct State {
    pub members: BTreeSet<MemberId>,
    pub nodes: BTreeMap<NodeId, Entry>,
    /// Those of them that are trusted.
    pub trusted: Rc<BTreeSet<NodeId>>,
    /// Host data that may join.
    pub policy: BTreeSet<String>,
    pub constitution: Rc<str>,
    pub proposals: BTreeMap<ProposalId, Held>,
    /// Whether a majority of no rejects a proposal: CCF's sample never does.
    pub rejects: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Refused(pub &'static str);

impl State {
    pub fn reconfigure(&mut self) {
        let trusted = self.nodes.iter().filter(|(_, entry)| entry.status == NodeStatus::Trusted);
        let trusted: BTreeSet<NodeId> = trusted.map(|(id, _)| *id).collect();
        if trusted != *self.trusted {
            self.trusted = Rc::new(trusted);
        }
    }

    pub fn holds(&self, ballot: &Ballot) -> bool {
        let Ballot::Guarded(guards) = ballot else { return true };
        guards.constitution == self.constitution
            && guards.trusted.as_ref().is_none_or(|trusted| *trusted == self.trusted)
            && guards.policy.as_ref().is_none_or(|policy| *policy == self.policy)
            && guards.nodes.iter().all(|(id, entry)| self.nodes.get(id) == Some(entry))
    }

    pub fn propose(&mut self, id: ProposalId, proposer: MemberId, proposal: Rc<Proposal>, ours: bool) {
        let state = ProposalState::Open;
        self.proposals.insert(id, Held { proposer, state, proposal, ballots: BTreeMap::new(), ours });
    }

    /// Whether the ballot decided the proposal: then it is applied.
    pub fn vote(&mut self, id: ProposalId, member: MemberId, ballot: Ballot) -> Result<bool, Refused> {
        let held = self.proposals.get_mut(&id).ok_or(Refused("no such proposal"))?;
        if held.state != ProposalState::Open {
            return Err(Refused("not open"));
        }
        if held.ballots.get(&member).is_some_and(|known| *known != ballot) {
            return Err(Refused("voted already"));
        }
        held.ballots.insert(member, ballot);
        let held = held.clone();
        let says = |ballot: &&Ballot| match ballot {
            Ballot::Hand(yes) => *yes,
            guarded => self.holds(guarded),
        };
        let yes = held.ballots.values().filter(says).count();
        let no = held.ballots.len() - yes;
        if yes > self.members.len() / 2 {
            for action in held.proposal.actions() {
                self.apply(id, action)?;
            }
            self.reconfigure();
            self.close(id, ProposalState::Accepted);
            return Ok(true);
        }
        if self.rejects && no > self.members.len() / 2 {
            self.close(id, ProposalState::Rejected);
        }
        Ok(false)
    }

    pub fn withdraw(&mut self, id: ProposalId, member: MemberId) -> Result<(), Refused> {
        let held = self.proposals.get(&id).ok_or(Refused("no such proposal"))?;
        if held.state != ProposalState::Open || held.proposer != member {
            return Err(Refused("not open, or not yours"));
        }
        self.close(id, ProposalState::Withdrawn);
        Ok(())
    }

    pub fn delete(&mut self, id: NodeId) -> Result<(), Refused> {
        match self.nodes.get(&id) {
            Some(entry) if entry.retired_committed => drop(self.nodes.remove(&id)),
            _ => return Err(Refused("not removable")),
        }
        Ok(())
    }

    /// A proposal that is resolved takes every other one that is closed with it.
    fn close(&mut self, id: ProposalId, state: ProposalState) {
        self.proposals.retain(|known, held| *known == id || held.state == ProposalState::Open);
        self.proposals.get_mut(&id).unwrap().state = state;
    }

    fn drop_others(&mut self, id: ProposalId) {
        for (_, held) in
            self.proposals.iter_mut().filter(|(known, held)| **known != id && held.state == ProposalState::Open)
        {
            held.state = ProposalState::Dropped;
        }
    }

    fn apply(&mut self, id: ProposalId, action: &Action) -> Result<(), Refused> {
        let node = || action.text("node_id").and_then(|id| id.parse::<NodeId>().ok());
        let text = |name: &str| action.text(name).map(str::to_owned).ok_or(Refused("an argument is missing"));
        match action.name.as_str() {
            "transition_node_to_trusted" => {
                let entry = node().and_then(|id| self.nodes.get_mut(&id)).ok_or(Refused("no such node"))?;
                if entry.status == NodeStatus::Pending {
                    entry.status = NodeStatus::Trusted;
                }
            }
            "remove_node" => match node().and_then(|id| Some((id, self.nodes.get_mut(&id)?))) {
                Some((id, entry)) if entry.status == NodeStatus::Pending => drop(self.nodes.remove(&id)),
                Some((_, entry)) => entry.status = NodeStatus::Retired,
                None => {}
            },
            "add_virtual_host_data" => {
                self.policy.insert(text("host_data")?);
                self.drop_others(id);
            }
            "remove_virtual_host_data" => {
                self.policy.remove(&text("host_data")?);
            }
            "set_constitution" => {
                self.constitution = text("constitution")?.into();
                self.drop_others(id);
            }
            _ => return Err(Refused("no such action")),
        }
        Ok(())
    }
}
