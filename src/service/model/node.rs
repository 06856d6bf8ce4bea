//! Nodes, as the governance API and as the node API list them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Validity;
use crate::id::NodeId;

/// A node's standing in the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub enum NodeStatus {
    /// Joined, its code admitted; members have not trusted it yet.
    Pending,
    /// Part of the network.
    Trusted,
    /// Removed by the members.
    Retired,
}

impl fmt::Display for NodeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One of `GET /gov/service/nodes`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// SHA-256 of its public key.
    pub node_id: NodeId,
    /// Its standing.
    pub status: NodeStatus,
    /// Its retirement is committed: it can be stopped and deleted.
    #[serde(default)]
    pub retired_committed: bool,
    /// Its attestation, as it gave it when it joined.
    #[serde(default)]
    pub quote_info: Option<QuoteInfo>,
    /// Its certificate under the service's, PEM; none while it is pending.
    #[serde(default)]
    pub certificate: Option<String>,
    /// Whatever the consortium noted about it.
    #[serde(default)]
    pub node_data: Value,
    /// Where it listens, by the interface's name.
    #[serde(default)]
    pub rpc_interfaces: BTreeMap<String, PublishedInterface>,
}

impl Node {
    /// How long its certificate is valid, if it has one.
    pub fn validity(&self) -> Option<Validity> {
        Validity::of_pem(self.certificate.as_deref()?)
    }

    /// Its first published address, `HOST:PORT`.
    pub fn address(&self) -> Option<&str> {
        self.rpc_interfaces.values().next().map(|i| i.published_address.as_str())
    }
}

/// A node's attestation.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuoteInfo {
    /// `Insecure_Virtual`, `AMD_SEV_SNP_v1` or `OE_SGX_v1`.
    pub format: String,
    /// What the service read in it; for the virtual platform `{measurement, hostData, reportData}`.
    #[serde(default)]
    pub details: Value,
    /// The attestation itself, base64.
    #[serde(default)]
    pub raw_quote: String,
}

/// Where a node listens, by the governance API.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedInterface {
    /// `HOST:PORT`.
    pub published_address: String,
}

/// One of `GET /node/network/nodes`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct NetworkNode {
    /// SHA-256 of its public key.
    pub node_id: NodeId,
    /// Its standing.
    pub status: NodeStatus,
    /// Whether the node that answers believes this one to be the primary.
    #[serde(default)]
    pub primary: bool,
    /// Where it listens, by the interface's name.
    #[serde(default)]
    pub rpc_interfaces: BTreeMap<String, RpcInterface>,
}

/// Where a node listens, by the node API.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RpcInterface {
    /// `HOST:PORT`.
    pub published_address: String,
}
