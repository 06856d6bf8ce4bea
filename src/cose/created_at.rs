//! When a request was made: CCF's guard against replay.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::{Iso8601, Rfc3339};

/// Seconds since the epoch, at most 9 999 999 999: what CCF's `ccf.gov.msg.created_at` can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct CreatedAt(u64);

/// A time that cannot be a `created_at`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreatedAtError {
    /// Before 1970, or more than ten digits.
    #[error("created_at is between 0 and {max} seconds since the epoch, and {0} is not", max = CreatedAt::MAX)]
    OutOfRange(String),
    /// Neither seconds nor RFC 3339.
    #[error("{0:?} is neither seconds since the epoch nor an RFC 3339 time such as 2026-11-22T14:00:00Z")]
    Form(String),
    /// A time of day without an offset would have to be guessed.
    #[error("{0:?} names no offset from UTC; end it with Z or an offset such as +01:00")]
    NoOffset(String),
}

impl CreatedAt {
    /// The largest that CCF takes.
    pub const MAX: u64 = 9_999_999_999;

    /// This moment.
    pub fn now() -> Result<Self, CreatedAtError> {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        u64::try_from(now).map_err(|_| CreatedAtError::OutOfRange(now.to_string())).and_then(Self::from_seconds)
    }

    /// This many seconds since the epoch.
    pub fn from_seconds(seconds: u64) -> Result<Self, CreatedAtError> {
        if seconds > Self::MAX { Err(CreatedAtError::OutOfRange(seconds.to_string())) } else { Ok(Self(seconds)) }
    }

    /// Seconds since the epoch.
    pub const fn seconds(self) -> u64 {
        self.0
    }
}

impl FromStr for CreatedAt {
    type Err = CreatedAtError;

    fn from_str(text: &str) -> Result<Self, CreatedAtError> {
        let shown = || text.chars().take(80).collect::<String>();
        if text.strip_prefix('-').unwrap_or(text).bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
            let seconds = text.parse().map_err(|_| CreatedAtError::OutOfRange(shown()))?;
            return Self::from_seconds(seconds);
        }
        match parse(text) {
            Ok(time) => u64::try_from(time.unix_timestamp())
                .map_err(|_| CreatedAtError::OutOfRange(shown()))
                .and_then(Self::from_seconds),
            Err(_) if parse(&format!("{text}Z")).is_ok() => Err(CreatedAtError::NoOffset(shown())),
            Err(_) => Err(CreatedAtError::Form(shown())),
        }
    }
}

/// RFC 3339, where a space may stand for the T (section 5.6), and ISO 8601, whose offset needs no colon: what
/// `date --rfc-3339=seconds` and `date +%FT%T%z` write.
fn parse(text: &str) -> Result<OffsetDateTime, time::error::Parse> {
    let text = text.replacen(' ', "T", 1);
    OffsetDateTime::parse(&text, &Rfc3339).or_else(|_| OffsetDateTime::parse(&text, &Iso8601::PARSING))
}

impl fmt::Display for CreatedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = i64::try_from(self.0).ok().and_then(|s| OffsetDateTime::from_unix_timestamp(s).ok());
        match time.and_then(|t| t.format(&Rfc3339).ok()) {
            Some(text) => f.write_str(&text),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_an_offset_and_seconds_are_read_and_nothing_is_guessed() {
        assert_eq!("1795355000".parse::<CreatedAt>().unwrap().seconds(), 1_795_355_000);
        assert_eq!("1970-01-01T01:00:10+01:00".parse::<CreatedAt>().unwrap().seconds(), 10);
        for same in
            ["2026-11-22T14:00:00Z", "2026-11-22 15:00:00+01:00", "2026-11-22T14:00:00+0000", "2026-11-22T14:00:00.9Z"]
        {
            assert_eq!(same.parse::<CreatedAt>().unwrap().to_string(), "2026-11-22T14:00:00Z", "{same}");
        }
        assert!(matches!("2026-11-22T14:00:00".parse::<CreatedAt>(), Err(CreatedAtError::NoOffset(_))));
        for bad in ["", "now", "2026-11-22", "10000000000", "-1", "1969-12-31T23:59:59Z", "1.5", "+5"] {
            assert!(bad.parse::<CreatedAt>().is_err(), "{bad:?}");
        }
    }
}
