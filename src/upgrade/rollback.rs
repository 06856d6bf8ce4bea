//! The way back: while old nodes live, the plan that brings a service to what it ran before.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Code, CodeKind, CodeValue, Named, Observed, Plan, Running, Way};
use crate::platform::Platform;
use crate::proposal::Registration;
use crate::service::{JoinPolicy, NodeStatus};

/// Why there is no way back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWayBack {
    /// Every old node is retired.
    #[error("no trusted node runs the old code any more")]
    NoOldNode,
    /// The old nodes run several codes.
    #[error("the old nodes do not all run the same code")]
    Several,
    /// Nothing that is registered tells the codes apart.
    #[error("old and new code have the same {0}, so that the new nodes cannot be told apart from the old ones")]
    Alike(&'static str),
}

impl Plan {
    /// The plan that walks back: the old code is to run on as many nodes as this plan wants of the new one, and the new code is to be
    /// retired and deregistered. Constitution and application stay as they are.
    ///
    /// # Errors
    /// [`NoWayBack`]: then the old code is upgraded to by a plan of its own.
    pub fn back(&self, seen: &Observed) -> Result<Self, NoWayBack> {
        let old = self.old_code(seen);
        let trusted = seen.nodes_that_are(NodeStatus::Trusted).filter(|node| old.kind_of(self, node) == CodeKind::Old);
        let running: Vec<&Running> = trusted.filter_map(|node| node.running.as_ref()).collect();
        let Some(first) = running.first() else { return Err(NoWayBack::NoOldNode) };
        if running.iter().any(|other| other.identity() != first.identity()) {
            return Err(NoWayBack::Several);
        }
        let kind = self.new.identifying();
        let code = was(first, &seen.join_policy);
        let own: BTreeSet<(Registration, String)> = code.values.iter().map(|v| (v.kind, v.key())).collect();
        let values = self.new.values.iter().filter(|value| value.kind != Registration::SnpMinimumTcb);
        let values: BTreeSet<_> = values.map(|v| (v.kind, v.key())).filter(|value| !own.contains(value)).collect();
        if !values.iter().any(|(of, _)| *of == kind) {
            return Err(NoWayBack::Alike(kind.name()));
        }
        Ok(Self {
            new: code,
            version: None,
            old: Some(Named { values, nodes: BTreeSet::new() }),
            constitution: None,
            application: None,
            way: Way::Back,
            ..self.clone()
        })
    }
}

/// The code that a node runs, as it was registered.
fn was(running: &Running, policy: &JoinPolicy) -> Code {
    let value = |kind, args| CodeValue { kind, args };
    let host_data = running.identity();
    let values = match running.platform {
        Platform::Sgx => vec![value(Registration::SgxCode, json!({ "code_id": running.measurement }))],
        Platform::Virtual => vec![
            value(Registration::VirtualMeasurement, json!({ "measurement": running.measurement })),
            value(Registration::VirtualHostData, json!({ "host_data": host_data })),
        ],
        Platform::Snp => {
            let text = policy.snp.host_data.get(host_data).map(String::as_str).unwrap_or_default();
            let launch = match &running.uvm {
                Some(uvm) => {
                    let registered =
                        policy.snp.uvm_endorsements.iter().find(|e| e.did == uvm.did && e.feed == uvm.feed);
                    // What is registered admits old and new; where it has gone, the old node's own version does.
                    let svn = registered.and_then(|entry| entry.svn.clone()).filter(|least| at_most(least, &uvm.svn));
                    let svn = svn.unwrap_or_else(|| uvm.svn.clone());
                    value(Registration::SnpUvmEndorsement, json!({ "did": uvm.did, "feed": uvm.feed, "svn": svn }))
                }
                None => value(Registration::SnpMeasurement, json!({ "measurement": running.measurement })),
            };
            let args = json!({ "host_data": host_data, "security_policy": text });
            vec![launch, value(Registration::SnpHostData, args)]
        }
    };
    Code { platform: running.platform, values }
}

fn at_most(least: &str, svn: &str) -> bool {
    matches!((least.parse::<u64>(), svn.parse::<u64>()), (Ok(least), Ok(svn)) if least <= svn)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::forecast::testing::{id, service, virtual_code};
    use super::*;
    use crate::digest::HostData;
    use crate::id::{MemberId, ProposalId};
    use crate::proposal::{Action, Proposal};
    use crate::service::ProposalState;
    use crate::upgrade::{Act, Doing, Intended, ObservedProposal, Waiting, Who, next};

    /// Two of three nodes run the old code (1), one runs the new (2), and one more waits.
    fn on_the_way() -> (Plan, Observed) {
        let (old, plan) = (virtual_code(1), Plan::of(virtual_code(2), 3));
        let mut seen = service(&old, 3);
        let running = plan.new.running();
        seen.join_policy.virtual_.host_data.push(running.identity().to_owned());
        seen.nodes[2].running = Some(running);
        let mut waiting = seen.nodes[2].clone();
        (waiting.id, waiting.status) = (id(4), NodeStatus::Pending);
        seen.nodes.push(waiting);
        let back = plan.back(&seen).unwrap();
        (back, seen)
    }

    fn member() -> MemberId {
        MemberId::from_bytes([9; 32])
    }

    fn propose(seen: &mut Observed, n: u8, proposer: MemberId, actions: Vec<Action>) -> ProposalId {
        let known = ObservedProposal {
            proposer,
            state: ProposalState::Open,
            proposal: Some(Proposal::of(actions)),
            ballots: std::collections::BTreeMap::new(),
            ballot_count: 0,
            outcome: None,
        };
        let id: ProposalId = format!("{n:02x}").repeat(32).parse().unwrap();
        seen.proposals.insert(id, known);
        id
    }

    #[test]
    fn the_way_back_calls_the_old_code_old() {
        let (back, seen) = on_the_way();
        assert_eq!((back.wanted_code(), back.retired_code()), ("the old code (01010101…)".into(), "the new code"));
        let Doing::Wait(waiting) = next(&back, &seen, Who::default()).doing else { panic!() };
        let says: Vec<&str> = waiting.iter().map(|Waiting { what, .. }| what.as_str()).collect();
        assert_eq!(says, ["start a node that runs the old code (01010101…), and let it join"]);
        let nodes = crate::upgrade::Topology::of(&back, &seen).nodes;
        assert!(nodes.iter().all(|node| (node.code == CodeKind::New) == (node.node_id >= id(3))), "{nodes:?}");
        let titles = |intended: Intended| intended.title(&back);
        assert_eq!(titles(Intended::Register(Vec::new())), "register the old code (01010101…)");
        assert_eq!(titles(Intended::Deregister(Vec::new())), "deregister the new code");
        assert_eq!(
            titles(Intended::Trust { nodes: vec![id(5)], most: 1 }),
            format!("trust old node {}", id(5).short())
        );
    }

    #[test]
    fn ones_own_proposals_of_the_way_forward_are_withdrawn_and_others_are_named() {
        let host_data = |n: u8| json!({ "host_data": HostData([n; 32]) });
        let node = |n: u8| json!({ "node_id": id(n) });
        let act = |name: &str, args| Action::new(name, Some(args));
        let me = Who { member: Some(member()), operator: false };
        for (actions, withdrawn) in [
            (vec![act("transition_node_to_trusted", node(4))], true),
            (vec![act("remove_node", node(1))], true),
            (vec![act("remove_virtual_host_data", host_data(1))], true),
            (vec![act("add_virtual_host_data", host_data(2))], true),
            (vec![act("remove_node", node(3))], false),
            (vec![act("add_virtual_host_data", host_data(7))], false),
            (vec![act("remove_node", node(1)), act("set_member_data", json!({}))], false),
            (Vec::new(), false),
        ] {
            let (back, mut seen) = on_the_way();
            let proposal = propose(&mut seen, 7, member(), actions.clone());
            let next_mine = next(&back, &seen, me);
            assert_eq!(next_mine.doing == Doing::Act(Act::Withdraw(proposal)), withdrawn, "{actions:?}");
            assert_eq!(next_mine.refused[0].0, proposal);
            // Somebody else's is left to them.
            seen.proposals.get_mut(&proposal).unwrap().proposer = MemberId::from_bytes([8; 32]);
            assert!(!matches!(next(&back, &seen, me).doing, Doing::Act(Act::Withdraw(_))), "{actions:?}");
        }
    }
}
