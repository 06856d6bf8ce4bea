//! The nodes of a service, drawn for people.

use ccf_gov::upgrade::Topology;

/// A line a node, and one for the network.
pub fn lines(topology: &Topology) -> String {
    let mut text = String::new();
    for node in &topology.nodes {
        let mut notes = vec![node.code.to_string()];
        notes.extend(node.primary.then(|| "primary".to_owned()));
        notes.extend(node.caught_up.then(|| "caught up".to_owned()));
        notes.extend(node.removable.then(|| "can be deleted".to_owned()));
        text +=
            &format!("     node      {}  {:8} {}\n", node.node_id.short(), node.status.to_string(), notes.join(", "));
    }
    let view = topology.view.map_or_else(String::new, |view| format!(", view {view}"));
    let quorum = topology.quorum;
    text + &format!("     network   n {}, majority {}, f {}{view}\n", quorum.n, quorum.majority, quorum.f)
}
