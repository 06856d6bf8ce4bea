//! The nodes' evidence.

use serde_json::{Value, json};

use crate::kv::row::{read, rows};
use crate::kv::table;
use crate::sandbox::reply::{Fault, Reply};
use crate::sandbox::router::Call;

/// GET /attestations
pub(in crate::sandbox) fn all(call: &Call<'_>) -> Result<Reply, Fault> {
    Ok(Reply::json(&json!({"attestations": trusted(call)})))
}

/// GET /quotes
pub(in crate::sandbox) fn all_quotes(call: &Call<'_>) -> Result<Reply, Fault> {
    Ok(Reply::json(&json!({"quotes": trusted(call)})))
}

/// GET /attestations/self, GET /quotes/self
pub(in crate::sandbox) fn own(call: &Call<'_>) -> Result<Reply, Fault> {
    let id = call.vantage.node.to_string();
    match read(&call.vantage.tables, table::NODE_INFO, &id) {
        Some(row) => Ok(Reply::json(&attestation(&id, &row))),
        None => Err(Fault::not_found("This node's attestation is not there.")),
    }
}

fn trusted(call: &Call<'_>) -> Vec<Value> {
    let rows = rows(&call.vantage.tables, table::NODE_INFO).filter(|(_, row)| row["status"] == "Trusted");
    rows.map(|(id, row)| attestation(&id, &row)).collect()
}

fn attestation(id: &str, row: &Value) -> Value {
    let quote = &row["quote_info"];
    let mut attestation = json!({
        "endorsements": quote["endorsements"],
        "format": quote["format"],
        "measurement": row["code_digest"],
        "node_id": id,
        "raw": quote["quote"],
    });
    if let Some(uvm) = quote.get("uvm_endorsements") {
        attestation["uvm_endorsements"] = uvm.clone();
    }
    attestation
}
