//! What a node says of itself and of the consensus that it takes part in.

use std::time::Instant;

use serde_json::{Map, Value, json};

use crate::kv::row::read_one;
use crate::kv::table::SIGNATURES;
use crate::sandbox::network::ago;
use crate::sandbox::reply::{Fault, Reply};
use crate::sandbox::router::Call;

/// GET /state
pub(in crate::sandbox) fn state(call: &Call<'_>) -> Result<Reply, Fault> {
    let signed = read_one(&call.vantage.tables, SIGNATURES).and_then(|s| s["seqno"].as_u64()).unwrap_or(0);
    let startup = call.network.state().nodes.get(&call.vantage.node).map_or(0, |n| n.startup_seqno);
    Ok(Reply::json(&json!({
        "last_signed_seqno": signed,
        "node_id": call.vantage.node,
        "startup_seqno": startup,
        "state": "PartOfNetwork",
        "stop_notice": false,
    })))
}

/// HEAD /primary: 200 on the primary, a redirect to it on a backup.
pub(in crate::sandbox) fn head_primary(call: &Call<'_>) -> Result<Reply, Fault> {
    if call.is_primary() {
        return Ok(Reply::empty(200));
    }
    let primary = call.vantage.primary.ok_or_else(|| Fault::internal("The primary is not known."))?;
    let address = call.network.state().nodes.get(&primary).map(|n| n.address);
    let address = address.ok_or_else(|| Fault::internal(format!("The address of node {primary} is not known.")))?;
    Ok(Reply::empty(308).header("location", format!("https://{address}/node/primary")))
}

/// GET /primary
pub(in crate::sandbox) fn is_primary(call: &Call<'_>) -> Result<Reply, Fault> {
    if call.is_primary() { Ok(Reply::empty(200)) } else { Err(Fault::not_found("This node is not the primary.")) }
}

/// GET /backup
pub(in crate::sandbox) fn is_backup(call: &Call<'_>) -> Result<Reply, Fault> {
    if call.is_primary() { Err(Fault::not_found("This node is not a backup.")) } else { Ok(Reply::empty(200)) }
}

/// GET /config
pub(in crate::sandbox) fn config(call: &Call<'_>) -> Result<Reply, Fault> {
    let state = call.network.state();
    let nodes = state.configurations.last().map(|c| &c.nodes).into_iter().flatten();
    let addresses: Map<String, Value> = nodes
        .filter_map(|id| Some((id.to_string(), json!({"address": state.nodes.get(id)?.peer_address()}))))
        .collect();
    Ok(Reply::json(&addresses.into()))
}

/// GET /consensus
pub(in crate::sandbox) fn consensus(call: &Call<'_>) -> Result<Reply, Fault> {
    let now = Instant::now();
    let id = call.vantage.node;
    let state = call.network.state();
    let leads = state.primary == Some(id);
    let configurations: Vec<Value> = state
        .configurations
        .iter()
        .map(|c| {
            let nodes: Map<String, Value> = c
                .nodes
                .iter()
                .filter_map(|id| Some((id.to_string(), json!({"address": state.nodes.get(id)?.peer_address()}))))
                .collect();
            json!({"idx": c.seqno, "nodes": nodes, "rid": c.seqno})
        })
        .collect();
    // A backup lists the others too, and has heard nothing from them.
    let others = state.configurations.iter().flat_map(|c| &c.nodes).filter(|other| **other != id);
    let acks: Map<String, Value> = others
        .filter_map(|other| {
            let node = state.nodes.get(other)?;
            let silent = now.saturating_duration_since(node.heard).as_millis();
            let (seqno, silent) =
                if leads { (node.matched, u64::try_from(silent).unwrap_or(u64::MAX)) } else { (0, 0) };
            Some((other.to_string(), json!({"last_received_ms": silent, "seqno": seqno})))
        })
        .collect();
    let retired = state.nodes.get(&id).is_some_and(|n| n.belief.is_some())
        && !state.configurations.iter().any(|c| c.nodes.contains(&id));
    Ok(Reply::json(&json!({"details": {
        "acks": acks,
        "configs": configurations,
        "current_view": call.vantage.view,
        "leadership_state": if leads { "Leader" } else { "Follower" },
        "membership_state": if retired { "Retired" } else { "Active" },
        "primary_id": call.vantage.primary,
        "reconfiguration_type": "OneTransaction",
        "ticking": true,
    }})))
}

/// GET /self_signed_certificate
pub(in crate::sandbox) fn self_signed(call: &Call<'_>) -> Result<Reply, Fault> {
    let state = call.network.state();
    let node = state.nodes.get(&call.vantage.node).ok_or_else(|| Fault::internal("This node is not known."))?;
    let from = ago(std::time::Duration::ZERO);
    let certificate = node.key.self_signed(node.address.ip(), from, 365).map_err(|e| Fault::internal(e.to_string()))?;
    Ok(Reply::json(&json!({"self_signed_certificate": certificate})))
}
