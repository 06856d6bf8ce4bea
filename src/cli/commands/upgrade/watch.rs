//! Watching a service with as little as tells whether a step follows.

use std::time::Duration;

use tokio::time::Instant;

use ccf_gov::id::TransactionId;
use ccf_gov::service::{Service, ServiceError};
use ccf_gov::upgrade::{Observed, Stepped};

/// How often it is asked whether anything was committed.
pub const ASK: Duration = Duration::from_secs(2);
/// How often the whole service is looked at, whatever was committed: a node that died commits nothing.
const LOOK: Duration = Duration::from_secs(30);

/// Waits until the service is to be looked at again: nodes or proposals are not as `stepped` saw them, or time has passed.
///
/// `before` is what was committed before that look. Most of what a busy service commits is its application's: it is asked for its
/// nodes and proposals before the whole of it is read.
pub async fn until_changed(service: &Service, mut before: Option<TransactionId>, stepped: &Stepped) {
    let end = Instant::now() + LOOK;
    while Instant::now() < end {
        tokio::time::sleep(ASK).await;
        if stepped.waits_for_the_service() {
            return;
        }
        let now = service.commit().await.ok();
        if now == before {
            continue;
        }
        before = now;
        if !matches!(is_same(service, &stepped.seen).await, Ok(true)) {
            return;
        }
    }
}

async fn is_same(service: &Service, seen: &Observed) -> Result<bool, ServiceError> {
    let (nodes, proposals) = tokio::try_join!(service.nodes(), service.proposals())?;
    Ok(seen.is_as_listed(&nodes, &proposals))
}
