//! A parameter's value, read from the command line or a file, as its kind asks.

use crate::text::clip;
use std::path::{Path, PathBuf};

use serde_json::Value;
use time::OffsetDateTime;

use super::bundle::{BundleError, check_bundle, read_bundle};
use super::parameter::ParameterKind;
use super::pem_text::{self, PemError};
use super::script::{Script, ScriptRefusal};
use super::time::{TimeError, valid_from};
use crate::digest::{HexError, check_hex};
use crate::files::{self, FileError};
use crate::host_data;
use crate::json::{self, JsonError};

pub use crate::json::MAX_SAFE_INTEGER;

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueSource {
    /// In the text itself.
    Text(String),
    /// In a file (or a folder, for a bundle).
    File(PathBuf),
}

/// Why a value is not what the parameter takes.
#[derive(Debug, thiserror::Error)]
pub enum ValueError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Hexadecimal digits of another number or case.
    #[error(transparent)]
    Hex(#[from] HexError),
    /// No whole number, or one out of bounds.
    #[error("{given:?} is not a whole number{bounds}")]
    Integer {
        /// What was given.
        given: String,
        /// What it may be, as text.
        bounds: String,
    },
    /// Neither true nor false.
    #[error("{0:?} is neither true nor false")]
    Boolean(String),
    /// None of the choices.
    #[error("{given:?} is not one of {}", values.join(", "))]
    Choice {
        /// What was given.
        given: String,
        /// What may be given.
        values: Vec<String>,
    },
    /// Not JSON.
    #[error("its value is JSON")]
    Json(#[from] JsonError),
    /// JSON of another type.
    #[error("its value is {0}")]
    Shape(&'static str),
    /// Nothing where something is needed.
    #[error("its value is empty")]
    Empty,
    /// Not PEM of that kind.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// Not a point in time.
    #[error(transparent)]
    Time(#[from] TimeError),
    /// Not a bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A policy that no text can carry.
    #[error("the security policy is not UTF-8 text, so no proposal can carry it")]
    PolicyNotText,
    /// A script with which the service could not go on.
    #[error(transparent)]
    Script(#[from] ScriptRefusal),
    /// More than a proposal may be.
    #[error("it is longer than any proposal may be")]
    TooLong,
    /// Several sources for what has one.
    #[error("it is given {0} times; only scripts are joined from several files")]
    Several(usize),
}

/// Reads a value of this kind; `now` is the moment that `now` stands for.
///
/// Several sources are joined for scripts, a newline between them, as CCF's own tools do.
pub fn read_value(kind: &ParameterKind, sources: &[ValueSource], now: OffsetDateTime) -> Result<Value, ValueError> {
    if *kind == ParameterKind::Script {
        return Ok(Script::read(sources)?.text.into());
    }
    match sources {
        [one] => read_one(kind, one, now),
        _ => Err(ValueError::Several(sources.len())),
    }
}

fn read_one(kind: &ParameterKind, source: &ValueSource, now: OffsetDateTime) -> Result<Value, ValueError> {
    match kind {
        ParameterKind::Bundle => {
            return Ok(read_bundle(Path::new(match source {
                ValueSource::File(path) => path,
                ValueSource::Text(text) => return checked_bundle(json::parse(text.as_bytes())?),
            }))?);
        }
        ParameterKind::Policy => return policy(source),
        ParameterKind::Certificate => return Ok(pem_text::certificates(text(source)?)?.into()),
        ParameterKind::PublicKey => return Ok(pem_text::rsa_public_key(text(source)?)?.into()),
        ParameterKind::Object
        | ParameterKind::Json
        | ParameterKind::Texts
        | ParameterKind::Jwks
        | ParameterKind::Tcb => {
            return shaped(kind, json::parse(text(source)?.as_bytes())?);
        }
        _ => {}
    }
    let text = line(source)?;
    Ok(match kind {
        ParameterKind::Hex { bytes } => hex(*bytes, &text)?.into(),
        ParameterKind::Integer { min, max } => integer(&text, *min, *max)?.into(),
        ParameterKind::Boolean => text.parse::<bool>().map_err(|_| ValueError::Boolean(clip(&text, 80)))?.into(),
        ParameterKind::Choice { values } if !values.contains(&text) => {
            return Err(ValueError::Choice { given: clip(&text, 80), values: values.clone() });
        }
        ParameterKind::Time => valid_from(&text, now)?.into(),
        _ if text.is_empty() => return Err(ValueError::Empty),
        _ => text.into(),
    })
}

/// Checks the digits of a hexadecimal value.
pub(crate) fn hex(bytes: usize, text: &str) -> Result<&str, HexError> {
    let what = match bytes {
        4 => "value of 4 bytes",
        8 => "value of 8 bytes",
        32 => "value of 32 bytes",
        48 => "value of 48 bytes",
        _ => "value of this parameter",
    };
    check_hex(what, bytes, text).map(|()| text)
}

fn integer(text: &str, min: Option<i64>, max: Option<i64>) -> Result<i64, ValueError> {
    let (low, high) = (min.unwrap_or(-MAX_SAFE_INTEGER), max.unwrap_or(MAX_SAFE_INTEGER));
    let plain = text.strip_prefix('-').unwrap_or(text);
    let number = text.parse().ok().filter(|n| plain.bytes().all(|b| b.is_ascii_digit()) && (low..=high).contains(n));
    number.ok_or_else(|| ValueError::Integer { given: clip(text, 80), bounds: format!(" from {low} to {high}") })
}

/// JSON of the type that the kind asks for.
pub(crate) fn shaped(kind: &ParameterKind, value: Value) -> Result<Value, ValueError> {
    let good = match kind {
        ParameterKind::Object => (value.is_object(), "a JSON object"),
        ParameterKind::Tcb => (
            crate::tcb::MinimumTcb::from_json(&value).is_ok(),
            "a JSON object of boot_loader, tee, snp, microcode (and fmc on Turin), each 0 to 255",
        ),
        ParameterKind::Jwks => {
            (value.get("keys").is_some_and(Value::is_array), r#"a JSON object with a list of "keys""#)
        }
        ParameterKind::Texts => {
            let texts = value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
            (texts, "a JSON list of texts")
        }
        _ => (true, "JSON"),
    };
    if good.0 { Ok(value) } else { Err(ValueError::Shape(good.1)) }
}

fn checked_bundle(bundle: Value) -> Result<Value, ValueError> {
    check_bundle(&bundle)?;
    Ok(bundle)
}

fn policy(source: &ValueSource) -> Result<Value, ValueError> {
    let bytes = match source {
        ValueSource::Text(text) => text.clone().into_bytes(),
        ValueSource::File(path) => files::read(path, super::MAX_PROPOSAL)?,
    };
    let policy = host_data::from_file(&bytes);
    String::from_utf8(policy.bytes).map(Into::into).map_err(|_| ValueError::PolicyNotText)
}

/// The whole text.
pub(super) fn text(source: &ValueSource) -> Result<String, ValueError> {
    Ok(match source {
        ValueSource::Text(text) => text.clone(),
        ValueSource::File(path) => files::read_text(path, super::MAX_PROPOSAL)?,
    })
}

/// The text without the newline that ends a file.
fn line(source: &ValueSource) -> Result<String, ValueError> {
    let mut text = text(source)?;
    if matches!(source, ValueSource::File(_)) {
        let end = text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(&text).len();
        text.truncate(end);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn one(kind: &ParameterKind, text: &str) -> Result<Value, ValueError> {
        read_value(kind, &[ValueSource::Text(text.into())], OffsetDateTime::UNIX_EPOCH)
    }

    #[test]
    fn values_are_typed_by_their_kind() {
        let integer = ParameterKind::Integer { min: Some(1), max: Some(254) };
        assert_eq!(one(&integer, "254").unwrap(), json!(254));
        for bad in ["0", "255", "1.0", "+1", "0x1", "", " 1", "1e2"] {
            assert!(one(&integer, bad).is_err(), "{bad:?}");
        }
        assert!(one(&ParameterKind::Integer { min: None, max: None }, "9007199254740992").is_err());
        assert_eq!(one(&ParameterKind::Boolean, "true").unwrap(), json!(true));
        assert!(one(&ParameterKind::Boolean, "True").is_err());
        assert_eq!(one(&ParameterKind::Hex { bytes: 4 }, "00a00f11").unwrap(), json!("00a00f11"));
        for bad in ["00A00F11", "0x00a00f11", "00a00f1", ""] {
            assert!(one(&ParameterKind::Hex { bytes: 4 }, bad).is_err(), "{bad:?}");
        }
        assert_eq!(one(&ParameterKind::Object, "{\"a\": 1}").unwrap(), json!({"a": 1}));
        assert!(one(&ParameterKind::Object, "[]").is_err());
        assert!(one(&ParameterKind::Object, "{\"a\":1,\"a\":1}").is_err());
        assert_eq!(one(&ParameterKind::Json, "null").unwrap(), json!(null));
        assert_eq!(one(&ParameterKind::Texts, "[\"a\"]").unwrap(), json!(["a"]));
        assert!(one(&ParameterKind::Texts, "[1]").is_err());
        assert!(one(&ParameterKind::Tcb, r#"{"boot_loader": 256}"#).is_err());
        assert!(one(&ParameterKind::Text, "").is_err());
        assert!(one(&ParameterKind::Choice { values: vec!["a".into()] }, "b").is_err());
    }

    #[test]
    fn scripts_are_joined_in_order_and_other_values_are_not() {
        let two = [ValueSource::Text("a".into()), ValueSource::Text("b".into())];
        assert_eq!(read_value(&ParameterKind::Script, &two, OffsetDateTime::UNIX_EPOCH).unwrap(), json!("a\nb"));
        assert!(matches!(
            read_value(&ParameterKind::Text, &two, OffsetDateTime::UNIX_EPOCH),
            Err(ValueError::Several(2))
        ));
    }

    #[test]
    fn a_policy_is_taken_raw_or_from_base64() {
        let base64 = "cGFja2FnZSBwb2xpY3kK";
        assert_eq!(one(&ParameterKind::Policy, base64).unwrap(), json!("package policy\n"));
        assert_eq!(one(&ParameterKind::Policy, "package policy\n").unwrap(), json!("package policy\n"));
        assert_eq!(one(&ParameterKind::Policy, "").unwrap(), json!(""));
        assert!(matches!(one(&ParameterKind::Policy, "/////w=="), Err(ValueError::PolicyNotText)));
    }
}
