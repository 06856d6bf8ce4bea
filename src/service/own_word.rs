//! What nodes say of themselves, each asked alone.

use crate::text::clip;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use tokio::task::JoinSet;

use super::client::Service;
use super::http::{Bounds, Http, Reply, Request};
use super::{NodeAddress, NodeFailure};
use crate::id::NodeId;

/// How long a node may take.
const WORD: Duration = Duration::from_millis(1500);
/// How many nodes are asked, at most.
const MAX_NODES: usize = 64;

/// A node's own word. It proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnWord {
    /// The id that it gives.
    pub node_id: Option<NodeId>,
    /// The version of CCF that it gives, for example `ccf-7.0.0`.
    pub version: Option<String>,
}

impl Service {
    /// Asks each of these nodes alone, all at once, who it is and what it runs (`GET /node/state` and `/node/version`).
    pub async fn own_words(&self, nodes: Vec<NodeAddress>) -> BTreeMap<NodeAddress, Result<OwnWord, NodeFailure>> {
        let mut asked = JoinSet::new();
        for address in nodes.into_iter().take(MAX_NODES) {
            let http = self.http.hurried(WORD);
            asked.spawn(async move { (address.clone(), own_word(&http, &address).await) });
        }
        asked.join_all().await.into_iter().collect()
    }
}

impl Service {
    /// Asks each of these nodes alone, all at once, which version of CCF it runs (`GET /node/version`). Those that do not answer
    /// are left out.
    pub async fn versions(&self, nodes: Vec<NodeAddress>) -> BTreeMap<NodeAddress, String> {
        let mut asked = JoinSet::new();
        for address in nodes.into_iter().take(MAX_NODES) {
            let http = self.http.hurried(WORD);
            asked.spawn(async move {
                let reply = http.send(&address, &Request::get("/node/version", Bounds::WORDS)).await.ok()?;
                Some((address, clip(&read::<Version>(&reply)?.ccf_version, 100)))
            });
        }
        asked.join_all().await.into_iter().flatten().collect()
    }
}

#[derive(Deserialize)]
struct Version {
    ccf_version: String,
}

async fn own_word(http: &Http, address: &NodeAddress) -> Result<OwnWord, NodeFailure> {
    #[derive(Deserialize)]
    struct State {
        node_id: NodeId,
    }
    let state = http.send(address, &Request::get("/node/state", Bounds::WORDS)).await?;
    let version = http.send(address, &Request::get("/node/version", Bounds::WORDS)).await?;
    Ok(OwnWord {
        node_id: read::<State>(&state).map(|s| s.node_id),
        version: read::<Version>(&version).map(|v| clip(&v.ccf_version, 100)),
    })
}

fn read<T: serde::de::DeserializeOwned>(reply: &Reply) -> Option<T> {
    let value = reply.json().ok().filter(|_| reply.status.is_success())?;
    serde_json::from_value(value).ok()
}
