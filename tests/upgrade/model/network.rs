//! Nodes of a network in memory: processes that live and die, a log with what is not committed yet, elections.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ccf_gov::id::NodeId;
use ccf_gov::service::NodeStatus;

use super::random::Random;
use super::state::{Refused, State};

#[derive(Clone, Copy, Debug)]
pub struct Process {
    pub alive: bool,
    /// When it died, in milliseconds.
    pub died: u64,
    /// How much of the log it has.
    pub has: u64,
    /// Whether the primary of this view has heard that from it.
    pub told: bool,
}

pub struct Network {
    pub now: u64,
    pub view: u64,
    pub primary: Option<NodeId>,
    pub processes: BTreeMap<NodeId, Process>,
    /// What is committed, and after it what is not.
    pub log: Vec<Rc<State>>,
    /// The sequence number of what is committed.
    pub committed: u64,
    /// Whether transactions before a reconfiguration commit without the new nodes, as from CCF 7.0.25 on.
    pub new_rule: bool,
}

pub fn majority(n: usize) -> usize {
    n / 2 + 1
}

impl Network {
    pub fn state(&self) -> &Rc<State> {
        self.log.last().unwrap()
    }

    pub fn last(&self) -> u64 {
        self.committed + self.log.len() as u64 - 1
    }

    pub fn is_alive(&self, id: NodeId) -> bool {
        self.processes.get(&id).is_some_and(|process| process.alive)
    }

    /// The configurations of which each must agree, up to this entry of the log.
    fn configurations(log: &[Rc<State>]) -> Vec<Rc<BTreeSet<NodeId>>> {
        let mut all: Vec<_> = log.iter().map(|state| state.trusted.clone()).collect();
        all.dedup();
        all
    }

    pub fn active(&self) -> Vec<Rc<BTreeSet<NodeId>>> {
        Self::configurations(&self.log)
    }

    /// Whether every configuration has a majority that lives.
    pub fn can_commit(&self) -> bool {
        self.active().iter().all(|nodes| nodes.iter().filter(|id| self.is_alive(**id)).count() >= majority(nodes.len()))
    }

    pub fn write<T>(&mut self, change: impl FnOnce(&mut State) -> Result<T, Refused>) -> Result<T, Refused> {
        let primary = self.primary.filter(|id| self.is_alive(*id)).ok_or(Refused("no primary"))?;
        let mut state = State::clone(self.state());
        let done = change(&mut state)?;
        self.log.push(Rc::new(state));
        let last = self.last();
        self.processes.get_mut(&primary).unwrap().has = last;
        Ok(done)
    }

    /// Some time passes.
    pub fn tick(&mut self, random: &mut Random) {
        self.now += 100 + random.below(400) as u64;
        if self.primary.is_some_and(|id| !self.is_alive(id)) || (self.primary.is_some() && !self.can_commit()) {
            self.primary = None;
        }
        match self.primary {
            Some(_) => self.replicate(random),
            None => self.elect(random, None),
        }
    }

    fn replicate(&mut self, random: &mut Random) {
        let (last, primary) = (self.last(), self.primary.unwrap());
        let has_all = |id: &NodeId| !self.is_alive(*id) || (self.processes[id].told && self.processes[id].has == last);
        if self.log.len() == 1 && self.state().trusted.iter().all(has_all) {
            return;
        }
        let nodes: BTreeSet<NodeId> = self.active().iter().flat_map(|nodes| nodes.iter().copied()).collect();
        for id in nodes {
            let process = self.processes.get_mut(&id).unwrap();
            if id == primary || (process.alive && random.percent(60)) {
                // A new node first has what a snapshot brings, then the rest.
                process.has = if process.has == 0 && id != primary { 1 } else { last };
                process.told = true;
            }
        }
        self.commit();
    }

    fn commit(&mut self) {
        let has = |id: &NodeId, at: u64| self.processes[id].told && self.processes[id].has >= at;
        let committable = (1..self.log.len()).rev().find(|at| {
            let counted = if self.new_rule { &self.log[..=*at] } else { &self.log[..] };
            let seqno = self.committed + *at as u64;
            Self::configurations(counted)
                .iter()
                .all(|nodes| nodes.iter().filter(|id| has(id, seqno)).count() >= majority(nodes.len()))
        });
        let Some(at) = committable else { return };
        self.log.drain(..at);
        self.committed += at as u64;
        let gone: Vec<NodeId> = self.log[0]
            .nodes
            .iter()
            .filter(|(_, entry)| entry.status == NodeStatus::Retired && !entry.retired_committed)
            .map(|(id, _)| *id)
            .collect();
        let trusted = self.log[0].trusted.clone();
        if !gone.is_empty() {
            let _ = self.write(|state| {
                for id in gone {
                    state.nodes.entry(id).and_modify(|entry| entry.retired_committed = true);
                }
                Ok(())
            });
        }
        if self.primary.is_some_and(|id| !trusted.contains(&id)) {
            self.primary = None;
        }
    }

    /// A node that lives, has enough of the log, and gets a majority of every configuration it knows, leads. What it does not
    /// have is lost.
    pub fn elect(&mut self, random: &mut Random, except: Option<NodeId>) {
        let mut candidates: Vec<NodeId> =
            self.active().iter().flat_map(|nodes| nodes.iter().copied()).filter(|id| Some(*id) != except).collect();
        candidates.retain(|id| self.is_alive(*id) && self.processes[id].has >= self.committed);
        candidates.sort_by_key(|_| random.next());
        for id in candidates {
            let has = self.processes[&id].has.min(self.last());
            let log = &self.log[..=(has - self.committed) as usize];
            let known = Self::configurations(log);
            let votes = |voter: &NodeId| self.is_alive(*voter) && self.processes[voter].has <= has;
            let elected =
                known.iter().all(|nodes| nodes.iter().filter(|id| votes(id)).count() >= majority(nodes.len()));
            if !elected || !known.iter().any(|nodes| nodes.contains(&id)) {
                continue;
            }
            self.log.truncate((has - self.committed) as usize + 1);
            for process in self.processes.values_mut() {
                process.has = process.has.min(has);
                process.told = false;
            }
            (self.primary, self.view) = (Some(id), self.view + 1);
            self.processes.get_mut(&id).unwrap().told = true;
            // Only with something of its own view does a primary commit what is older.
            let _ = self.write(|_| Ok(()));
            return;
        }
    }

    pub fn kill(&mut self, id: NodeId) {
        let now = self.now;
        if let Some(process) = self.processes.get_mut(&id).filter(|process| process.alive) {
            (process.alive, process.died) = (false, now);
        }
    }

    pub fn revive(&mut self, id: NodeId) {
        if let Some(process) = self.processes.get_mut(&id) {
            process.alive = true;
        }
    }

    pub fn start(&mut self, id: NodeId) {
        self.processes.insert(id, Process { alive: true, died: 0, has: 0, told: false });
    }
}
