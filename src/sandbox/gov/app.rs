//! The application as governance set it: endpoints and modules.

use serde_json::{Map, Value, json};

use super::version;
use crate::kv::row::rows;
use crate::kv::table;
use crate::sandbox::reply::{Body, Fault, Reply};
use crate::sandbox::router::Call;

/// GET /service/javascript-app
pub(in crate::sandbox) fn endpoints(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    let original = match call.request.query("case").as_deref() {
        None => false,
        Some("original") => true,
        Some(_) => {
            let message = "The query parameter case has one value: original.";
            return Err(Fault::new(400, "InvalidQueryParameterValue", message));
        }
    };
    let mut paths: Map<String, Value> = Map::new();
    for (key, row) in rows(&call.vantage.tables, table::ENDPOINTS) {
        let Some((verb, path)) = key.split_once(' ') else { continue };
        let operation = if original { row } else { operation(&row) };
        let path = paths.entry(path).or_insert_with(|| json!({}));
        path[verb.to_uppercase()] = operation;
    }
    Ok(Reply::json(&json!({"endpoints": paths})))
}

fn operation(row: &Value) -> Value {
    let or = |name: &str, default: Value| match &row[name] {
        Value::Null => default,
        value => value.clone(),
    };
    json!({
        "authnPolicies": or("authn_policies", json!([])),
        "forwardingRequired": or("forwarding_required", json!("always")),
        "jsFunction": or("js_function", json!("")),
        "jsModule": or("js_module", json!("")),
        "mode": or("mode", json!("readwrite")),
        "openApi": or("openapi", json!({})),
        "redirectionStrategy": or("redirection_strategy", json!("to_primary")),
    })
}

/// GET /service/javascript-modules
pub(in crate::sandbox) fn modules(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    let names = call.vantage.tables.iter(table::MODULES).map(|(name, _)| String::from_utf8_lossy(name));
    let list: Vec<Value> = names.map(|name| json!({"moduleName": name})).collect();
    Ok(Reply::json(&json!({"value": list})))
}

/// GET /service/javascript-modules/{moduleName}
pub(in crate::sandbox) fn module(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    let name = percent_encoding::percent_decode_str(call.parameter(0)).decode_utf8_lossy().into_owned();
    match call.vantage.tables.get(table::MODULES, name.as_bytes()) {
        Some(source) => Ok(Reply::with(200, Body::JavaScript(String::from_utf8_lossy(source).into_owned()))),
        None => Err(Fault::not_found(format!("There is no module {name}."))),
    }
}
