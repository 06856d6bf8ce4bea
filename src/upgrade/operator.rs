//! Who starts and stops the nodes' processes.

use std::error::Error;

use async_trait::async_trait;

use super::Code;
use crate::id::NodeId;

/// Starts and stops nodes: on a sandbox, as processes, in a cluster.
#[async_trait(?Send)]
pub trait Operator {
    /// Starts a node that runs `code` and joins the service; returns its id once it has joined (as Pending).
    async fn start(&self, code: &Code) -> Result<NodeId, OperatorError>;

    /// Ends a node's process.
    async fn stop(&self, node: NodeId) -> Result<(), OperatorError>;
}

/// Why a node was not started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The service does not admit its code.
    #[error("the service does not let the node in: {0}")]
    Refused(String),
    /// Anything else.
    #[error("the node cannot be started or stopped")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}
