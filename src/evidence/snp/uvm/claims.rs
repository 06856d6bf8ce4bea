//! What an endorsement says, in either of its two forms.

use super::{ContentType, Form, SvnType, UvmError, is_decimal};
use crate::cbor::Value;
use crate::digest::SnpMeasurement;
use crate::json;

/// What an endorsement says, whichever way it is written.
pub(super) struct Claims<'a> {
    pub(super) form: Form,
    pub(super) content_type: ContentType,
    pub(super) did: &'a str,
    pub(super) feed: &'a str,
    pub(super) svn: String,
    pub(super) svn_type: SvnType,
    pub(super) svn_int: Option<u64>,
    pub(super) measurement: SnpMeasurement,
    pub(super) signed_at: Option<i128>,
}

impl<'a> Claims<'a> {
    pub(super) fn of_claims(headers: &Value<'a>, claims: &Value<'a>, payload: &[u8]) -> Result<Self, UvmError> {
        let content_type = match headers.get(259).and_then(Value::as_text) {
            Some("application/octet-stream") => ContentType::OctetStream,
            Some("application/json") => ContentType::Json,
            _ => return Err(UvmError::Header("259 (application/octet-stream or application/json)")),
        };
        let svn = claims.get_text("svn").and_then(Value::as_integer).and_then(|n| u64::try_from(n).ok());
        Ok(Self {
            form: Form::Cwt,
            content_type,
            did: claims.get(1).and_then(Value::as_text).ok_or(UvmError::Header("15/1 (iss)"))?,
            feed: claims.get(2).and_then(Value::as_text).ok_or(UvmError::Header("15/2 (sub)"))?,
            svn: svn.ok_or(UvmError::Header("15/svn"))?.to_string(),
            svn_type: SvnType::Integer,
            svn_int: None,
            measurement: payload.try_into().map(SnpMeasurement).map_err(|_| UvmError::Payload("length (48 bytes)"))?,
            signed_at: claims.get(6).and_then(seconds),
        })
    }

    pub(super) fn of_legacy(headers: &Value<'a>, payload: &[u8]) -> Result<Self, UvmError> {
        if headers.get(3).and_then(Value::as_text) != Some("application/json") {
            return Err(UvmError::Header("3 (application/json)"));
        }
        let text = |key, name| headers.get_text(key).and_then(Value::as_text).ok_or(UvmError::Header(name));
        let payload = json::parse(payload)?;
        let member = |key: &'static str| payload.get(key).ok_or(UvmError::Payload(key));
        let measurement = member(MEASUREMENT)?.as_str().and_then(|text| text.parse().ok());
        let (svn, svn_type) = match member(SVN)? {
            serde_json::Value::String(text) if is_decimal(text) => (text.clone(), SvnType::Text),
            number if number.is_u64() => (number.to_string(), SvnType::Integer),
            _ => return Err(UvmError::Payload(SVN)),
        };
        let svn_int =
            payload.get(SVN_INT).map(|number| number.as_u64().ok_or(UvmError::Payload(SVN_INT))).transpose()?;
        Ok(Self {
            form: Form::Legacy,
            content_type: ContentType::Json,
            did: text("iss", "iss")?,
            feed: text("feed", "feed")?,
            svn,
            svn_type,
            svn_int,
            measurement: measurement.ok_or(UvmError::Payload(MEASUREMENT))?,
            signed_at: headers.get_text("signingtime").and_then(seconds),
        })
    }
}

const MEASUREMENT: &str = "x-ms-sevsnpvm-launchmeasurement";
const SVN: &str = "x-ms-sevsnpvm-guestsvn";
const SVN_INT: &str = "x-ms-sevsnpvm-guestsvn-int";

/// A time: seconds since 1970, plain or with tag 1.
fn seconds(value: &Value<'_>) -> Option<i128> {
    match value {
        Value::Tag(1, inner) => inner.as_integer(),
        other => other.as_integer(),
    }
}
