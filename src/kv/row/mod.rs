//! Rows of tables as JSON or text, by identifier. What is not of its table's form counts as absent.

use serde_json::Value;

use crate::kv::{SINGLETON, Tables};

/// Every row of a table whose keys are text and whose values are JSON.
pub fn rows<'t>(tables: &'t Tables, name: &str) -> impl Iterator<Item = (String, Value)> + use<'t> {
    let rows: Vec<_> = tables.iter(name).collect();
    rows.into_iter()
        .filter_map(|(key, value)| Some((String::from_utf8(key.to_vec()).ok()?, serde_json::from_slice(value).ok()?)))
}

/// A JSON value under a text key.
pub fn read(tables: &Tables, name: &str, key: &str) -> Option<Value> {
    serde_json::from_slice(tables.get(name, key.as_bytes())?).ok()
}

/// The JSON value of a table that holds one.
pub fn read_one(tables: &Tables, name: &str) -> Option<Value> {
    serde_json::from_slice(tables.get(name, &SINGLETON)?).ok()
}

/// A text value, not JSON, under a text key.
pub fn read_text(tables: &Tables, name: &str, key: &str) -> Option<String> {
    String::from_utf8(tables.get(name, key.as_bytes())?.to_vec()).ok()
}

/// Writes a JSON value under a text key.
pub fn write(tables: &mut Tables, name: &str, key: &str, value: &Value) {
    tables.put(name, key.as_bytes(), value.to_string());
}

/// Writes the JSON value of a table that holds one.
pub fn write_one(tables: &mut Tables, name: &str, value: &Value) {
    tables.put(name, &SINGLETON, value.to_string());
}
