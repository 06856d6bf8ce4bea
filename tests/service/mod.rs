//! The service client against servers that misbehave in every way that is known.

mod reads;
mod trust;
mod writes;

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use ccf_gov::service::{Options, Service, ServiceError};
use serde_json::{Value, json};

use crate::support::server::{Asked, Authority, Reply, Server};

const VERSION: &str = "?api-version=2024-07-01";

fn options(authority: &Authority, servers: &[&Server]) -> Options {
    let addresses = servers.iter().map(|s| s.url().parse().unwrap()).collect();
    Options {
        patience: Duration::from_secs(8),
        timeout: Duration::from_secs(2),
        ..Options::new(addresses, authority.pem.clone().into_bytes())
    }
}

async fn connect(authority: &Authority, servers: &[&Server]) -> Result<Service, ServiceError> {
    Service::connect(options(authority, servers)).await
}

fn hex(c: char) -> String {
    c.to_string().repeat(64)
}

fn info() -> Value {
    json!({"status": "Open", "certificate": "", "configuration": {}, "another": 1})
}

fn not_found() -> Reply {
    Reply::error(404, "ResourceNotFound", "Unknown path")
}

/// One node's view: who it is, and the nodes with their status; the one with `primary` leads.
struct View {
    own: char,
    transaction: &'static str,
    nodes: Vec<(char, &'static str, String)>,
    primary: Option<char>,
}

impl View {
    /// The answers about the network, which the client asks for when it looks around.
    fn answer(&self, asked: &Asked) -> Option<Reply> {
        match asked.path() {
            "/node/network/nodes" => {
                let nodes = self.nodes.iter().map(|(id, status, address)| {
                    json!({"node_id": hex(*id), "status": status, "primary": Some(*id) == self.primary,
                        "rpc_interfaces": {"main": {"published_address": address, "bind_address": address}}})
                });
                Some(Reply::at(self.transaction, &json!({"nodes": nodes.collect::<Vec<_>>()})))
            }
            "/node/consensus" => {
                let leads = if Some(self.own) == self.primary { "Leader" } else { "Follower" };
                let primary = self.primary.map(hex);
                Some(Reply::json(
                    200,
                    &json!({"details": {"acks": {}, "configs": [], "leadership_state": leads,
                    "membership_state": "Active", "primary_id": primary}}),
                ))
            }
            "/node/state" => Some(Reply::json(200, &json!({"node_id": hex(self.own), "state": "PartOfNetwork"}))),
            _ => None,
        }
    }
}

/// Answers in the order of the list, the last one for ever.
struct Script(Mutex<Vec<Box<dyn Fn() -> Reply + Send>>>);

impl Script {
    fn new(replies: Vec<Box<dyn Fn() -> Reply + Send>>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(replies)))
    }

    fn next(&self) -> Reply {
        let mut replies = self.0.lock().unwrap();
        let reply = replies[0]();
        if replies.len() > 1 {
            drop(replies.remove(0));
        }
        reply
    }
}
