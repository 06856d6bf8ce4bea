//! What became of a transaction.

use crate::text::clip;
use serde_json::json;

use super::version;
use crate::id::TransactionId;
use crate::sandbox::reply::{Fault, Reply};
use crate::sandbox::router::Call;

/// GET /service/transactions/{transactionId}
pub(in crate::sandbox) fn status(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    let text = call.parameter(0);
    let id: TransactionId = text.parse().map_err(|_| {
        let shown = clip(text, 80);
        let message = format!("The transaction id {shown:?} is not VIEW.SEQNO.");
        Fault::new(400, "InvalidQueryParameterValue", message)
    })?;
    let status = call.network.status(call.vantage.node, id);
    Ok(Reply::json(&json!({"status": status.name(), "transactionId": id})))
}

/// GET /service/transactions/commit
pub(in crate::sandbox) fn commit(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    Ok(Reply::json(&json!({"status": "Committed", "transactionId": call.vantage.commit})))
}
