//! A file of signing requests: one, a list of them, or an object whose `requests` is a list.

use crate::text::clip;
use std::borrow::Cow;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

use serde_json::Value;

use super::{RequestError, SigningRequest, VERSION, text};
use crate::cose::MemberCertificate;
use crate::json::{self, JsonError};

impl SigningRequest {
    /// The most requests that one file can hold.
    pub const MAX_REQUESTS: usize = 100_000;

    /// Reads a file of one request, of a list of them, or of an object whose `requests` is a list.
    pub fn parse_file(bytes: &[u8]) -> Result<Vec<Self>, RequestError> {
        if let Some(requests) = json::elements(Self::MAX_REQUESTS, bytes)? {
            return Self::parse_all(&requests, |text| json::parse(text.get().as_bytes()).map(Cow::Owned));
        }
        let value = json::parse(bytes)?;
        match value.get("requests") {
            Some(Value::Array(requests)) => {
                not_mixed(&value)?;
                Self::parse_all(requests, |value| Ok(Cow::Borrowed(value)))
            }
            None if value.is_object() => Self::parse_all(&[&value], |value| Ok(Cow::Borrowed(*value))),
            _ => Err(RequestError::Shape),
        }
    }

    /// Reads every element of a list. A thousand take tens of milliseconds: every core takes its share.
    fn parse_all<T: Sync>(
        requests: &[T],
        value: impl Fn(&T) -> Result<Cow<'_, Value>, JsonError> + Sync,
    ) -> Result<Vec<Self>, RequestError> {
        match requests.len() {
            0 => return Err(RequestError::Empty),
            n if n > Self::MAX_REQUESTS => return Err(RequestError::Shape),
            _ => {}
        }
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let each = requests.len().div_ceil(cores).max(64);
        let read = |(at, share): (usize, &[T])| {
            Self::parse_share(share, &value).map_err(|(within, source)| match requests.len() {
                1 => source,
                of => RequestError::One { number: at * each + within + 1, of, source: Box::new(source) },
            })
        };
        let shares: Result<Vec<_>, _> = thread::scope(|scope| {
            let read = &read;
            let readers: Vec<_> =
                requests.chunks(each).enumerate().map(|share| scope.spawn(move || read(share))).collect();
            readers.into_iter().map(|reader| reader.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        Ok(shares?.into_iter().flatten().collect())
    }

    /// The requests of a share, or where in it an error is.
    fn parse_share<T>(
        requests: &[T],
        value: impl Fn(&T) -> Result<Cow<'_, Value>, JsonError>,
    ) -> Result<Vec<Self>, (usize, RequestError)> {
        let mut last: Option<(String, MemberCertificate)> = None;
        let mut parse = |request| {
            let request = value(request)?;
            // First, so that another tool's file is called that, and not a damaged one of ours.
            if request.get("ccf_gov_request").and_then(Value::as_u64) != Some(VERSION) {
                return Err(RequestError::Version);
            }
            not_mixed(&request)?;
            let pem = text(&request, "certificate")?;
            // A batch is by one member: the certificate is read once.
            let certificate = match &last {
                Some((known, certificate)) if known == pem => certificate.clone(),
                _ => {
                    let certificate = MemberCertificate::from_pem(pem.as_bytes())?;
                    last = Some((pem.into(), certificate.clone()));
                    certificate
                }
            };
            Self::from_json(&request, certificate)
        };
        requests.iter().enumerate().map(|(at, request)| parse(request).map_err(|error| (at, error))).collect()
    }
}

/// Refuses an object with `requests` and something else: two readers could sign two different things.
fn not_mixed(value: &Value) -> Result<(), RequestError> {
    let Some(object) = value.as_object().filter(|object| object.contains_key("requests")) else { return Ok(()) };
    match object.keys().find(|key| *key != "requests") {
        Some(other) => Err(RequestError::Mixed(clip(other, 40))),
        None => Ok(()),
    }
}
