//! What somebody sees who looks at a network in memory.

use std::collections::BTreeMap;

use ccf_gov::evidence::virt::MEASUREMENT;
use ccf_gov::id::TransactionId;
use ccf_gov::platform::Platform;
use ccf_gov::service::{Follower, JoinPolicy, LostQuorum, Member, MemberStatus, Replication, VirtualPolicy};
use ccf_gov::upgrade::{Observed, ObservedBallot, ObservedNode, ObservedProposal, Running};
use time::{Duration, OffsetDateTime};

use super::network::{Network, majority};
use super::state::State;

/// The moment at which every schedule begins.
pub const BEGIN: OffsetDateTime = time::macros::datetime!(2026-11-26 00:00 UTC);

/// What `state` shows; the network is seen as it is now, which may be later.
pub fn observed(state: &State, committed: bool, network: &Network) -> Observed {
    let node = |(id, entry): (&_, &super::state::Entry)| ObservedNode {
        id: *id,
        status: entry.status,
        retired_committed: entry.retired_committed,
        address: None,
        running: Some(Running {
            platform: Platform::Virtual,
            host_data: Some(entry.code.to_string()),
            measurement: MEASUREMENT.into(),
            uvm: None,
        }),
        verified: if entry.genuine { Ok(()) } else { Err("its signature is another one's".into()) },
        version: None,
        validity: None,
    };
    let member = |id: &_| Member {
        member_id: *id,
        status: MemberStatus::Active,
        certificate: String::new(),
        member_data: serde_json::Value::Null,
        recovery_role: None,
        public_encryption_key: None,
    };
    let virtual_ =
        VirtualPolicy { host_data: state.policy.iter().cloned().collect(), measurements: vec![MEASUREMENT.into()] };
    let proposals = state.proposals.iter().map(|(id, held)| {
        let ballots: BTreeMap<_, _> = held
            .ballots
            .iter()
            .map(|(member, ballot)| (*member, ObservedBallot { holds: state.holds(ballot) }))
            .collect();
        let known = ObservedProposal {
            proposer: held.proposer,
            state: held.state,
            proposal: Some((*held.proposal).clone()),
            ballot_count: ballots.len() as u64,
            ballots,
            outcome: None,
        };
        (*id, known)
    });
    let trusted = &state.trusted;
    let answering = trusted.iter().filter(|id| network.is_alive(**id)).count();
    let lost = network.primary.is_none() && answering < majority(trusted.len());
    Observed {
        at: BEGIN + Duration::milliseconds(network.now as i64),
        committed,
        info: None,
        members: state.members.iter().map(member).collect(),
        nodes: state.nodes.iter().map(node).collect(),
        replication: replication(network),
        lost_quorum: lost.then_some(LostQuorum { trusted: trusted.len(), answering }),
        join_policy: JoinPolicy { virtual_, ..JoinPolicy::default() },
        constitution: Some(state.constitution.to_string()),
        registered: None,
        basis: None,
        application: None,
        proposals: proposals.collect(),
    }
}

fn replication(network: &Network) -> Option<Replication> {
    let primary = network.primary?;
    let configured = (*network.state().trusted).clone();
    let follower = |id: &_| {
        let process = &network.processes[id];
        let silent_ms = if process.alive { 20 } else { network.now - process.died };
        Follower { silent_ms, has_everything: process.told && process.has >= network.committed }
    };
    let heard: BTreeMap<_, _> = configured.iter().filter(|id| **id != primary).map(|id| (*id, follower(id))).collect();
    let up = |id: &&_| **id == primary || heard.get(id).is_some_and(|h| h.has_everything && h.is_live());
    let caught_up = configured.iter().filter(up).copied().collect();
    Some(Replication {
        primary,
        view: Some(network.view),
        commit: TransactionId { view: network.view, seqno: network.committed },
        caught_up,
        heard,
        settled: network.active().len() == 1,
        configured,
    })
}
