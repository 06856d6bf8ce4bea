//! What consensus reads and writes in the tables: nodes and signatures.

use serde_json::{Value, json};

use crate::id::NodeId;
use crate::kv::row::{read, read_one, rows, write, write_one};
use crate::kv::{Tables, table};

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
    Some(read_one(tables, table::SIGNATURES)?["root"].as_str()?.to_owned())
}

/// Writes the signature at `seqno` over everything before it.
pub(super) fn put_signature(tables: &mut Tables, seqno: u64, root: &[u8; 32]) {
    write_one(tables, table::SIGNATURES, &json!({"seqno": seqno, "root": hex::encode(root)}));
}
