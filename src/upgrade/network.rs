//! How the network of nodes stands, asked for by whoever acts without a plan.

use std::time::Duration;

use tokio::time::timeout;

use crate::service::{LostQuorum, Replication, Service, ServiceError};

/// How long the primary is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// How the network stands.
#[derive(Clone, Debug)]
pub enum Network {
    /// The primary's word.
    Led(Replication),
    /// Too few nodes answer to commit anything.
    Lost(LostQuorum),
    /// Nobody says how it stands.
    Unknown,
}

impl Network {
    /// Asks the primary, with two requests; where there is none, waits a moment for one.
    pub async fn look(service: &Service) -> Self {
        if let Some(lost) = service.lost_quorum() {
            return Self::Lost(lost);
        }
        match timeout(PATIENCE, Replication::take(service)).await {
            Ok(Ok(Some(replication))) => Self::Led(replication),
            Ok(Err(ServiceError::Unreachable { quorum: Some(lost), .. })) => Self::Lost(lost),
            _ => service.lost_quorum().map_or(Self::Unknown, Self::Lost),
        }
    }
}
