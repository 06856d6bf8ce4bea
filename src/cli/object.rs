//! The service's own objects are printed as they are, with what is known beside them.

use serde::Serialize;
use serde_json::Value;

use super::error::CliError;
use ccf_gov::id::TransactionId;

/// Which state was read.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Read {
    /// False if an election could still undo what is shown.
    pub committed: bool,
    /// The transaction at which it was read; null if the service named none.
    pub transaction_id: Option<TransactionId>,
}

/// The fields of `object`, and those of `more`; of two with one name ours counts.
pub fn beside(object: &Value, more: &impl Serialize) -> Result<Value, CliError> {
    let mut fields = object.as_object().cloned().unwrap_or_default();
    match serde_json::to_value(more) {
        Ok(Value::Object(more)) => fields.extend(more),
        Ok(_) => {}
        Err(error) => return Err(CliError::failed("cannot write the result as JSON", error)),
    }
    Ok(fields.into())
}
