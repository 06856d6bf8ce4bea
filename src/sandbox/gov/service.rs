//! The service, its constitution and its nodes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::proposals::WINDOW;
use super::{node_name, version};
use crate::kv::row::{read, read_one, read_text, rows};
use crate::kv::{Tables, table};
use crate::sandbox::reply::{Body, Fault, Reply};
use crate::sandbox::router::Call;

/// GET /service/info
pub(in crate::sandbox) fn info(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    let tables = &call.vantage.tables;
    let service = read_one(tables, table::SERVICE_INFO);
    let service = service.ok_or_else(|| Fault::not_found("The service's description is not there yet."))?;
    let mut body = json!({
        "certificate": service["cert"],
        "creationTransactionId": service["current_service_create_txid"],
        "recoveryCount": service["recovery_count"].as_u64().unwrap_or(0),
        "serviceData": service["service_data"],
        "status": service["status"],
    });
    if let Some(config) = read_one(tables, table::SERVICE_CONFIG) {
        let number = |name: &str, default: u64| config[name].as_u64().unwrap_or(default);
        body["configuration"] = json!({
            "maximumNodeCertificateValidityDays": number("maximum_node_certificate_validity_days", 365),
            "maximumServiceCertificateValidityDays": number("maximum_service_certificate_validity_days", 365),
            "recentCoseProposalsWindowSize": number("recent_cose_proposals_window_size", WINDOW),
            "recoveryThreshold": number("recovery_threshold", 0),
        });
    }
    Ok(Reply::json(&body))
}

/// GET /service/constitution
pub(in crate::sandbox) fn constitution(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    match read_one(&call.vantage.tables, table::CONSTITUTION).as_ref().and_then(Value::as_str) {
        Some(source) => Ok(Reply::with(200, Body::JavaScript(source.to_owned()))),
        None => Err(Fault::not_found("The service has no constitution.")),
    }
}

/// GET /service/nodes
pub(in crate::sandbox) fn nodes(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    let tables = &call.vantage.tables;
    let list: Vec<Value> = rows(tables, table::NODE_INFO).map(|(id, row)| describe(tables, &id, &row)).collect();
    Ok(Reply::json(&json!({"value": list})))
}

/// GET /service/nodes/{nodeId}
pub(in crate::sandbox) fn node(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    let (tables, id) = (&call.vantage.tables, node_name(call, 0)?);
    match read(tables, table::NODE_INFO, &id) {
        Some(row) => Ok(Reply::json(&describe(tables, &id, &row))),
        None => Err(Fault::not_found(format!("There is no node {id}."))),
    }
}

fn describe(tables: &Tables, id: &str, row: &Value) -> Value {
    let mut body = Map::new();
    if let Some(certificate) = read_text(tables, table::NODE_ENDORSED_CERTS, id) {
        body.insert("certificate".into(), certificate.into());
    }
    body.insert("nodeData".into(), row["node_data"].clone());
    body.insert("nodeId".into(), id.into());
    body.insert("quoteInfo".into(), quote_info(&row["quote_info"]));
    body.insert("retiredCommitted".into(), row["retired_committed"].as_bool().unwrap_or(false).into());
    let interfaces = row["rpc_interfaces"].as_object().into_iter().flatten();
    let interfaces: Map<String, Value> = interfaces
        .map(|(name, interface)| (name.clone(), json!({"publishedAddress": interface["published_address"]})))
        .collect();
    body.insert("rpcInterfaces".into(), interfaces.into());
    body.insert("status".into(), row["status"].clone());
    Value::Object(body)
}

fn quote_info(info: &Value) -> Value {
    let format = &info["format"];
    match format.as_str() {
        Some("Insecure_Virtual") => {
            let quote = info["quote"].as_str().and_then(|quote| STANDARD.decode(quote).ok());
            let quote: Value = quote.and_then(|q| serde_json::from_slice(&q).ok()).unwrap_or_default();
            let details = json!({
                "hostData": quote["host_data"],
                "measurement": quote["measurement"],
                "reportData": quote["report_data"],
            });
            json!({"details": details, "format": format, "rawQuote": info["quote"]})
        }
        Some("OE_SGX_v1") => {
            json!({"endorsements": info["endorsements"], "format": format, "quote": info["quote"]})
        }
        // The report itself is not shown here.
        _ => {
            let mut shown = json!({"format": format});
            let tcb = info["endorsed_tcb"].as_str().and_then(|tcb| hex::decode(tcb).ok());
            if let Some(tcb) = tcb {
                shown["endorsedTcb"] = STANDARD.encode(tcb).into();
            }
            if let Some(uvm) = info.get("uvm_endorsements") {
                shown["uvmEndorsements"] = uvm.clone();
            }
            shown
        }
    }
}
