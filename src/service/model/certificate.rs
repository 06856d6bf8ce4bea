//! Until when a certificate is valid.

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use x509_parser::prelude::{FromDer, X509Certificate};

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Validity {
    /// The first moment.
    #[serde(serialize_with = "rfc3339")]
    #[cfg_attr(feature = "shapes", schemars(with = "String"))]
    pub not_before: OffsetDateTime,
    /// The last moment.
    #[serde(serialize_with = "rfc3339")]
    #[cfg_attr(feature = "shapes", schemars(with = "String"))]
    pub not_after: OffsetDateTime,
}

impl Validity {
    /// That of the first certificate in PEM text, if it can be read.
    pub fn of_pem(text: &str) -> Option<Self> {
        let pem = pem::parse(text).ok().filter(|pem| pem.tag() == "CERTIFICATE")?;
        let (_, certificate) = X509Certificate::from_der(pem.contents()).ok()?;
        let validity = certificate.validity();
        Some(Self { not_before: validity.not_before.to_datetime(), not_after: validity.not_after.to_datetime() })
    }

    /// The end, and how far away it is: "until 2026-12-22, 27 days left".
    pub fn describe(&self, now: OffsetDateTime) -> String {
        let days = |from: OffsetDateTime, to: OffsetDateTime| match (to - from).whole_days() {
            0 => "less than a day".into(),
            1 => "1 day".into(),
            n => format!("{n} days"),
        };
        let (from, until) = (self.not_before.date(), self.not_after.date());
        if now < self.not_before {
            format!("not valid before {from}, in {}", days(now, self.not_before))
        } else if now > self.not_after {
            format!("expired {until}, {} ago", days(self.not_after, now))
        } else {
            format!("until {until}, {} left", days(now, self.not_after))
        }
    }
}

fn rfc3339<S: serde::Serializer>(time: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    let text = time.format(&Rfc3339).map_err(serde::ser::Error::custom)?;
    serializer.serialize_str(&text)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn what_is_left_is_said() {
        let validity =
            Validity { not_before: datetime!(2026-11-22 13:25:16 UTC), not_after: datetime!(2026-12-22 13:25:15 UTC) };
        let at = |now| validity.describe(now);
        assert_eq!(at(datetime!(2026-11-25 12:00 UTC)), "until 2026-12-22, 27 days left");
        assert_eq!(at(datetime!(2026-12-22 12:00 UTC)), "until 2026-12-22, less than a day left");
        assert_eq!(at(datetime!(2026-12-24 12:00 UTC)), "expired 2026-12-22, 1 day ago");
        assert_eq!(at(datetime!(2026-11-20 12:00 UTC)), "not valid before 2026-11-22, in 2 days");
        let json = serde_json::to_value(validity).unwrap();
        assert_eq!(json, serde_json::json!({"notBefore": "2026-11-22T13:25:16Z", "notAfter": "2026-12-22T13:25:15Z"}));
        assert_eq!(Validity::of_pem("no certificate"), None);
    }
}
