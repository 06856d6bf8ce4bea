//! The service and its network.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::id::NodeId;

/// `GET /gov/service/info`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceInfo {
    /// Its state.
    pub status: ServiceStatus,
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

/// A service's state (CCF's `ServiceStatus`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub enum ServiceStatus {
    /// Set up by its members; users are not let in yet.
    Opening,
    /// In use.
    Open,
    /// Recovering, until enough members have submitted their shares.
    WaitingForRecoveryShares,
    /// Reads its old ledger.
    Recovering,
    /// One that this version does not know.
    #[serde(untagged)]
    Other(String),
}

impl fmt::Display for ServiceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(status) => f.write_str(status),
            known => fmt::Debug::fmt(known, f),
        }
    }
}

/// `GET /node/network`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Network {
    /// The service's state.
    pub service_status: ServiceStatus,
    /// The view that the answering node is in.
    #[serde(default)]
    pub current_view: Option<u64>,
    /// The primary, if the answering node knows one.
    #[serde(default)]
    pub primary_id: Option<NodeId>,
}
