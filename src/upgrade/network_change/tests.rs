use serde_json::{Value, json};

use super::super::named_node::{REMOVE, TRUST, changes_network};
use super::*;
use crate::id::TransactionId;
use crate::review::NodeDetails;
use crate::service::{LostQuorum, Replication};

fn id(n: u8) -> NodeId {
    NodeId::from_bytes([n; 32])
}

fn node(n: u8, status: &str) -> ObservedNode {
    let raw = json!({"nodeId": id(n), "status": status,
        "rpcInterfaces": {"main": {"publishedAddress": format!("10.0.0.{n}:8000\u{1b}")}}});
    let more = NodeDetails { primary: n == 1, ..NodeDetails::default() };
    ObservedNode { node: serde_json::from_value(raw.clone()).unwrap(), raw, more }
}

/// Nodes 1 to `trusted`, of which 1 is the primary and the first `live` are caught up; 8 is Pending, 9 is Retired.
fn judged(trusted: u8, live: u8, actions: &[(&str, u8)]) -> NetworkChange {
    let nodes: Vec<_> =
        (1..=trusted).map(|n| node(n, "Trusted")).chain([node(8, "Pending"), node(9, "Retired")]).collect();
    NetworkChange::of(&proposal(actions), &nodes, &Network::Led(led(trusted, live)), &BTreeMap::new())
}

fn led(trusted: u8, live: u8) -> Replication {
    Replication {
        primary: id(1),
        view: Some(2),
        commit: TransactionId { view: 2, seqno: 9 },
        configured: (1..=trusted).map(id).collect(),
        caught_up: (1..=live).map(id).collect(),
        heard: (2..=live).map(|n| (id(n), crate::service::Follower { silent_ms: 5, has_everything: true })).collect(),
        settled: true,
    }
}

fn proposal(actions: &[(&str, u8)]) -> Value {
    let action = |(name, n): &(&str, u8)| json!({"name": name, "args": {"node_id": id(*n)}});
    json!({"actions": actions.iter().map(action).collect::<Vec<_>>()})
}

fn said(found: &NetworkChange) -> String {
    found.lines().join("\n")
}

#[test]
fn only_actions_on_nodes_change_the_network() {
    assert!(changes_network(&proposal(&[("remove_node", 1)])) && changes_network(&proposal(&[("x", 1), (TRUST, 2)])));
    assert!(!changes_network(&proposal(&[("set_node_data", 1)])));
    assert!(!changes_network(&json!({"actions": {"name": REMOVE}})) && !changes_network(&json!([])));
}

#[test]
fn removing_a_second_node_when_one_has_failed_stops_the_service() {
    let found = judged(3, 2, &[(REMOVE, 2)]);
    assert_eq!(found.verdict, Conclusion::Fail);
    let why = found.check().unwrap_err().to_string();
    assert!(why.contains("caught up (1)") && why.contains("2 of 2"), "{why}");
    assert!(said(&found).starts_with(
        "network     now: n 3, majority 2, live 2, f 1\n            afterwards: n 2, majority 2, live 1, f 0\nguard       fail: "
    ));
    // The node that has failed takes nothing away.
    let found = judged(3, 2, &[(REMOVE, 3)]);
    assert_eq!((found.check(), found.warnings().count()), (Ok(()), 0), "{found:?}");
    assert_eq!(judged(1, 1, &[(REMOVE, 1)]).verdict, Conclusion::Fail);
}

#[test]
fn what_is_allowed_and_not_wise_is_warned_of() {
    let warned = |found: &NetworkChange| found.warnings().collect::<Vec<_>>().join("\n");
    let found = judged(3, 3, &[(REMOVE, 3)]);
    assert_eq!(found.check(), Ok(()));
    assert!(warned(&found).contains("stops when one more node fails"), "{found:?}");
    let found = judged(5, 5, &[(REMOVE, 1)]);
    assert!(warned(&found).contains("is the primary: its removal is an election"), "{found:?}");
    assert_eq!(judged(5, 5, &[(REMOVE, 2)]).warnings().count(), 0);
    let mut unsettled = led(5, 5);
    unsettled.settled = false;
    let nodes: Vec<_> = (1..=5).map(|n| node(n, "Trusted")).collect();
    let found = NetworkChange::of(&proposal(&[(REMOVE, 2)]), &nodes, &Network::Led(unsettled), &BTreeMap::new());
    assert_eq!(found.check(), Ok(()));
    assert!(warned(&found).contains("not committed yet"), "{found:?}");
}

#[test]
fn a_node_counts_by_what_it_is() {
    let effect = |actions: &[(&str, u8)]| {
        let found = judged(3, 3, actions);
        (found.nodes.iter().map(|node| node.effect).collect::<Vec<_>>(), found.network.unwrap().after.n)
    };
    assert_eq!(effect(&[(TRUST, 8)]), (vec![Effect::Trusted], 4));
    assert_eq!(effect(&[(TRUST, 1)]), (vec![Effect::Nothing], 3));
    assert_eq!(effect(&[(TRUST, 9)]), (vec![Effect::Nothing], 3));
    assert_eq!(effect(&[(TRUST, 7)]), (vec![Effect::Fails], 3));
    assert_eq!(effect(&[(REMOVE, 8)]), (vec![Effect::Forgotten], 3));
    assert_eq!(effect(&[(REMOVE, 9)]), (vec![Effect::Nothing], 3));
    assert_eq!(effect(&[(REMOVE, 7)]), (vec![Effect::Nothing], 3));
    // One after the other.
    assert_eq!(effect(&[(TRUST, 8), (REMOVE, 8)]), (vec![Effect::Trusted, Effect::Removed], 3));
    assert_eq!(effect(&[(REMOVE, 8), (TRUST, 8)]), (vec![Effect::Forgotten, Effect::Fails], 3));
    assert_eq!(effect(&[(REMOVE, 2), (REMOVE, 2)]), (vec![Effect::Removed, Effect::Nothing], 2));
    assert_eq!(effect(&[(TRUST, 8), (REMOVE, 2)]), (vec![Effect::Trusted, Effect::Removed], 3));
}

#[test]
fn a_service_of_one_node_can_grow() {
    let found = judged(1, 1, &[(TRUST, 8)]);
    assert_eq!(found.check(), Ok(()));
    assert!(found.warnings().any(|warning| warning.contains("two nodes that both have to live")), "{found:?}");
}

#[test]
fn what_changes_nothing_is_never_refused() {
    for actions in [&[(TRUST, 7)][..], &[(REMOVE, 9)], &[(REMOVE, 8)], &[(TRUST, 1)]] {
        let found = judged(3, 1, actions);
        assert_eq!(found.check(), Ok(()), "{found:?}");
    }
    assert!(said(&judged(3, 3, &[(TRUST, 7)])).contains("has no node 07070707: applying the proposal will fail"));
    assert!(said(&judged(3, 3, &[(TRUST, 9)])).contains("node 09090909 is Retired: the proposal changes nothing"));
}

#[test]
fn a_dead_service_is_told_from_one_of_which_nothing_is_known() {
    let nodes = [node(1, "Trusted"), node(2, "Trusted"), node(3, "Trusted")];
    let of = |network: Network| NetworkChange::of(&proposal(&[(REMOVE, 2)]), &nodes, &network, &BTreeMap::new());
    let lost = of(Network::Lost(LostQuorum { trusted: 3, answering: 1 }));
    assert!(lost.check().unwrap_err().to_string().contains("disaster recovery"), "{lost:?}");
    let dead = of(Network::Led(led(3, 1)));
    assert!(dead.check().unwrap_err().to_string().contains("disaster recovery"), "{dead:?}");
    let unknown = of(Network::Unknown);
    assert_eq!((unknown.verdict, unknown.check()), (Conclusion::Incomplete, Ok(())));
    assert!(unknown.warnings().next().unwrap().contains("no primary says"));
}

#[test]
fn a_node_that_is_trusted_was_verified_or_that_is_said() {
    let of = |checks: Option<Checks>| {
        let verified = checks.into_iter().map(|checks| (id(8), checks)).collect();
        let nodes = [node(1, "Trusted"), node(2, "Trusted"), node(3, "Trusted"), node(8, "Pending")];
        let found = NetworkChange::of(&proposal(&[(TRUST, 8)]), &nodes, &Network::Led(led(3, 3)), &verified);
        assert_eq!(found.check(), Ok(()));
        (found.nodes[0].verified, said(&found))
    };
    assert!(of(None).1.contains("node 08080808 was not verified here"));
    let mut passed = Checks::new();
    passed.pass("node-id", "x");
    assert!(of(Some(passed.clone())).1.contains("was verified here"));
    assert_eq!(of(Some(passed.clone())).0, Some(Conclusion::Pass));
    let mut open = passed.clone();
    open.incomplete("artefacts", "none");
    assert!(
        of(Some(open)).1.contains("was not verified here (artefacts): `ccf-gov verify node 08080808 --evidence FILE`")
    );
    passed.fail("join-policy", "\u{1b}");
    let (verdict, text) = of(Some(passed));
    assert_eq!(verdict, Some(Conclusion::Fail));
    assert!(text.contains("join-policy: \\u{1b}"), "{text}");
}

#[test]
fn a_hostile_id_is_harmless() {
    let odd = json!({"actions": [{"name": TRUST, "args": {"node_id": format!("\u{1b}ü{}", "x".repeat(500))}}, {"name": REMOVE, "args": 7}]});
    let found = NetworkChange::of(&odd, &[], &Network::Led(led(3, 3)), &BTreeMap::new());
    assert_eq!(found.nodes.iter().map(|n| n.effect).collect::<Vec<_>>(), [Effect::Fails, Effect::Nothing]);
    assert!(!said(&found).contains('\u{1b}') && said(&found).len() < 600, "{found:?}");
}
