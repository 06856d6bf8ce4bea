//! Keys and values of tables as people and programs read them.

use serde_json::{Value, json};

use crate::json;

/// A key as text: itself where it is readable, its bytes in hex otherwise; empty for a table that holds one value.
pub fn shown_key(key: &[u8]) -> String {
    match std::str::from_utf8(key) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ if *key == crate::kv::SINGLETON => String::new(),
        _ => hex::encode(key),
    }
}

/// A value as JSON: what it is if it is JSON, a text if it is one, and `{"hex": …}` otherwise.
pub fn shown_value(value: &[u8]) -> Value {
    match (json::parse(value), std::str::from_utf8(value)) {
        (Ok(value), _) => value,
        (Err(_), Ok(text)) if !text.contains('\0') => Value::from(text),
        _ => json!({ "hex": hex::encode(value) }),
    }
}
