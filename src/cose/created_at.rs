//! When a request was made: CCF's guard against replay.

use crate::text::clip;
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

    /// What is wrong with a time that is further ahead of `now` than clocks differ, for a person.
    ///
    /// A service takes it all the same, and counts it among the recent proposals that later ones must not be older than.
    pub fn ahead(self, now: OffsetDateTime) -> Option<String> {
        let now = u64::try_from(now.unix_timestamp()).unwrap_or(0);
        let ahead = self.0.checked_sub(now).filter(|ahead| *ahead > CLOCKS)?;
        let ahead = match ahead / 3600 {
            0 => format!("{} minutes", ahead / 60),
            hours @ 1..48 => format!("{hours} hours"),
            hours => format!("{} days", hours / 24),
        };
        Some(format!(
            "created_at {self} is {ahead} in the future: a service takes that, and once half of its recent proposals are as far ahead, it \
             refuses every proposal of the present as too old"
        ))
    }

    /// Seconds since the epoch.
    pub const fn seconds(self) -> u64 {
        self.0
    }
}

impl FromStr for CreatedAt {
    type Err = CreatedAtError;

    fn from_str(text: &str) -> Result<Self, CreatedAtError> {
        let shown = || clip(text, 80);
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

/// So many seconds the clocks of two machines may differ.
const CLOCKS: u64 = 600;

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
    fn a_time_in_the_future_is_reported_and_a_clock_that_is_a_little_ahead_is_not() {
        let now = OffsetDateTime::from_unix_timestamp(1_795_356_000).unwrap();
        let ahead = |seconds: u64| CreatedAt::from_seconds(1_795_356_000 + seconds).unwrap().ahead(now);
        assert_eq!(ahead(0), None);
        assert_eq!(ahead(600), None);
        assert!(ahead(1800).unwrap().contains("2026-11-22T14:30:00Z is 30 minutes in the future"));
        assert!(ahead(7200).unwrap().contains("2 hours"));
        assert!(CreatedAt::from_seconds(CreatedAt::MAX).unwrap().ahead(now).unwrap().contains("94961 days"));
        assert_eq!(CreatedAt::from_seconds(0).unwrap().ahead(now), None);
    }

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
