//! Random schedules on the sandbox, over TLS: members and an operator repeat their steps in any order, while nodes die, primaries are
//! lost, proposals are made twice, and others propose what the plan does not want. Every walk comes to its end.
//!
//! `CCF_GOV_SANDBOX_SCHEDULES=n` sets how many, `CCF_GOV_SEED=n` repeats one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ccf_gov::cose::MessageType;
use ccf_gov::id::ProposalId;
use ccf_gov::proposal::{Action, Proposal};
use ccf_gov::service::{NodeStatus, ProposalState};
use ccf_gov::upgrade::{Act, Doing};
use serde_json::json;

use super::stage::{Stage, is_done};

/// So many walks at once: most of one is waiting.
const THREADS: usize = 6;
/// How long one walk may take.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn random_schedules_on_the_sandbox_come_to_the_end() {
    let set = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let (first, count) = match set("CCF_GOV_SEED") {
        Some(seed) => (seed, 1),
        None => (0, set("CCF_GOV_SANDBOX_SCHEDULES").unwrap_or(100)),
    };
    let next = AtomicU64::new(first);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(Schedule::walk(seed));
                }
            });
        }
    });
}

struct Schedule {
    stage: Stage,
    seed: u64,
    state: u64,
    /// One node may die: more is disaster recovery.
    killed: bool,
    /// What somebody proposed that the plan does not want.
    foreign: Vec<(usize, ProposalId)>,
}

impl Schedule {
    async fn walk(seed: u64) {
        let state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut this = Self { stage: Stage::new().await, seed, state, killed: false, foreign: Vec::new() };
        let end = Instant::now() + PATIENCE;
        // Two members of three decide, so one may be absent.
        let members = if this.below(3) == 0 { 2 } else { 3 };
        loop {
            assert!(Instant::now() < end, "seed {}: {:?}", this.seed, this.stage.look(0).await.1);
            match this.below(12) {
                0 => this.kill().await,
                1 => this.elect().await,
                2 => this.propose_twice(members).await,
                3 => this.propose_something_else().await,
                4..=6 => drop(this.stage.operator().await),
                _ => {
                    let member = this.below(members) as usize;
                    if is_done(&this.stage.member(member).await) {
                        break;
                    }
                }
            }
        }
        this.check().await;
    }

    /// A number below `most`, from the seed.
    fn below(&mut self, most: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % most
    }

    /// Kills a trusted node, if all the others are well.
    async fn kill(&mut self) {
        let (seen, _) = self.stage.look(0).await;
        let trusted: Vec<_> = seen.nodes_that_are(NodeStatus::Trusted).map(|node| node.id).collect();
        let well = trusted.len() >= 3 && trusted.iter().all(|id| seen.is_caught_up(*id));
        if self.killed || !well {
            return;
        }
        let victim = trusted[self.below(trusted.len() as u64) as usize];
        self.killed = self.stage.sandbox.stop(victim).is_ok();
    }

    /// The primary falls silent for longer than the others wait.
    async fn elect(&mut self) {
        let Some(primary) = self.stage.sandbox.primary() else { return };
        if self.stage.sandbox.pause(primary).is_ok() {
            tokio::time::sleep(Duration::from_millis(600)).await;
            let _ = self.stage.sandbox.resume(primary);
        }
    }

    /// Two members decide on the same look, and both act.
    async fn propose_twice(&mut self, members: u64) {
        let looks = [0, members as usize - 1];
        let mut acts = Vec::new();
        for member in looks {
            let (seen, next) = self.stage.look(member).await;
            if let Doing::Act(act @ (Act::Propose(_) | Act::Vote(..))) = next.doing {
                acts.push((member, seen, act));
            }
        }
        for (member, seen, act) in acts {
            let _ = self.stage.perform(member, &seen, &act).await;
        }
    }

    async fn propose_something_else(&mut self) {
        if self.foreign.len() == 2 {
            return;
        }
        let (seen, _) = self.stage.look(0).await;
        let node = seen.nodes[self.below(seen.nodes.len() as u64) as usize].id;
        let remove = Action::new("remove_node", Some(json!({ "node_id": node })));
        let register = Action::new("add_virtual_host_data", Some(json!({ "host_data": "ab".repeat(32) })));
        let actions = match self.below(3) {
            0 => vec![remove, register],
            1 => vec![register],
            _ => vec![remove.clone(), remove],
        };
        let member = self.below(3) as usize;
        let id = self.stage.propose(member, &Proposal::of(actions)).await;
        self.foreign.push((member, id));
    }

    /// Nothing that the plan does not want got a vote, and nothing of the plan's is left.
    async fn check(&mut self) {
        let (seen, _) = self.stage.look(0).await;
        for (member, id) in &self.foreign {
            let Some(known) = seen.proposals.get(id) else { continue };
            assert_eq!(known.ballot_count, 0, "seed {}", self.seed);
            if known.state == ProposalState::Open {
                self.stage.by_hand(*member, MessageType::Withdrawal, Some(*id), b"").await;
            }
        }
        self.stage.finish(&[0, 1, 2]).await;
    }
}
