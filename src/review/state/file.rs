//! A state as a file, to simulate with where the service cannot be reached.
//!
//! JSON: `{format: "ccf-gov state 1", certificate, transaction?, committed, read_at, version?, tables: {NAME: [[KEY, VALUE], …]}, unknown}`.
//! A key or value is a text, or `{"base64": …}` where its bytes are not UTF-8. `unknown` is for the reader.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{State, unknown};
use crate::ccf_version::CcfVersion;
use crate::json::{self, MAX_VALUES};
use crate::kv::Tables;

const FORMAT: &str = "ccf-gov state 1";

/// Why a file is not a state.
#[derive(Debug, thiserror::Error)]
#[error("this is not a state file as `state export` writes it: {0}")]
pub struct StateFileError(String);

impl State {
    /// The file.
    pub fn to_json(&self) -> Value {
        let rows = |name: &str| self.tables.iter(name).map(|(key, value)| json!([text(key), text(value)])).collect();
        let tables: Map<String, Value> =
            self.tables.names().map(|name| (name.to_owned(), Value::Array(rows(name)))).collect();
        json!({
            "format": FORMAT,
            "certificate": self.certificate,
            "transaction": self.transaction,
            "committed": self.committed,
            "read_at": self.read_at.format(&Rfc3339).unwrap_or_default(),
            "version": self.version.map(|version| version.to_string()),
            "tables": tables,
            "unknown": unknown().map(|(what, why)| (what.to_owned(), why.into())).collect::<Map<_, _>>(),
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Not JSON, another format, or something that is not of its form.
    pub fn from_json(file: &[u8]) -> Result<Self, StateFileError> {
        let fail = |what: &str| StateFileError(what.to_owned());
        let file = json::parse_up_to(MAX_VALUES, file).map_err(|error| StateFileError(error.to_string()))?;
        match file["format"].as_str() {
            Some(FORMAT) => {}
            Some(other) => return Err(StateFileError(format!("its format is {:?}", crate::text::clip(other, 40)))),
            None => return Err(fail("it names no format")),
        }
        let required = |name: &str| file[name].as_str().ok_or_else(|| StateFileError(format!("there is no {name}")));
        let read_at = OffsetDateTime::parse(required("read_at")?, &Rfc3339).map_err(|_| fail("read_at is no time"))?;
        let optional = |name: &str| file[name].as_str();
        let transaction =
            optional("transaction").map(str::parse).transpose().map_err(|_| fail("transaction is no id"))?;
        let version = optional("version").map(str::parse::<CcfVersion>).transpose();
        let mut tables = Tables::new();
        tables.begin(transaction.map_or(1, |id: crate::id::TransactionId| id.seqno));
        let listed = file["tables"].as_object().ok_or_else(|| fail("there are no tables"))?;
        for (name, rows) in listed {
            let broken =
                || StateFileError(format!("table {:?} is not a list of [key, value]", crate::text::clip(name, 80)));
            for row in rows.as_array().ok_or_else(broken)? {
                let [key, value] = row.as_array().ok_or_else(broken)?.as_slice() else { return Err(broken()) };
                let key = bytes(key).ok_or_else(broken)?;
                if tables.has(name, &key) {
                    return Err(StateFileError(format!("a key appears twice in {:?}", crate::text::clip(name, 80))));
                }
                tables.put(name, &key, bytes(value).ok_or_else(broken)?);
            }
        }
        Ok(Self {
            certificate: required("certificate")?.to_owned(),
            transaction,
            committed: file["committed"].as_bool().ok_or_else(|| fail("committed is not true or false"))?,
            read_at,
            version: version.map_err(|_| fail("version is no version of CCF"))?,
            tables,
        })
    }
}

fn text(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => text.into(),
        _ => json!({ "base64": STANDARD.encode(bytes) }),
    }
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Object(object) if object.len() == 1 => STANDARD.decode(object.get("base64")?.as_str()?).ok(),
        _ => None,
    }
}
