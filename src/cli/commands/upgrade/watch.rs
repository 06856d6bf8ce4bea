//! Watching a service with one small request at a time.

use std::time::Duration;

use tokio::time::Instant;

use ccf_gov::id::TransactionId;
use ccf_gov::service::Service;

/// How often it is asked whether anything was committed.
pub const ASK: Duration = Duration::from_secs(2);
/// How often the whole service is looked at, whatever was committed: a node that died commits nothing.
const LOOK: Duration = Duration::from_secs(30);

/// Waits until something was committed after `before`, or long enough that the service is looked at anyway.
pub async fn until_changed(service: &Service, before: Option<TransactionId>) {
    let end = Instant::now() + LOOK;
    while Instant::now() < end {
        tokio::time::sleep(ASK).await;
        if service.commit().await.ok() != before {
            return;
        }
    }
}
