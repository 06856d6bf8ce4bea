//! The nodes as the service knows them, and the way out for retired ones.

use crate::text::clip;
use serde_json::{Value, json};

use crate::kv::row::{read, read_one, rows};
use crate::kv::{Tables, table};
use crate::sandbox::reply::{Fault, Reply};
use crate::sandbox::router::Call;

/// GET /network
pub(in crate::sandbox) fn network(call: &Call<'_>) -> Result<Reply, Fault> {
    let service = read_one(&call.vantage.tables, table::SERVICE_INFO);
    let service = service.ok_or_else(|| Fault::not_found("The service's state is not available."))?;
    Ok(Reply::json(&json!({
        "current_service_create_txid": service["current_service_create_txid"],
        "current_view": call.vantage.view,
        "primary_id": call.vantage.primary,
        "recovery_count": service["recovery_count"].as_u64().unwrap_or(0),
        "service_certificate": service["cert"],
        "service_data": service["service_data"],
        "service_status": service["status"],
    })))
}

/// GET /network/nodes
pub(in crate::sandbox) fn all(call: &Call<'_>) -> Result<Reply, Fault> {
    let (host, port) = (call.request.query("host"), call.request.query("port"));
    let status = call.request.query("status");
    if let Some(status) = &status
        && !["Pending", "Trusted", "Retired"].contains(&status.as_str())
    {
        let shown = clip(status, 80);
        let message = format!("{shown:?} is not a node status: it is Pending, Trusted or Retired.");
        return Err(Fault::new(400, "InvalidQueryParameterValue", message));
    }
    let wanted = |row: &Value| {
        let address = row["rpc_interfaces"]["main"]["published_address"].as_str().unwrap_or_default();
        let (at_host, at_port) = address.rsplit_once(':').unwrap_or((address, ""));
        status.as_ref().is_none_or(|s| row["status"] == s.as_str())
            && host.as_ref().is_none_or(|h| h == at_host)
            && port.as_ref().is_none_or(|p| p == at_port)
    };
    let tables = &call.vantage.tables;
    let list: Vec<Value> = rows(tables, table::NODE_INFO)
        .filter(|(_, row)| wanted(row))
        .map(|(id, row)| entry(call, tables, &id, &row))
        .collect();
    Ok(Reply::json(&json!({"nodes": list})))
}

/// GET /network/nodes/{node_id}
pub(in crate::sandbox) fn one(call: &Call<'_>) -> Result<Reply, Fault> {
    find(call, call.parameter(0))
}

/// GET /network/nodes/self
pub(in crate::sandbox) fn own(call: &Call<'_>) -> Result<Reply, Fault> {
    find(call, &call.vantage.node.to_string())
}

/// GET /network/nodes/primary
pub(in crate::sandbox) fn primary(call: &Call<'_>) -> Result<Reply, Fault> {
    let primary = call.vantage.primary.ok_or_else(|| Fault::internal("The primary is not known."))?;
    find(call, &primary.to_string())
}

fn find(call: &Call<'_>, id: &str) -> Result<Reply, Fault> {
    let tables = &call.vantage.tables;
    match read(tables, table::NODE_INFO, id) {
        Some(row) => Ok(Reply::json(&entry(call, tables, id, &row))),
        None => Err(Fault::not_found("There is no such node.")),
    }
}

fn entry(call: &Call<'_>, tables: &Tables, id: &str, row: &Value) -> Value {
    json!({
        "last_written": tables.version_of_previous_write(table::NODE_INFO, id.as_bytes()).unwrap_or(0),
        "node_data": row["node_data"],
        "node_id": id,
        "primary": call.vantage.primary.is_some_and(|primary| primary.to_string() == id),
        "rpc_interfaces": row["rpc_interfaces"],
        "status": row["status"],
    })
}

/// GET /network/removable_nodes
pub(in crate::sandbox) fn removable(call: &Call<'_>) -> Result<Reply, Fault> {
    let tables = &call.vantage.tables;
    let list: Vec<Value> = rows(tables, table::NODE_INFO)
        .filter(|(id, _)| is_removable(&call.vantage.durable, id))
        .map(|(id, row)| {
            let mut entry = entry(call, tables, &id, &row);
            entry["primary"] = false.into();
            entry
        })
        .collect();
    Ok(Reply::json(&json!({"nodes": list})))
}

/// DELETE /network/nodes/{node_id}
pub(in crate::sandbox) fn delete(call: &Call<'_>) -> Result<Reply, Fault> {
    call.write(|tables, _| {
        let id = call.parameter(0);
        if !tables.has(table::NODE_INFO, id.as_bytes()) {
            return Err(Fault::not_found("There is no such node."));
        }
        if !is_removable(&call.vantage.durable, id) {
            return Err(Fault::new(400, "NodeNotRetiredCommitted", "The node is not completely retired."));
        }
        tables.remove(table::NODE_INFO, id.as_bytes());
        tables.remove(table::NODE_ENDORSED_CERTS, id.as_bytes());
        Ok(Value::Bool(true))
    })
}

/// Whether everybody who could become primary knows that the node is retired.
fn is_removable(durable: &Tables, id: &str) -> bool {
    read(durable, table::NODE_INFO, id)
        .is_some_and(|row| row["status"] == "Retired" && row["retired_committed"] == true)
}
