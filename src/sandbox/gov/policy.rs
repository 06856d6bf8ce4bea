//! Which code may join, and whose tokens are accepted.

use serde_json::{Map, Value, json};

use super::version;
use crate::kv::row::rows;
use crate::kv::table::{CA_CERT_BUNDLES, JWT_ISSUERS, JWT_KEYS};
use crate::kv::{Tables, table};
use crate::sandbox::reply::{Fault, Reply};
use crate::sandbox::router::Call;

/// GET /service/join-policy
pub(in crate::sandbox) fn join_policy(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    let tables = &call.vantage.tables;
    Ok(Reply::json(&json!({
        "sgx": {"measurements": allowed(tables, table::NODE_CODE_IDS)},
        "snp": {
            "hostData": object(tables, table::SNP_HOST_DATA),
            "measurements": allowed(tables, table::SNP_MEASUREMENTS),
            "tcbVersions": object(tables, table::SNP_TCB_VERSIONS),
            "uvmEndorsements": object(tables, table::SNP_UVM_ENDORSEMENTS),
        },
        "virtual": {
            "hostData": keys(tables, table::VIRTUAL_HOST_DATA),
            "measurements": allowed(tables, table::VIRTUAL_MEASUREMENTS),
        },
    })))
}

/// GET /service/jwk
pub(in crate::sandbox) fn jwk(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    let tables = &call.vantage.tables;
    let issuer = |(name, row): (String, Value)| {
        let mut issuer = json!({"autoRefresh": row["auto_refresh"].as_bool().unwrap_or(false)});
        if let Some(bundle) = row["ca_cert_bundle_name"].as_str() {
            issuer["caCertBundleName"] = bundle.into();
        }
        (name, issuer)
    };
    let issuers: Map<String, Value> = rows(tables, JWT_ISSUERS).map(issuer).collect();
    Ok(Reply::json(&json!({
        "caCertBundles": object(tables, CA_CERT_BUNDLES), "issuers": issuers, "keys": object(tables, JWT_KEYS),
    })))
}

fn keys(tables: &Tables, name: &str) -> Vec<String> {
    tables.iter(name).map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect()
}

/// Keys whose value says that they may join.
fn allowed(tables: &Tables, name: &str) -> Vec<String> {
    rows(tables, name).filter(|(_, value)| value == "AllowedToJoin").map(|(key, _)| key).collect()
}

fn object(tables: &Tables, name: &str) -> Map<String, Value> {
    rows(tables, name).collect()
}
