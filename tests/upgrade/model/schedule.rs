//! One random schedule: members and an operator who repeat their step, and what goes wrong meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ccf_gov::id::{MemberId, NodeId, ProposalId};
use ccf_gov::service::NodeStatus;
use ccf_gov::upgrade::{Act, Code, Doing, Intended, Named, Next, Observed, Plan, Task, Waiting, Who, Whom, next};

use super::look::observed;
use super::network::Network;
use super::oracle::{Codes, forbidden};
use super::random::Random;
use super::state::{Ballot, Entry, Guards, State};

/// What somebody saw, and what the ledger said then.
#[derive(Clone)]
pub struct Look {
    pub seen: Observed,
    pub state: Rc<State>,
}

/// How a schedule ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Done,
    /// For members who are absent.
    Members,
    Operator,
    Blocked,
}

pub struct Schedule {
    pub random: Random,
    pub network: Network,
    pub plan: Plan,
    pub codes: Codes,
    /// Members who come.
    pub present: BTreeSet<MemberId>,
    /// Whether the operator starts nodes again that died.
    pub willing: bool,
    /// What a person looked at and has not acted on yet.
    kept: BTreeMap<Option<MemberId>, Look>,
    /// More nodes were lost than the network tolerates, or people decided it so by hand.
    pub excused: bool,
    /// What happened, for a person who reads a failure.
    pub story: Vec<String>,
}

impl Schedule {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let members: BTreeSet<MemberId> = (0..3 + random.below(5)).map(|_| random.hex().parse().unwrap()).collect();
        let absent = if random.percent(30) { random.below(members.len()) } else { 0 };
        let present: BTreeSet<MemberId> = members.iter().skip(absent).copied().collect();
        let codes: Vec<String> = (0..3).map(|_| random.hex()).collect();
        let same = random.percent(20);
        let mut codes = Codes {
            new: codes[0].clone(),
            old: if same { String::new() } else { codes[1].clone() },
            named: BTreeSet::new(),
        };
        let first = if same { &codes.new } else { &codes.old };
        let entry = |code: &str| Entry {
            status: NodeStatus::Trusted,
            retired_committed: false,
            code: code.into(),
            genuine: true,
        };
        let mut nodes = BTreeMap::new();
        for _ in 0..[2, 3, 3, 3, 4, 5][random.below(6)] {
            nodes.insert(random.hex().parse::<NodeId>().unwrap(), entry(first));
        }
        let mut policy = BTreeSet::from([first.clone()]);
        let mut named = same.then(Named::default);
        if same && random.percent(60) {
            codes.named.extend(nodes.keys().take(1 + random.below(nodes.len())));
        } else if random.percent(25) {
            let other = random.hex();
            nodes.insert(random.hex().parse().unwrap(), entry(&other));
            policy.insert(other);
            named = Some(Named::default());
        }
        if let Some(named) = &mut named {
            named.nodes = codes.named.clone();
            if !same {
                let kind = ccf_gov::proposal::Registration::VirtualHostData;
                named.values.insert((kind, codes.old.clone()));
            }
        }
        let mut plan = Plan::of(Code::virtual_node(codes.new.parse().unwrap()), [3, 3, 3, 5, 4][random.below(5)]);
        plan.old = named;
        plan.constitution = random.percent(30).then(|| "new rules".into());
        let proposer = random.percent(20).then(|| random.pick(&members.iter().copied().collect::<Vec<_>>())).flatten();
        plan.proposer = proposer.map(Into::into);
        let first_primary = nodes.keys().next().copied();
        let ids: Vec<NodeId> = nodes.keys().copied().collect();
        let state = State {
            members,
            trusted: Rc::new(nodes.keys().copied().collect()),
            nodes,
            policy,
            constitution: "old rules".into(),
            proposals: BTreeMap::new(),
            rejects: random.percent(20),
        };
        let mut network = Network {
            now: 0,
            view: 2,
            primary: first_primary,
            processes: BTreeMap::new(),
            log: vec![Rc::new(state)],
            committed: 10,
            new_rule: random.percent(50),
        };
        for id in ids {
            network.start(id);
            network.processes.get_mut(&id).unwrap().has = 10;
        }
        let willing = random.percent(80);
        Self {
            random,
            network,
            plan,
            codes,
            present,
            willing,
            kept: BTreeMap::new(),
            excused: false,
            story: Vec::new(),
        }
    }

    /// Runs it to its end, or tells what must not have happened.
    pub fn run(&mut self) -> Result<End, String> {
        for _ in 0..20 + self.random.below(60) {
            match self.random.below(100) {
                0..60 => self.somebody()?,
                60..85 => self.network.tick(&mut self.random),
                _ => self.fault(),
            }
            self.commits()?;
        }
        self.quiet()
    }

    pub fn tell(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.story.push(format!("{:>6} ms: {what}", self.network.now));
    }

    /// The service must be able to commit, unless it was not our doing.
    fn commits(&mut self) -> Result<(), String> {
        if self.excused || self.network.can_commit() { Ok(()) } else { Err("nothing can be committed any more".into()) }
    }

    pub fn excuse(&mut self) {
        self.excused |= !self.network.can_commit();
    }

    pub fn people(&self) -> Vec<Option<MemberId>> {
        self.present.iter().copied().map(Some).chain([None]).collect()
    }

    pub fn look(&mut self) -> Look {
        let state = self.network.state().clone();
        let committed = self.network.log.len() == 1;
        if self.random.percent(10) {
            // The network is asked for later than the rest.
            self.network.tick(&mut self.random);
        }
        Look { seen: observed(&state, committed, &self.network), state }
    }

    /// Somebody looks, and acts at once or later.
    fn somebody(&mut self) -> Result<(), String> {
        let who = self.random.pick(&self.people()).unwrap();
        match self.kept.remove(&who) {
            Some(look) => self.act(who, look),
            None => {
                let look = self.look();
                if self.random.percent(30) {
                    self.kept.insert(who, look);
                    return Ok(());
                }
                self.act(who, look)
            }
        }
    }

    pub fn who(who: Option<MemberId>) -> Who {
        Who { member: who, operator: who.is_none() }
    }

    fn act(&mut self, who: Option<MemberId>, look: Look) -> Result<(), String> {
        let decided = next(&self.plan, &look.seen, Self::who(who));
        match (&decided.doing, who) {
            (Doing::Act(Act::Propose(intended)), Some(member)) => self.propose(member, intended, &look),
            (Doing::Act(Act::Vote(id, intended)), Some(member)) => self.vote(member, *id, intended, &look)?,
            (Doing::Act(Act::Withdraw(id)), Some(member)) => {
                let held = &look.state.proposals[id];
                if held.proposer != member {
                    return Err("another one's proposal is withdrawn".into());
                }
                let done = self.network.write(|state| state.withdraw(*id, member));
                self.tell(format!("{} withdraws {}: {done:?}", member.short(), id.short()));
            }
            (Doing::Act(Act::Delete(id)), None) => {
                if look.state.nodes.get(id).is_some_and(|entry| self.codes.is_other(id, entry)) {
                    return Err("another node is deleted".into());
                }
                self.network.kill(*id);
                self.excuse_nothing()?;
                let done = self.network.write(|state| state.delete(*id));
                self.tell(format!("the operator deletes {}: {done:?}", id.short()));
            }
            (Doing::Act(act), _) => return Err(format!("not theirs to do: {act:?}")),
            (_, None) => self.operate(&decided, &look),
            _ => {}
        }
        Ok(())
    }

    fn excuse_nothing(&mut self) -> Result<(), String> {
        self.commits().map_err(|_| "stopping a retired node stops the service".into())
    }

    fn operate(&mut self, decided: &Next, look: &Look) {
        for task in &decided.wanted.tasks {
            match task {
                Task::Start(count) if look.state.policy.contains(&self.codes.new) => {
                    for _ in 0..1 + self.random.below(*count) {
                        self.join(self.codes.new.clone(), true);
                    }
                }
                Task::Restore(id) | Task::Replace(id) if self.willing && self.random.percent(40) => {
                    self.network.revive(*id);
                    self.tell(format!("the operator starts {} again", id.short()));
                }
                _ => {}
            }
        }
    }

    pub fn join(&mut self, code: String, genuine: bool) {
        let id: NodeId = self.random.hex().parse().unwrap();
        let entry =
            Entry { status: NodeStatus::Pending, retired_committed: false, code: code.as_str().into(), genuine };
        let joined = self.network.write(|state| {
            state.policy.contains(&code).then_some(()).ok_or(super::state::Refused("not admitted"))?;
            state.nodes.insert(id, entry);
            Ok(())
        });
        self.tell(format!("node {} with code {} joins: {joined:?}", id.short(), &code[..4]));
        if joined.is_ok() {
            self.network.start(id);
        }
    }

    fn propose(&mut self, member: MemberId, intended: &Intended, look: &Look) {
        let proposal = Rc::new(intended.proposal(&self.plan, look.seen.at).unwrap());
        let id: ProposalId = self.random.hex().parse().unwrap();
        let title = intended.title(&self.plan);
        let done = self.network.write(|state| {
            state.propose(id, member, proposal, true);
            Ok(())
        });
        self.tell(format!("{} proposes {}, to {title}: {done:?}", member.short(), id.short()));
    }

    /// A guarded ballot of a step.
    fn vote(&mut self, member: MemberId, id: ProposalId, intended: &Intended, look: &Look) -> Result<(), String> {
        let proposal = &look.state.proposals[&id].proposal;
        let network = look.seen.replication.as_ref();
        forbidden(proposal, &look.state, network, &self.plan, &self.codes, look.seen.at)
            .map_err(|why| format!("a forbidden vote for {}: {why}\n{}", id.short(), proposal.value()))?;
        let network_change = matches!(intended, Intended::Trust { .. } | Intended::Retire(_));
        let of = proposal.actions().iter().filter_map(|action| action.text("node_id")?.parse().ok());
        let guards = Guards {
            constitution: look.state.constitution.clone(),
            trusted: network_change.then(|| look.state.trusted.clone()),
            nodes: of.filter_map(|id: NodeId| Some((id, look.state.nodes.get(&id)?.clone()))).collect(),
            policy: (!matches!(intended, Intended::Retire(_))).then(|| look.state.policy.clone()),
        };
        let before = self.network.can_commit();
        let done = self.network.write(|state| state.vote(id, member, Ballot::Guarded(Rc::new(guards))));
        self.tell(format!("{} votes for {}: {done:?}", member.short(), id.short()));
        if before && done == Ok(true) && !self.network.can_commit() {
            // Whoever has died since the voter looked could not be seen: that is no doing of ours.
            let live = network.map(ccf_gov::service::Replication::live).unwrap_or_default();
            let trusted = self.network.state().trusted.clone();
            self.excused |= trusted
                .iter()
                .any(|id| !self.network.is_alive(*id) && (live.contains(id) || !look.state.trusted.contains(id)));
        }
        Ok(())
    }

    /// Nothing goes wrong any more: everybody who comes repeats the step until nobody has anything to do.
    fn quiet(&mut self) -> Result<End, String> {
        self.tell("quiet");
        self.kept.clear();
        for _ in 0..200 {
            for _ in 0..6 {
                self.network.tick(&mut self.random);
            }
            let before = self.story.len();
            let mut people = self.people();
            people.sort_by_key(|_| self.random.next());
            for who in people {
                for _ in 0..4 {
                    self.network.tick(&mut self.random);
                }
                let look = self.look();
                self.act(who, look)?;
                self.commits()?;
            }
            if !self.network.can_commit() || (self.story.len() == before && self.is_at_rest()) {
                return self.end();
            }
        }
        Err("it never comes to an end".into())
    }

    /// Nothing is under way, and nobody has anything to do.
    fn is_at_rest(&mut self) -> bool {
        let seen = observed(self.network.state(), self.network.log.len() == 1, &self.network);
        // A willing operator may have looked a moment before there was something to start.
        let comes = |wait: &Waiting| match wait.whom {
            Whom::Service => true,
            Whom::Operator => self.willing && !wait.what.starts_with("see to"),
            Whom::Members(_) => false,
        };
        let moves = |who: &Option<MemberId>| match next(&self.plan, &seen, Self::who(*who)).doing {
            Doing::Act(_) => true,
            Doing::Wait(waiting) => waiting.iter().all(comes),
            _ => false,
        };
        !self.people().iter().any(moves)
    }
}
