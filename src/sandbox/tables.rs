//! What the service itself reads and writes in its tables: rows as JSON, by identifier.

use serde_json::{Value, json};

use crate::constitution::{SINGLETON, Tables, table};
use crate::id::NodeId;

/// The newest signature over the ledger.
pub(super) const SIGNATURES: &str = "public:ccf.internal.signatures";
/// Per member, the newest signed request.
pub(super) const COSE_HISTORY: &str = "public:ccf.gov.cose_history";
/// `created_at:digest` of recent proposals, to the proposal id.
pub(super) const RECENT_PROPOSALS: &str = "public:ccf.gov.cose_recent_proposals";
/// Limits for scripts.
pub(super) const JS_RUNTIME_OPTIONS: &str = "public:ccf.gov.js_runtime_options";
/// Compiled modules; here their sources' lengths only.
pub(super) const MODULES_BYTECODE: &str = "public:ccf.gov.modules_quickjs_bytecode";
pub(super) const JWT_ISSUERS: &str = "public:ccf.gov.jwt.issuers";
pub(super) const JWT_KEYS: &str = "public:ccf.gov.jwt.public_signing_keys_metadata_v2";
pub(super) const CA_CERT_BUNDLES: &str = "public:ccf.gov.tls.ca_cert_bundles";

/// What consensus reads of a node's row.
#[derive(Clone, Debug)]
pub(super) struct NodeRow {
    pub(super) status: String,
    pub(super) retired_committed: bool,
}

impl NodeRow {
    /// The row of node `id`.
    pub(super) fn of(tables: &Tables, id: NodeId) -> Option<Self> {
        read(tables, table::NODE_INFO, &id.to_string()).as_ref().map(Self::from_json)
    }

    fn from_json(row: &Value) -> Self {
        Self {
            status: row["status"].as_str().unwrap_or_default().to_owned(),
            retired_committed: row["retired_committed"].as_bool().unwrap_or(false),
        }
    }
}

/// The nodes that the tables know.
pub(super) fn nodes(tables: &Tables) -> impl Iterator<Item = (NodeId, NodeRow)> {
    rows(tables, table::NODE_INFO).filter_map(|(id, row)| Some((id.parse().ok()?, NodeRow::from_json(&row))))
}

/// Every row of a table whose keys are text and whose values are JSON.
pub(super) fn rows<'t>(tables: &'t Tables, name: &str) -> impl Iterator<Item = (String, Value)> + use<'t> {
    let rows: Vec<_> = tables.iter(name).collect();
    rows.into_iter()
        .filter_map(|(key, value)| Some((String::from_utf8(key.to_vec()).ok()?, serde_json::from_slice(value).ok()?)))
}

/// A JSON value under a text key.
pub(super) fn read(tables: &Tables, name: &str, key: &str) -> Option<Value> {
    serde_json::from_slice(tables.get(name, key.as_bytes())?).ok()
}

/// The JSON value of a table that holds one.
pub(super) fn read_one(tables: &Tables, name: &str) -> Option<Value> {
    serde_json::from_slice(tables.get(name, &SINGLETON)?).ok()
}

/// A text value, not JSON, under a text key.
pub(super) fn read_text(tables: &Tables, name: &str, key: &str) -> Option<String> {
    String::from_utf8(tables.get(name, key.as_bytes())?.to_vec()).ok()
}

/// Writes a JSON value under a text key.
pub(super) fn write(tables: &mut Tables, name: &str, key: &str, value: &Value) {
    tables.put(name, key.as_bytes(), value.to_string());
}

/// Writes the JSON value of a table that holds one.
pub(super) fn write_one(tables: &mut Tables, name: &str, value: &Value) {
    tables.put(name, &SINGLETON, value.to_string());
}

/// Changes the row of a node that exists.
pub(super) fn update_node(tables: &mut Tables, id: NodeId, change: impl FnOnce(&mut Value)) {
    let key = id.to_string();
    if let Some(mut row) = read(tables, table::NODE_INFO, &key) {
        change(&mut row);
        write(tables, table::NODE_INFO, &key, &row);
    }
}

/// The root that a signature covers, as a member's state digest has it.
pub(super) fn signed_root(tables: &Tables) -> Option<String> {
    Some(read_one(tables, SIGNATURES)?["root"].as_str()?.to_owned())
}

/// Writes the signature at `seqno` over everything before it.
pub(super) fn put_signature(tables: &mut Tables, seqno: u64, root: &[u8; 32]) {
    write_one(tables, SIGNATURES, &json!({"seqno": seqno, "root": hex::encode(root)}));
}
