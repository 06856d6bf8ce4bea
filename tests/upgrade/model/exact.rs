//! A proposal that differs from what is intended in any one way is not it.

use std::collections::BTreeSet;

use ccf_gov::id::NodeId;
use ccf_gov::proposal::{Action, Proposal, time as ccf_time};
use ccf_gov::upgrade::{Code, Intended, Plan};
use serde_json::{Value, json};
use time::Duration;

use super::look::BEGIN;
use super::mutation::mutations;
use super::random::Random;

fn plan(random: &mut Random) -> Plan {
    Plan::of(Code::virtual_node(random.hex().parse().unwrap()), 3)
}

fn action(name: &str, args: Value) -> Action {
    Action::new(name, Some(args))
}

fn fixed(random: &mut Random) -> Vec<Intended> {
    let tcb = json!({"boot_loader": 10, "tee": 0, "snp": 24, "microcode": 84, "hexstring": "5418000000000010a"});
    vec![
        Intended::Register(vec![
            action("set_snp_minimum_tcb_version", json!({"cpuid": "00a00f11", "tcb_version": tcb})),
            action(
                "add_snp_uvm_endorsement",
                json!({"did": "did:x509:0:sha256:I__::eku:1.3", "feed": "uvm", "svn": "101"}),
            ),
            action("add_snp_host_data", json!({"host_data": random.hex(), "security_policy": "package policy"})),
        ]),
        Intended::Register(vec![action("add_virtual_host_data", json!({"host_data": random.hex()}))]),
        Intended::Snapshot,
        Intended::Rules(vec![
            action(
                "set_js_app",
                json!({"bundle": {"metadata": {"endpoints": {}}, "modules": [{"name": "a.js", "module": "1"}]}}),
            ),
            action("set_constitution", json!({"constitution": "export function validate() {}"})),
        ]),
        Intended::Deregister(vec![
            action("remove_virtual_host_data", json!({"host_data": random.hex()})),
            action("remove_virtual_host_data", json!({"host_data": random.hex()})),
        ]),
        Intended::Retire((0..3).map(|_| random.hex().parse().unwrap()).collect()),
    ]
}

#[test]
fn what_differs_in_any_one_way_is_not_what_is_intended() {
    let mut random = Random::new(1);
    let plan = plan(&mut random);
    for intended in fixed(&mut random) {
        let good = intended.proposal(&plan, BEGIN).unwrap();
        assert_eq!(intended.check(&plan, BEGIN, &good), Ok(()));
        let others = mutations(&good);
        assert!(others.len() > 5, "{intended:?}");
        for other in others {
            assert!(intended.check(&plan, BEGIN, &other).is_err(), "{}\nfor {intended:?}", other.value());
        }
    }
}

#[test]
fn the_order_of_actions_counts() {
    let mut random = Random::new(2);
    let plan = plan(&mut random);
    for intended in fixed(&mut random) {
        let mut actions = intended.proposal(&plan, BEGIN).unwrap().actions().to_vec();
        actions.reverse();
        let same = actions.len() == 1;
        assert_eq!(intended.check(&plan, BEGIN, &Proposal::of(actions)).is_ok(), same, "{intended:?}");
    }
}

/// Some of the nodes that wait, in any order, each with a certificate that begins about now: nothing else.
#[test]
fn only_nodes_that_wait_are_trusted_and_only_as_planned() {
    let mut random = Random::new(3);
    let plan = plan(&mut random);
    let nodes: Vec<NodeId> = (0..4).map(|_| random.hex().parse().unwrap()).collect();
    let intended = Intended::Trust { nodes: nodes.clone(), most: 2 };
    let good = intended.proposal(&plan, BEGIN).unwrap();
    let allowed = |proposal: &Proposal| {
        let mut trusted = BTreeSet::new();
        let actions = proposal.value()["actions"].as_array().unwrap().clone();
        let exact = |action: &Value| {
            let from = action["args"]["valid_from"].as_str()?;
            let id: NodeId = action["args"]["node_id"].as_str()?.parse().ok()?;
            let moment = ccf_time::read(from).ok()?;
            let shape = json!({"name": "transition_node_to_trusted",
                "args": {"node_id": id, "valid_from": from, "validity_period_days": 90}});
            let near = moment >= BEGIN - Duration::hours(24) && moment <= BEGIN + Duration::hours(1);
            (*action == shape && near && nodes.contains(&id) && trusted.insert(id)).then_some(())
        };
        actions.len() <= 2
            && actions.iter().map(exact).collect::<Option<Vec<_>>>().is_some()
            && proposal.value().as_object().unwrap().len() == 1
    };
    assert!(allowed(&good));
    let (mut yes, mut no) = (0, 0);
    for other in mutations(&good) {
        assert_eq!(intended.check(&plan, BEGIN, &other).is_ok(), allowed(&other), "{}", other.value());
        *(if allowed(&other) { &mut yes } else { &mut no }) += 1;
    }
    assert!(yes < 20 && no > 200, "{yes} {no}: one node less, and other seconds");
    for (hours, good) in [(-25, false), (-23, true), (0, true), (2, false)] {
        let proposal = intended.proposal(&plan, BEGIN + Duration::hours(hours)).unwrap();
        assert_eq!(intended.check(&plan, BEGIN, &proposal).is_ok(), good, "{hours}");
    }
}
