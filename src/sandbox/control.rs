//! `/sandbox`: what an operator does to machines, and no CCF node offers: start nodes, stop them, cut them off.
//!
//! Whoever reaches a node's port may ask, but not a web page that somebody on this machine happens to look at: a
//! browser adds an `Origin`, may have been led here under another host's name, and cannot send JSON unasked.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Value, json};

use super::code::NodeCode;
use super::network::Network;
use super::node::NodeState;
use super::reply::{Fault, Reply};
use super::router::Request;
use super::start::start_node;
use crate::id::NodeId;

/// Answers a request to `/sandbox` that came to `node`.
pub(super) async fn answer(network: &Arc<Network>, node: NodeId, request: &Request) -> Reply {
    let address = network.state().nodes.get(&node).map(|n| n.address.ip());
    if let Err(fault) = check_sender(request, address) {
        return fault.into();
    }
    let path = request.path.strip_prefix("/sandbox").unwrap_or_default();
    let answer = match (request.method.as_str(), path) {
        ("GET", "/nodes") => Ok(list(network)),
        ("POST", "/nodes") => start(network, &request.body).await,
        ("POST", _) => act(network, path),
        _ => Err(Fault::not_found(format!("There is nothing at {}.", request.path))),
    };
    answer.map(|value| Reply::json(&value)).unwrap_or_else(Reply::from)
}

/// Refuses what a web page can make a browser send.
fn check_sender(request: &Request, address: Option<IpAddr>) -> Result<(), Fault> {
    let forbidden = |message: String| Err(Fault::new(403, "AuthorizationFailed", message));
    if request.has_origin {
        return forbidden("Requests to /sandbox have no Origin: web pages have no business here.".into());
    }
    if let Some(host) = request.host.as_deref().filter(|host| !is_own(host, address)) {
        return forbidden(format!("This is not the host {host:?}: call the node by its IP address or as localhost."));
    }
    let is_json = |kind: &str| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json")
    };
    match request.content_type.as_deref() {
        Some(kind) if is_json(kind) => Ok(()),
        None if request.body.is_empty() => Ok(()),
        _ => Err(Fault::new(
            415,
            "UnsupportedContentType",
            "The content-type of requests to /sandbox is application/json.",
        )),
    }
}

/// Whether `host` (a Host header) is this machine, or the address at which the node listens.
fn is_own(host: &str, address: Option<IpAddr>) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    match name.parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback() || address.is_some_and(|own| own == ip || own.is_unspecified()),
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

fn list(network: &Network) -> Value {
    let state = network.state();
    let node = |n: &super::node::Node| {
        json!({
            "nodeId": n.id,
            "url": format!("https://{}", n.address),
            "state": n.state.name(),
            "code": n.code,
            "quote_info": n.quote_info,
        })
    };
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
    let state = network.state();
    let node = state.nodes.get(&id);
    let url = node.map(|n| format!("https://{}", n.address));
    Ok(json!({"nodeId": id, "url": url, "quote_info": node.map(|n| &n.quote_info)}))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn request(host: Option<&str>, origin: bool, content_type: Option<&str>, body: &str) -> Request {
        Request {
            method: "POST".into(),
            path: "/sandbox/nodes".into(),
            raw_query: String::new(),
            content_type: content_type.map(Into::into),
            host: host.map(Into::into),
            has_origin: origin,
            body: body.to_owned().into(),
        }
    }

    #[test]
    fn what_a_web_page_can_send_is_refused() {
        let own: Option<IpAddr> = Some([10, 0, 0, 4].into());
        let status = |request: &Request| check_sender(request, own).map_err(|fault| fault.status);
        let json = Some("application/json");
        for host in [None, Some("127.0.0.1:8000"), Some("[::1]:8000"), Some("localhost"), Some("10.0.0.4:8000")] {
            assert_eq!(status(&request(host, false, json, "{}")), Ok(()), "{host:?}");
            assert_eq!(status(&request(host, false, None, "")), Ok(()), "{host:?}");
        }
        for host in
            ["evil.example", "evil.example:8000", "10.0.0.5:8000", "localhost.evil.example", "[2001:db8::1]", ""]
        {
            assert_eq!(status(&request(Some(host), false, json, "{}")), Err(403), "{host:?}");
        }
        assert_eq!(status(&request(None, true, json, "{}")), Err(403));
        assert_eq!(status(&request(None, false, Some("Application/JSON; charset=utf-8"), "{}")), Ok(()));
        for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonp")] {
            assert_eq!(status(&request(None, false, kind, "{}")), Err(415), "{kind:?}");
        }
        assert_eq!(status(&request(None, false, Some("text/plain"), "")), Err(415));
    }
}
