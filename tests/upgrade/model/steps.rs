//! What a service needs next, in one situation after another.

use std::collections::BTreeSet;

use ccf_gov::id::NodeId;
use ccf_gov::proposal::Registration;
use ccf_gov::service::NodeStatus;
use ccf_gov::upgrade::{Act, Doing, Intended, Named, Need, Observed, Task, Whom, next};

use super::bench::{Bench, NOBODY, OPERATOR};

#[test]
fn the_documented_walk_and_others() {
    assert_eq!(Bench::new(3, 3).walk(), [3, 5, 6, 5, 4, 3]);
    assert_eq!(Bench::new(5, 3).walk(), [5, 8, 7, 6, 5, 4, 3]);
    assert_eq!(Bench::new(3, 5).walk(), [3, 5, 8, 7, 6, 5]);
    assert_eq!(Bench::new(4, 3).walk().last(), Some(&3));
}

#[test]
fn after_a_walk_only_the_new_code_runs_and_joins() {
    let mut bench = Bench::new(3, 3);
    bench.walk();
    assert_eq!(bench.running(&bench.new).len(), 3);
    assert_eq!(bench.network.state().policy, BTreeSet::from([bench.new.clone()]));
    assert_eq!(bench.network.state().nodes.len(), 3);
}

#[test]
fn the_same_code_is_scaled_up_and_down_and_its_named_nodes_are_replaced() {
    let same = |now: usize, wanted: usize| {
        let mut bench = Bench::new(0, wanted).with_new(now, 0);
        let old = bench.old.clone();
        bench.change(|state| {
            let _ = state.policy.remove(&old);
        });
        bench
    };
    assert_eq!(same(3, 5).walk(), [3, 5]);
    assert_eq!(same(5, 3).walk(), [5, 4, 3]);
    let mut bench = same(3, 3);
    let named: BTreeSet<NodeId> = bench.nodes().into_iter().take(2).collect();
    bench.plan.old = Some(Named { values: BTreeSet::new(), nodes: named.clone() });
    assert_eq!(bench.walk(), [3, 5, 4, 3]);
    assert!(bench.network.state().trusted.is_disjoint(&named));
}

#[test]
fn several_codes_are_not_guessed_among() {
    let mut bench = Bench::new(3, 3);
    bench.node(&"a".repeat(64), NodeStatus::Trusted);
    let Doing::Blocked(reasons) = bench.of_member(0) else { panic!() };
    assert!(reasons[0].contains("several codes") && reasons[0].contains("[old]"), "{reasons:?}");
}

#[test]
fn what_is_not_named_is_never_touched() {
    let mut bench = Bench::new(3, 3);
    let other = bench.node(&"a".repeat(64), NodeStatus::Trusted);
    bench.change(|state| {
        let _ = state.policy.insert("a".repeat(64));
    });
    let values = BTreeSet::from([(Registration::VirtualHostData, bench.old.clone())]);
    bench.plan.old = Some(Named { values, nodes: BTreeSet::new() });
    bench.walk();
    assert!(bench.nodes().contains(&other) && bench.nodes().len() == 4);
    assert!(bench.network.state().policy.contains(&"a".repeat(64)));
}

/// Without it, the walk would go below the minimum: the operator is told which node it is.
#[test]
fn another_node_that_is_dead_is_for_the_operator_to_see_to() {
    let mut bench = Bench::new(1, 3).with_new(3, 0);
    let other = bench.node(&"a".repeat(64), NodeStatus::Trusted);
    let values = BTreeSet::from([(Registration::VirtualHostData, bench.old.clone())]);
    bench.plan.old = Some(Named { values, nodes: BTreeSet::new() });
    bench.kill(other);
    // n = 5, 4 live, 3 needed: of 4 nodes 3 are needed, and none of the 3 that would be left could fail.
    assert_eq!((bench.need(), bench.tasks()), (Need::Operator, vec![Task::Restore(other)]));
    assert!(matches!(&bench.waiting()[..], [one] if one.whom == Whom::Operator && one.what.contains(&other.short())));
}

#[test]
fn dead_nodes_go_first_and_a_new_one_is_replaced() {
    let mut bench = Bench::new(3, 3);
    bench.change(|_| ());
    let dead = bench.running(&bench.old)[2];
    let mut bench = bench.with_new(3, 0);
    bench.kill(dead);
    assert_eq!(bench.need(), Need::Proposal(Intended::Retire(vec![dead])));

    let mut bench = Bench::new(3, 3).with_new(3, 0);
    let dead = bench.running(&bench.new)[1];
    bench.kill(dead);
    assert_eq!((bench.need(), bench.tasks()), (Need::Operator, vec![Task::Replace(dead), Task::Start(1)]));
    let new = bench.new.clone();
    let fresh = bench.node(&new, NodeStatus::Pending);
    assert_eq!(bench.need(), Need::Proposal(Intended::Trust { nodes: vec![fresh], most: 1 }));
    assert_eq!(bench.tasks(), [Task::Replace(dead)]);
}

#[test]
fn a_dead_node_that_is_in_the_way_of_a_new_one_is_removed_first() {
    let mut bench = Bench::new(3, 3).with_new(0, 3);
    let dead = bench.nodes()[2];
    bench.kill(dead);
    assert_eq!(bench.need(), Need::Proposal(Intended::Retire(vec![dead])));
}

#[test]
fn the_primary_is_retired_last_wherever_it_moves() {
    let mut bench = Bench::new(3, 3).with_new(3, 0);
    let old = bench.running(&bench.old);
    for primary in &old {
        bench.network.primary = Some(*primary);
        let Need::Proposal(Intended::Retire(nodes)) = bench.need() else { panic!() };
        assert!(nodes.len() == 2 && !nodes.contains(primary));
    }
    bench.network.primary = Some(bench.running(&bench.new)[0]);
    assert_eq!(bench.need(), Need::Proposal(Intended::Retire(old)));
}

#[test]
fn nothing_is_retired_before_the_last_retirement_is_committed() {
    let mut bench = Bench::new(3, 3).with_new(3, 0);
    let gone = bench.running(&bench.old)[1];
    bench.change(|state| state.nodes.get_mut(&gone).unwrap().status = NodeStatus::Retired);
    assert!(matches!(bench.need(), Need::Time(what) if what.contains(&gone.short())));
    assert!(matches!(&bench.waiting()[..], [one] if one.whom == Whom::Service));
    bench.change(|state| state.nodes.get_mut(&gone).unwrap().retired_committed = true);
    assert!(matches!(bench.need(), Need::Proposal(Intended::Retire(_))));
    assert_eq!(bench.next(OPERATOR).doing, Doing::Act(Act::Delete(gone)));
}

#[test]
fn a_look_at_two_moments_decides_nothing() {
    let mut bench = Bench::new(3, 3).with_new(3, 0);
    let mut seen = bench.seen();
    let gone = bench.running(&bench.old)[1];
    bench.change(|state| state.nodes.get_mut(&gone).unwrap().status = NodeStatus::Retired);
    seen.replication = bench.seen().replication;
    assert!(matches!(next(&bench.plan, &seen, NOBODY).wanted.need, Need::Time(_)));
    let uncommitted = Observed { committed: false, ..bench.seen() };
    assert!(matches!(next(&bench.plan, &uncommitted, NOBODY).wanted.need, Need::Time(_)));
}

#[test]
fn more_dead_than_tolerated_is_disaster_recovery() {
    let mut bench = Bench::new(3, 3);
    let nodes = bench.nodes();
    bench.kill(nodes[1]);
    bench.kill(nodes[2]);
    for network in [bench.network.primary, None] {
        bench.network.primary = network;
        assert!(matches!(bench.of_member(0), Doing::Blocked(reasons) if reasons[0].contains("disaster recovery")));
    }
}

/// A service of one node has no other way, so its plan may take it, one node at a time.
#[test]
fn a_single_node_is_extended_by_one_first() {
    let bench = Bench::new(1, 3).with_new(0, 3);
    let Doing::Act(Act::Propose(Intended::Trust { most, .. })) = bench.of_member(0) else {
        panic!("{:?}", bench.of_member(0))
    };
    assert_eq!(most, 1);
}
