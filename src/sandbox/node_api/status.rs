//! Versions, readiness, limits and commits.

use crate::text::clip;
use serde_json::{Value, json};

use crate::id::TransactionId;
use crate::kv::row::read_one;
use crate::kv::table;
use crate::kv::table::{JS_RUNTIME_OPTIONS, MODULES_BYTECODE};
use crate::sandbox::reply::{Fault, Reply};
use crate::sandbox::router::Call;

/// GET /version
pub(in crate::sandbox) fn version(call: &Call<'_>) -> Result<Reply, Fault> {
    let copied = call.network.options.copied.as_ref().and_then(|copied| copied.version.as_deref());
    Ok(Reply::json(&json!({
        "ccf_version": copied.unwrap_or(concat!("ccf-gov-sandbox-", env!("CARGO_PKG_VERSION"))),
        "quickjs_version": "quickjs-ng",
        "unsafe": false,
    })))
}

/// GET /ready/gov
pub(in crate::sandbox) fn ready_gov(_: &Call<'_>) -> Result<Reply, Fault> {
    Ok(Reply::empty(204))
}

/// GET /ready/app
pub(in crate::sandbox) fn ready_app(call: &Call<'_>) -> Result<Reply, Fault> {
    let service = read_one(&call.vantage.tables, table::SERVICE_INFO);
    Ok(Reply::empty(if service.is_some_and(|s| s["status"] == "Open") { 204 } else { 503 }))
}

/// GET /service/configuration
pub(in crate::sandbox) fn configuration(call: &Call<'_>) -> Result<Reply, Fault> {
    Ok(Reply::json(&read_one(&call.vantage.tables, table::SERVICE_CONFIG).unwrap_or_default()))
}

/// GET /service/previous_identity
pub(in crate::sandbox) fn previous_identity(_: &Call<'_>) -> Result<Reply, Fault> {
    Err(Fault::not_found("This service is not a recovery of another."))
}

/// GET /js_metrics
pub(in crate::sandbox) fn js_metrics(call: &Call<'_>) -> Result<Reply, Fault> {
    let tables = &call.vantage.tables;
    let options = read_one(tables, JS_RUNTIME_OPTIONS).unwrap_or_default();
    let or = |name: &str, default: u64| options[name].as_u64().unwrap_or(default);
    Ok(Reply::json(&json!({
        "bytecode_size": tables.iter(MODULES_BYTECODE).map(|(_, code)| code.len()).sum::<usize>(),
        "bytecode_used": !tables.is_empty(MODULES_BYTECODE),
        "max_cached_interpreters": or("max_cached_interpreters", 10),
        "max_execution_time": or("max_execution_time_ms", 5000),
        "max_heap_size": or("max_heap_bytes", 100 << 20),
        "max_stack_size": or("max_stack_bytes", 1 << 20),
    })))
}

/// GET /commit
pub(in crate::sandbox) fn commit(call: &Call<'_>) -> Result<Reply, Fault> {
    let invalid = |message: &str| Fault::new(400, "InvalidQueryParameterValue", message);
    let mut body = json!({"transaction_id": call.vantage.commit});
    let since = match call.request.query("view_history_since") {
        None => None,
        Some(text) => {
            let since: u64 = text.parse().map_err(|_| invalid("view_history_since is a view's number."))?;
            if since < 1 {
                return Err(invalid("view_history_since is at least 1."));
            }
            if since > call.vantage.view {
                let message = "view_history_since is at most the current view.";
                return Err(Fault::new(404, "InvalidQueryParameterValue", message));
            }
            Some(since)
        }
    };
    let all = match call.request.query("view_history").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(invalid("view_history is true or false.")),
    };
    if all || since.is_some() {
        let first = if all { 1 } else { since.unwrap_or(1) };
        let state = call.network.state();
        let views = state.ledger.views().iter().filter(|id| id.view >= first);
        body["view_history"] = views.map(|id| json!(id)).collect::<Vec<Value>>().into();
    }
    Ok(Reply::json(&body))
}

/// GET /tx
pub(in crate::sandbox) fn transaction(call: &Call<'_>) -> Result<Reply, Fault> {
    let invalid = |message: String| Fault::new(400, "InvalidQueryParameterValue", message);
    let text = call.request.query("transaction_id");
    let text = text.ok_or_else(|| invalid("There is no query parameter transaction_id.".into()))?;
    let id: TransactionId = text.parse().map_err(|_| {
        let shown = clip(&text, 80);
        invalid(format!("The transaction id {shown:?} is not VIEW.SEQNO."))
    })?;
    let status = call.network.status(call.vantage.node, id);
    Ok(Reply::json(&json!({"status": status.name(), "transaction_id": id})))
}
