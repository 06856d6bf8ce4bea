//! The application's own endpoints: those that anybody may call, that only read, and whose module imports no other.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::network::{Network, Vantage};
use super::reply::{Body, Fault, Reply};
use super::router::Request;
use crate::constitution::call_endpoint;
use crate::kv::row::{read, read_one, read_text};
use crate::kv::table;

/// Answers a request to `/app`.
pub(super) async fn answer(network: &Arc<Network>, vantage: Vantage, request: Request) -> Reply {
    let open = read_one(&vantage.tables, table::SERVICE_INFO).is_some_and(|service| service["status"] == "Open");
    if !open {
        return Fault::new(404, "FrontendNotOpen", "The service is not open for users yet.").into();
    }
    let limit = network.options.max_body;
    let run = move || call(&vantage, &request, limit).unwrap_or_else(Reply::from);
    tokio::task::spawn_blocking(run).await.unwrap_or_else(|_| Fault::internal("The endpoint did not run.").into())
}

fn call(vantage: &Vantage, request: &Request, limit: usize) -> Result<Reply, Fault> {
    let path = request.path.strip_prefix("/app").unwrap_or_default();
    let endpoint = read(&vantage.tables, table::ENDPOINTS, &format!("{} {path}", request.method));
    let endpoint = endpoint.ok_or_else(|| Fault::not_found(format!("There is nothing at {path}.")))?;
    let policies = endpoint["authn_policies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let missing = |what: &str| Fault::new(501, "NotImplemented", format!("The sandbox does not {what}."));
    if !policies.iter().any(|policy| policy == "no_auth") {
        return Err(missing("authenticate users"));
    }
    if endpoint["mode"] != "readonly" {
        return Err(missing("run endpoints that write"));
    }
    let (module, function) = (endpoint["js_module"].as_str(), endpoint["js_function"].as_str());
    let (Some(module), Some(function)) = (module, function) else {
        return Err(Fault::internal("The endpoint names no function."));
    };
    let source = read_text(&vantage.tables, table::MODULES, module);
    let source = source.ok_or_else(|| Fault::internal(format!("There is no module {module}.")))?;
    let argument = json!({
        "headers": {"content-type": request.content_type},
        "query": request.raw_query,
        "path": request.path,
        "params": {},
        "body": String::from_utf8_lossy(&request.body),
    });
    let answer = call_endpoint(&vantage.tables, module, &source, function, &argument.to_string());
    let answer = answer.map_err(|_| Fault::internal("An exception was thrown while the endpoint ran."))?;
    if answer.len() > limit {
        return Err(Fault::internal("The endpoint's answer is too large."));
    }
    let answer: Map<String, Value> =
        serde_json::from_str(&answer).map_err(|_| Fault::internal("The endpoint's answer could not be read."))?;
    let status = answer.get("statusCode").and_then(Value::as_u64).and_then(|s| u16::try_from(s).ok());
    let body = answer.get("body").cloned().unwrap_or_default();
    let (usual, body) = match answer.get("kind").and_then(Value::as_str) {
        Some("json") => (200, Body::Json(body.to_string().into_bytes())),
        Some("text") => (200, Body::Text(body.as_str().unwrap_or_default().to_owned())),
        _ => (204, Body::Empty),
    };
    Ok(Reply::with(status.unwrap_or(usual), body).at(vantage.id))
}
