//! The service and its network.

use serde::Deserialize;
use serde_json::Value;

use crate::id::NodeId;

/// `GET /gov/service/info`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceInfo {
    /// `Opening`, `Open`, `WaitingForRecoveryShares`, …
    pub status: String,
    /// The service's certificate, PEM.
    pub certificate: String,
    /// How often it came back from a disaster.
    #[serde(default)]
    pub recovery_count: Option<u64>,
    /// The transaction that created it.
    #[serde(default)]
    pub creation_transaction_id: Option<String>,
    /// Recovery threshold and validity bounds.
    #[serde(default)]
    pub configuration: Value,
}

/// `GET /node/network`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Network {
    /// `Open`, …
    pub service_status: String,
    /// The view that the answering node is in.
    #[serde(default)]
    pub current_view: Option<u64>,
    /// The primary, if the answering node knows one.
    #[serde(default)]
    pub primary_id: Option<NodeId>,
}
