//! `/sandbox`: what an operator does to machines, and no CCF node offers: start nodes, stop them, cut them off.

use std::sync::Arc;

use serde_json::{Value, json};

use super::code::NodeCode;
use super::network::Network;
use super::node::NodeState;
use super::reply::{Fault, Reply};
use super::router::Request;
use super::start::start_node;
use crate::id::NodeId;

/// Answers a request to `/sandbox`.
pub(super) async fn answer(network: &Arc<Network>, request: &Request) -> Reply {
    let path = request.path.strip_prefix("/sandbox").unwrap_or_default();
    let answer = match (request.method.as_str(), path) {
        ("GET", "/nodes") => Ok(list(network)),
        ("POST", "/nodes") => start(network, &request.body).await,
        ("POST", _) => act(network, path),
        _ => Err(Fault::not_found(format!("There is nothing at {}.", request.path))),
    };
    answer.map(|value| Reply::json(&value)).unwrap_or_else(Reply::from)
}

fn list(network: &Network) -> Value {
    let state = network.state();
    let node = |n: &super::node::Node| json!({"nodeId": n.id, "url": format!("https://{}", n.address), "state": n.state.name(), "code": n.code});
    json!({"value": state.nodes.values().map(node).collect::<Vec<_>>()})
}

async fn start(network: &Arc<Network>, body: &[u8]) -> Result<Value, Fault> {
    let code = crate::json::parse(body).map_err(|_| Fault::new(400, "InvalidInput", "The node's code is not JSON."))?;
    let code: NodeCode =
        serde_json::from_value(code).map_err(|e| Fault::new(400, "InvalidInput", format!("The node's code: {e}")))?;
    let id = start_node(network, code).await.map_err(|error| match error {
        super::SandboxError::Refused(refused) => refused.into(),
        other => Fault::internal(other.to_string()),
    })?;
    let address = network.state().nodes.get(&id).map(|n| n.address.to_string());
    Ok(json!({"nodeId": id, "url": address.map(|a| format!("https://{a}"))}))
}

fn act(network: &Network, path: &str) -> Result<Value, Fault> {
    let unknown = || Fault::not_found(format!("There is nothing at /sandbox{path}."));
    let (id, action) = path.strip_prefix("/nodes/").and_then(|rest| rest.split_once(':')).ok_or_else(unknown)?;
    let id: NodeId = id.parse().map_err(|_| unknown())?;
    let done = match action {
        "stop" => stop(network, id),
        "pause" => pause(network, id),
        "resume" => resume(network, id),
        _ => return Err(unknown()),
    };
    if done {
        Ok(Value::Bool(true))
    } else {
        Err(Fault::not_found(format!("There is no node {id} that could do this.")))
    }
}

/// Ends a node's process: its sockets close. Whether there was such a node.
pub(super) fn stop(network: &Network, id: NodeId) -> bool {
    let mut state = network.state();
    let Some(node) = state.nodes.get_mut(&id) else { return false };
    node.state = NodeState::Stopped;
    node.running = None;
    true
}

/// Cuts a node off from the others. Whether there was such a running node.
pub(super) fn pause(network: &Network, id: NodeId) -> bool {
    let mut state = network.state();
    let leads = state.primary == Some(id);
    let Some(node) = state.nodes.get_mut(&id).filter(|n| n.state == NodeState::Running) else { return false };
    node.state = NodeState::Paused;
    if !leads {
        state.cut_off(id);
    }
    true
}

/// Connects a node again. Whether there was such a paused node.
pub(super) fn resume(network: &Network, id: NodeId) -> bool {
    let mut state = network.state();
    let Some(node) = state.nodes.get_mut(&id).filter(|n| n.state == NodeState::Paused) else { return false };
    node.state = NodeState::Running;
    node.belief = None;
    node.heard = std::time::Instant::now();
    true
}
