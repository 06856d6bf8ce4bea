//! Points in time as CCF takes them in `valid_from`.
//!
//! CCF's nodes read `YYMMDDhhmmssZ`, `YYYYMMDDhhmmssZ`, and ISO 8601 dates with a time, where a missing offset means
//! UTC. What is written here is always the first form, in UTC.

use crate::text::clip;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

const LONG: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day][hour][minute][second]Z");
const SPACED: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second][optional [.[subsecond]]]");

/// Why a text is not a point in time that can be written for CCF.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// No form that is known.
    #[error("{0:?} is neither an RFC 3339 time such as 2026-11-22T14:00:00Z nor YYMMDDhhmmssZ")]
    Form(String),
    /// A time of day without an offset would have to be guessed.
    #[error("{0:?} names no offset from UTC; end it with Z or an offset such as +01:00")]
    NoOffset(String),
    /// Beyond what two digits of a year can say in a certificate.
    #[error("{0} is not between 2000 and 2049")]
    OutOfRange(String),
}

/// Reads `now`, RFC 3339 with an offset, or CCF's own `YYMMDDhhmmssZ`; returns `YYMMDDhhmmssZ`.
pub fn valid_from(text: &str, now: OffsetDateTime) -> Result<String, TimeError> {
    let time = if text == "now" { now } else { read(text)? };
    write(time)
}

/// `time` as `YYMMDDhhmmssZ`, whole seconds, UTC.
pub fn write(time: OffsetDateTime) -> Result<String, TimeError> {
    let time = time.to_offset(UtcOffset::UTC);
    let long = time.format(&LONG).ok().filter(|_| (2000..=2049).contains(&time.year()));
    long.and_then(|text| text.strip_prefix("20").map(Into::into)).ok_or_else(|| TimeError::OutOfRange(time.to_string()))
}

/// Reads one moment, exactly: RFC 3339 with an offset, `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`.
pub fn read(text: &str) -> Result<OffsetDateTime, TimeError> {
    let shown = || clip(text, 80);
    let digits = text.strip_suffix('Z').filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
    let long = match digits.map(str::len) {
        Some(12) => Some(format!("20{text}")),
        Some(14) => Some(text.into()),
        _ => None,
    };
    if let Some(long) = long {
        return PrimitiveDateTime::parse(&long, &LONG)
            .map(PrimitiveDateTime::assume_utc)
            .map_err(|_| TimeError::Form(shown()));
    }
    let text = text.replacen(' ', "T", 1);
    OffsetDateTime::parse(&text, &Rfc3339).map_err(|_| match OffsetDateTime::parse(&format!("{text}Z"), &Rfc3339) {
        Ok(_) => TimeError::NoOffset(shown()),
        Err(_) => TimeError::Form(shown()),
    })
}

/// Whether CCF, too, reads `text` as the moment that it names: its reading of ISO 8601 has gaps.
///
/// It adds the minutes of an offset whatever its sign, so `-03:30` would be taken as two and a half hours.
pub fn misread_by_ccf(text: &str) -> bool {
    let offset = text.get(10..).and_then(|time| time.rsplit_once('-'));
    offset.is_some_and(|(_, offset)| !offset.ends_with("00"))
}

/// Whether `text` is a date and a time with a space between, and no offset: CCF takes it as UTC.
pub fn without_offset(text: &str) -> bool {
    PrimitiveDateTime::parse(&text.replacen('T', " ", 1), &SPACED).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-22 13:25:27.5 UTC);

    #[test]
    fn every_form_becomes_the_one_that_ccf_takes() {
        for text in [
            "now",
            "2026-11-22T13:25:27Z",
            "2026-11-22T14:25:27+01:00",
            "2026-11-22 09:55:27.25-03:30",
            "261122132527Z",
            "20261122132527Z",
        ] {
            assert_eq!(valid_from(text, NOW).as_deref(), Ok("261122132527Z"), "{text}");
        }
    }

    #[test]
    fn nothing_is_guessed() {
        assert!(matches!(valid_from("2026-11-22T13:25:27", NOW), Err(TimeError::NoOffset(_))));
        assert!(matches!(valid_from("2050-01-01T00:00:00Z", NOW), Err(TimeError::OutOfRange(_))));
        for bad in ["", "tomorrow", "2026-11-22", "261322132527Z", "2611221325Z", "261122132527", "１２"] {
            assert!(matches!(valid_from(bad, NOW), Err(TimeError::Form(_))), "{bad}");
        }
    }

    #[test]
    fn what_ccf_reads_otherwise_is_known() {
        assert!(misread_by_ccf("2026-11-22T10:00:00-03:30"));
        for good in ["2026-11-22T10:00:00-03:00", "2026-11-22T10:00:00+03:30", "2026-11-22T10:00:00Z", "x"] {
            assert!(!misread_by_ccf(good), "{good}");
        }
        assert!(without_offset("2026-11-22 10:00:00") && without_offset("2026-11-22T10:00:00.123456"));
        assert!(!without_offset("2026-11-22T10:00:00Z"));
    }
}
