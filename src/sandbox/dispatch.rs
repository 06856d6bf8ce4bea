//! What a node does with a request: answer it, forward it to the primary, or redirect.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::network::{Network, Vantage};
use super::node::NodeState;
use super::reply::{Body, Fault, Reply};
use super::router::{self, Forwarding, Request};
use super::{app, control};
use crate::id::NodeId;

/// What a node remembers of one connection.
#[derive(Debug, Default)]
pub(super) struct Session {
    state: Mutex<SessionState>,
}

#[derive(Debug, Default, Clone, Copy)]
struct SessionState {
    /// The view in which the first request came.
    view: Option<u64>,
    /// Whether a write was forwarded, so that reads follow it.
    forwards: bool,
}

/// Answers `request`, which came to `node`.
pub(super) async fn answer(network: Arc<Network>, node: NodeId, session: &Session, request: Request) -> Reply {
    if request.path.starts_with("/sandbox/") {
        return control::answer(&network, node, &request).await;
    }
    network.requests.fetch_add(1, Ordering::Relaxed);
    if request.path == "/app" || request.path.starts_with("/app/") {
        let Some(vantage) = network.vantage(node) else { return gone() };
        return app::answer(&network, vantage, request).await;
    }
    let forwarding = match router::find(&request) {
        Ok((endpoint, _)) => endpoint.forwarding,
        Err(reply) => return *reply,
    };
    let Some(mut vantage) = network.vantage(node) else { return gone() };
    let leads = vantage.primary == Some(node);
    let redirects = network.state().nodes.get(&node).is_some_and(|n| n.redirects);
    if let Err(fault) = session.check(&vantage) {
        return Reply { close: true, ..fault.into() };
    }
    if !leads && redirects && forwarding == Forwarding::Always {
        return redirect(&network, &vantage, &request);
    }
    let forward = forwarding == Forwarding::Always || (forwarding == Forwarding::Sometimes && session.forwards());
    if !leads && !redirects && forward {
        vantage = match forward_to_primary(&network, &vantage).await {
            Ok(primary) => primary,
            Err(reply) => return *reply,
        };
        session.set_forwards();
    }
    let local = network.clone();
    let run = move || match router::find(&request) {
        Ok((endpoint, parameters)) => endpoint.answer(&local, vantage, &request, parameters),
        Err(reply) => *reply,
    };
    let reply = match forwarding {
        // Scripts run: not on the thread that serves connections.
        Forwarding::Always => tokio::task::spawn_blocking(run).await.unwrap_or_else(|_| gone()),
        _ => run(),
    };
    match network.vantage(node).map(|vantage| session.check(&vantage)) {
        Some(Err(fault)) if forwarding != Forwarding::Always => Reply { close: true, ..fault.into() },
        _ => reply,
    }
}

/// The primary's sight, or what a backup says when it has no answer from it.
async fn forward_to_primary(network: &Arc<Network>, vantage: &Vantage) -> Result<Vantage, Box<Reply>> {
    let Some(primary) = vantage.primary else {
        return Err(Box::new(
            Fault::new(503, "InternalError", "There is no primary to forward the request to.").into(),
        ));
    };
    let now = Instant::now();
    let reachable = {
        let state = network.state();
        let hears = |id| state.nodes.get(&id).is_some_and(|n| n.state == NodeState::Running && n.takes_part(now));
        hears(primary) && hears(vantage.node)
    };
    if reachable && let Some(primary) = network.vantage(primary) {
        return Ok(primary);
    }
    let waited = network.options.forwarding_timeout;
    tokio::time::sleep(waited).await;
    let text =
        format!("The request was forwarded to node {primary}, which did not answer within {} ms.", waited.as_millis());
    Err(Box::new(Reply::with(504, Body::Text(text))))
}

fn redirect(network: &Network, vantage: &Vantage, request: &Request) -> Reply {
    let address = vantage.primary.and_then(|id| network.state().nodes.get(&id).map(|n| n.address));
    let Some(address) = address else {
        return Fault::new(503, "PrimaryNotFound", "This node does not know the primary's address.").into();
    };
    let query = if request.raw_query.is_empty() { String::new() } else { format!("?{}", request.raw_query) };
    Reply::empty(307).header("location", format!("https://{address}{}{query}", request.path))
}

fn gone() -> Reply {
    Fault::internal("This node no longer answers.").into()
}

impl Session {
    /// Refuses to go on after an election: what was read before may be undone.
    fn check(&self, vantage: &Vantage) -> Result<(), Fault> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let first = *state.view.get_or_insert(vantage.view);
        if first == vantage.view {
            return Ok(());
        }
        let message =
            format!("The connection began in view {first}, and this is view {}: connect again.", vantage.view);
        Err(Fault::new(500, "SessionConsistencyLost", message))
    }

    fn forwards(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).forwards
    }

    fn set_forwards(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).forwards = true;
    }
}
