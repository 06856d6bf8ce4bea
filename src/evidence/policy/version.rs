//! Versions that a policy is written for.

use std::fmt;
use std::str::FromStr;

/// A version of the platform's interface or framework: three numbers, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

/// The platform would order it by rules that no real version needs, or not at all.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a version is three numbers with dots between them")]
pub struct VersionError;

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let number = |part: &str| {
            let digits = part.bytes().all(|b| b.is_ascii_digit());
            part.parse().ok().filter(|_| digits).ok_or(VersionError)
        };
        let mut parts = text.split('.').map(number);
        let mut next = || parts.next().ok_or(VersionError)?;
        let version = Self(next()?, next()?, next()?);
        if parts.next().is_some() { Err(VersionError) } else { Ok(version) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_three_numbers() {
        assert_eq!("0.10.0".parse(), Ok(Version(0, 10, 0)));
        assert!(Version(0, 9, 9) < Version(0, 10, 0));
        assert_eq!(Version(0, 2, 3).to_string(), "0.2.3");
        for text in ["", "0.10", "0.10.0.0", "0.1.0-a", "0.+1.0", "v0.1.0", " 0.1.0", "0..0", "0.1.4294967296"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
