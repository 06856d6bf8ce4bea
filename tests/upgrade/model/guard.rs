//! The quorum guard against every cluster of up to seven nodes, and every change of it.

use std::collections::{BTreeMap, BTreeSet};

use ccf_gov::id::{NodeId, TransactionId};
use ccf_gov::service::{Follower, Replication};
use ccf_gov::upgrade::quorum::Change;

use super::oracle::safe;

fn node(at: usize) -> NodeId {
    format!("{at:064x}").parse().unwrap()
}

fn subset(of: &[NodeId], bits: usize) -> BTreeSet<NodeId> {
    of.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, id)| *id).collect()
}

fn network(nodes: &[NodeId], up: usize, behind: usize, settled: bool) -> Replication {
    let configured: BTreeSet<NodeId> = nodes.iter().copied().collect();
    let (caught_up, behind) = (subset(nodes, up | 1), subset(nodes, behind & !up & !1));
    let heard: BTreeMap<_, _> = nodes[1..]
        .iter()
        .map(|id| {
            let live = caught_up.contains(id) || behind.contains(id);
            (*id, Follower { silent_ms: if live { 10 } else { 5000 }, has_everything: caught_up.contains(id) })
        })
        .collect();
    let commit = TransactionId { view: 2, seqno: 10 };
    Replication { primary: nodes[0], view: Some(2), commit, configured, caught_up, heard, settled }
}

/// Every network of up to so many nodes: each of them caught up, behind or dead, the primary caught up.
fn networks(most: usize, mut of: impl FnMut(&Replication, &[NodeId])) {
    let all: Vec<NodeId> = (0..2 * most).map(node).collect();
    for n in 1..=most {
        for up in (0..1usize << n).step_by(2) {
            for behind in (0..1usize << n).step_by(2).filter(|behind| behind & up == 0) {
                for settled in [true, false] {
                    of(&network(&all[..n], up, behind, settled), &all[n..]);
                }
            }
        }
    }
}

#[test]
fn the_guard_allows_what_can_commit_before_during_and_after() {
    let (mut allowed, mut refused) = (0, 0);
    networks(5, |network, more| {
        let nodes: Vec<NodeId> = network.configured.iter().copied().collect();
        for added in 0..=3 {
            let added: BTreeSet<NodeId> = more[..added].iter().copied().collect();
            for removed in (0..1 << nodes.len()).map(|bits| subset(&nodes, bits)) {
                let change = Change { added: added.clone(), removed: removed.clone() };
                for minimum_f in 0..=2 {
                    let wanted = safe(network, &added, &removed, minimum_f);
                    let found = network.check(&change, minimum_f);
                    assert_eq!(found.is_ok(), wanted.is_ok(), "{network:?}: {change}: {found:?}, {wanted:?}");
                    *(if found.is_ok() { &mut allowed } else { &mut refused }) += 1;
                }
            }
        }
    });
    assert!(allowed > 1000 && refused > 1000, "{allowed} {refused}");
}

/// One node is added or removed: every network of up to seven.
#[test]
fn the_guard_allows_one_node_where_that_can_commit() {
    networks(7, |network, more| {
        let one = |id: &NodeId| BTreeSet::from([*id]);
        let removals = network.configured.iter().map(|id| (BTreeSet::new(), one(id)));
        for (added, removed) in removals.chain([(one(&more[0]), BTreeSet::new()), (BTreeSet::new(), one(&more[0]))]) {
            let change = Change { added: added.clone(), removed: removed.clone() };
            let wanted = safe(network, &added, &removed, 1);
            let found = network.check(&change, 1);
            assert_eq!(found.is_ok(), wanted.is_ok(), "{network:?}: {change}: {found:?}, {wanted:?}");
        }
    });
}

#[test]
fn most_added_is_the_largest_number_that_the_guard_allows() {
    networks(7, |network, more| {
        let allows = |count: &usize| network.check(&Change::adding(more[..*count].iter().copied()), 0).is_ok();
        let most = (1..=more.len()).take_while(allows).last().unwrap_or(0);
        assert_eq!(network.most_added().min(more.len()), most, "{network:?}");
    });
}
