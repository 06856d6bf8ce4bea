//! A service of three members at rest, in whichever situation.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ccf_gov::id::{MemberId, NodeId, ProposalId};
use ccf_gov::proposal::Proposal;
use ccf_gov::service::NodeStatus;
use ccf_gov::upgrade::{Act, Code, Doing, Need, Next, Observed, Plan, Task, Waiting, Who, next};

use super::look::observed;
use super::network::Network;
use super::random::Random;
use super::state::{Ballot, Entry, State};

pub const NOBODY: Who = Who { member: None, operator: false };
pub const OPERATOR: Who = Who { member: None, operator: true };

/// A service of three members, at rest.
pub struct Bench {
    pub network: Network,
    pub plan: Plan,
    pub random: Random,
    pub old: String,
    pub new: String,
}

impl Bench {
    /// So many nodes run the old code, and so many are to run the new one.
    pub fn new(old: usize, wanted: usize) -> Self {
        let mut random = Random::new(7);
        let (old_code, new) = (random.hex(), random.hex());
        let state = State {
            members: (0..3).map(|_| random.hex().parse().unwrap()).collect(),
            nodes: BTreeMap::new(),
            trusted: Rc::new(BTreeSet::new()),
            policy: BTreeSet::from([old_code.clone()]),
            constitution: "rules".into(),
            proposals: BTreeMap::new(),
            rejects: false,
        };
        let network = Network {
            now: 0,
            view: 2,
            primary: None,
            processes: BTreeMap::new(),
            log: vec![Rc::new(state)],
            committed: 10,
            new_rule: false,
        };
        let plan = Plan::of(Code::virtual_node(new.parse().unwrap()), wanted);
        let mut bench = Self { network, plan, random, old: old_code.clone(), new };
        for _ in 0..old {
            bench.node(&old_code, NodeStatus::Trusted);
        }
        bench.network.primary = bench.nodes().first().copied();
        bench
    }

    /// The new code may join, and so many nodes that run it are trusted.
    pub fn with_new(mut self, trusted: usize, pending: usize) -> Self {
        let new = self.new.clone();
        self.change(|state| {
            let _ = state.policy.insert(new.clone());
        });
        for _ in 0..trusted {
            self.node(&new, NodeStatus::Trusted);
        }
        for _ in 0..pending {
            self.node(&new, NodeStatus::Pending);
        }
        self.network.primary = self.network.primary.or(self.nodes().first().copied());
        self
    }

    pub fn change(&mut self, change: impl FnOnce(&mut State)) {
        let state = Rc::make_mut(self.network.log.last_mut().unwrap());
        change(state);
        state.reconfigure();
    }

    pub fn node(&mut self, code: &str, status: NodeStatus) -> NodeId {
        let id: NodeId = self.random.hex().parse().unwrap();
        let entry = Entry { status, retired_committed: false, code: code.into(), genuine: true };
        self.change(|state| drop(state.nodes.insert(id, entry)));
        self.network.start(id);
        let process = self.network.processes.get_mut(&id).unwrap();
        (process.has, process.told) = (10, true);
        id
    }

    pub fn nodes(&self) -> Vec<NodeId> {
        self.network.state().trusted.iter().copied().collect()
    }

    pub fn running(&self, code: &str) -> Vec<NodeId> {
        let state = self.network.state();
        self.nodes().into_iter().filter(|id| *state.nodes[id].code == *code).collect()
    }

    pub fn kill(&mut self, id: NodeId) {
        self.network.kill(id);
        self.network.now += 5000;
    }

    pub fn member(&self, at: usize) -> MemberId {
        *self.network.state().members.iter().nth(at).unwrap()
    }

    pub fn seen(&self) -> Observed {
        observed(self.network.state(), self.network.log.len() == 1, &self.network)
    }

    pub fn next(&self, who: Who) -> Next {
        next(&self.plan, &self.seen(), who)
    }

    pub fn of_member(&self, at: usize) -> Doing {
        self.next(Who { member: Some(self.member(at)), operator: false }).doing
    }

    pub fn need(&self) -> Need {
        self.next(NOBODY).wanted.need
    }

    pub fn tasks(&self) -> Vec<Task> {
        self.next(NOBODY).wanted.tasks
    }

    pub fn waiting(&self) -> Vec<Waiting> {
        match self.next(NOBODY).doing {
            Doing::Wait(waiting) => waiting,
            other => panic!("{other:?}"),
        }
    }

    /// An open proposal of what is needed now.
    pub fn propose(&mut self, by: usize) -> ProposalId {
        let Need::Proposal(intended) = self.need() else { panic!("no proposal is needed: {:?}", self.need()) };
        let proposal = intended.proposal(&self.plan, self.seen().at).unwrap();
        self.hold(by, proposal)
    }

    pub fn hold(&mut self, by: usize, proposal: Proposal) -> ProposalId {
        let (id, by) = (self.random.hex().parse().unwrap(), self.member(by));
        self.change(|state| state.propose(id, by, Rc::new(proposal), true));
        id
    }

    pub fn ballot(&mut self, id: ProposalId, by: usize, yes: bool) {
        let by = self.member(by);
        self.change(|state| assert!(state.vote(id, by, Ballot::Hand(yes)).is_ok()));
    }

    /// The members and the operator repeat their step until it is done; how many nodes are trusted after each change.
    pub fn walk(&mut self) -> Vec<usize> {
        let mut sizes = vec![self.nodes().len()];
        for _ in 0..400 {
            self.network.tick(&mut self.random);
            for at in 0..4 {
                let who = if at == 3 { OPERATOR } else { Who { member: Some(self.member(at)), operator: false } };
                let seen = self.seen();
                let decided = next(&self.plan, &seen, who);
                match decided.doing {
                    Doing::Done => return sizes,
                    Doing::Blocked(reasons) => panic!("{reasons:?}"),
                    Doing::Act(Act::Propose(_)) => drop(self.propose(at)),
                    Doing::Act(Act::Vote(id, _)) => {
                        let member = self.member(at);
                        self.network.write(|state| state.vote(id, member, Ballot::Hand(true))).unwrap();
                    }
                    Doing::Act(Act::Withdraw(id)) => panic!("{id} is withdrawn"),
                    Doing::Act(Act::Delete(id)) => self.network.write(|state| state.delete(id)).unwrap(),
                    Doing::Wait(_) if at == 3 => {
                        for task in decided.wanted.tasks {
                            if let Task::Start(count) = task {
                                let new = self.new.clone();
                                for _ in 0..count {
                                    self.node(&new, NodeStatus::Pending);
                                }
                            }
                        }
                    }
                    Doing::Wait(_) => {}
                }
                if *sizes.last().unwrap() != self.nodes().len() {
                    sizes.push(self.nodes().len());
                }
                for _ in 0..5 {
                    self.network.tick(&mut self.random);
                }
            }
        }
        panic!("it never ends: {:?}", self.need())
    }
}
