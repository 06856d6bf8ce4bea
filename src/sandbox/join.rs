//! Whether a node may join: the checks that a primary makes on a joiner's evidence, in CCF's order and words.

mod snp;

use serde_json::Value;

use super::code::NodeCode;
use super::reply::Fault;
use crate::evidence::snp::Roots;
use crate::id::NodeId;
use crate::kv::{Tables, table};

/// Why a node was not let in, as the service puts it. A real node's process ends then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the service refused the node: {code}: {message}")]
pub struct JoinRefused {
    /// The HTTP status: 401, or 500 where CCF has no words for it.
    pub status: u16,
    /// The error's code.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
}

impl From<JoinRefused> for Fault {
    fn from(refused: JoinRefused) -> Self {
        Fault::new(refused.status, refused.code, refused.message)
    }
}

/// What is wrong with a joiner's evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Quote,
    HostData,
    Measurement,
    Uvm,
    Tcb,
    Key,
}

impl From<Refusal> for JoinRefused {
    fn from(refusal: Refusal) -> Self {
        let (status, message) = match refusal {
            Refusal::Quote => (401, "Quote could not be verified"),
            Refusal::HostData => (401, "Quote host data is not authorised"),
            Refusal::Measurement => (401, "Quote does not contain known enclave measurement"),
            Refusal::Uvm => (401, "UVM endorsements are not authorised"),
            Refusal::Tcb => (500, "Unknown quote verification error"),
            Refusal::Key => (401, "Quote report data does not match the hash of the public key for this node"),
        };
        Self { status, code: "InvalidQuote", message: message.into() }
    }
}

/// Refuses node `id` if `quote_info`, its evidence of `code`, does not hold, or the join policy in `tables` does not admit it.
/// SNP reports must end in `roots`.
pub(super) fn check(
    tables: &Tables,
    code: &NodeCode,
    quote_info: &Value,
    id: NodeId,
    roots: &Roots,
) -> Result<(), JoinRefused> {
    match code {
        NodeCode::Virtual { host_data, measurement } => {
            require(tables.has(table::VIRTUAL_HOST_DATA, host_data.to_string().as_bytes()), Refusal::HostData)?;
            require(tables.has(table::VIRTUAL_MEASUREMENTS, measurement.as_bytes()), Refusal::Measurement)?;
        }
        NodeCode::Snp(_) => snp::check(tables, quote_info, id, roots)?,
        NodeCode::Sgx { mrenclave } => {
            require(tables.has(table::NODE_CODE_IDS, mrenclave.to_string().as_bytes()), Refusal::Measurement)?;
        }
    }
    Ok(())
}

fn require(holds: bool, refusal: Refusal) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(refusal) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_registered_code_may_join() {
        let mut tables = Tables::new();
        let id = NodeId::from_bytes([7; 32]);
        let joins = |tables: &Tables, name: &str| {
            check(tables, &NodeCode::named(name), &Value::Null, id, &Roots::new(Vec::new()))
        };
        let NodeCode::Virtual { host_data, measurement } = NodeCode::named("new") else { panic!() };
        let refused = joins(&tables, "new").unwrap_err();
        assert_eq!((refused.status, refused.code), (401, "InvalidQuote"));
        tables.put(table::VIRTUAL_HOST_DATA, host_data.to_string().as_bytes(), r#""""#);
        assert!(joins(&tables, "new").unwrap_err().message.contains("measurement"));
        tables.put(table::VIRTUAL_MEASUREMENTS, measurement.as_bytes(), r#""AllowedToJoin""#);
        joins(&tables, "new").unwrap();
        assert!(joins(&tables, "other").is_err());
    }
}
