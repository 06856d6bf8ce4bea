//! A version of CCF, and the order of versions.

use crate::text::clip;
use std::fmt;
use std::str::FromStr;

/// A version of CCF: `7.0.0`, `ccf-6.0.14`, `7.0.0-dev5`, `7.0.0-rc1`, or a build between two of them.
///
/// They are ordered as CCF releases them: 7.0.0-dev5 < 7.0.0-rc1 < 7.0.0 < 7.0.1. A build that `git describe` calls
/// `ccf-7.0.0-dev5-12-gb1e55ed` is newer than 7.0.0-dev5, older than 7.0.0-dev6, and equal to neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CcfVersion {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number.
    pub patch: u32,
    /// Whether it comes before the release of these three numbers.
    pub stage: Stage,
    /// How many commits it is past the version that was tagged; 0 for that version itself.
    pub commits: u32,
}

/// How far a version is on the way to its release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// `-dev1`, `-dev2`, …
    Dev(u32),
    /// `-rc0`, `-rc1`, …: a release candidate.
    Candidate(u32),
    /// Released.
    Release,
}

/// A text that is not a version of CCF.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a version of CCF, such as 6.0.14, ccf-7.0.0 or 7.0.0-rc1")]
pub struct VersionError(String);

impl CcfVersion {
    /// A release, from its three numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch, stage: Stage::Release, commits: 0 }
    }

    /// `7.0.0-devN`.
    pub(super) const fn dev(number: u32) -> Self {
        Self { stage: Stage::Dev(number), ..Self::new(7, 0, 0) }
    }

    /// `7.0.0-rcN`.
    pub(super) const fn candidate(number: u32) -> Self {
        Self { stage: Stage::Candidate(number), ..Self::new(7, 0, 0) }
    }

    /// The version that is tagged next, as far as the numbers show.
    pub(super) fn next_tag(self) -> Self {
        match self.stage {
            Stage::Dev(number) => Self { stage: Stage::Dev(number.saturating_add(1)), commits: 0, ..self },
            Stage::Candidate(number) => Self { stage: Stage::Candidate(number.saturating_add(1)), commits: 0, ..self },
            Stage::Release => Self { patch: self.patch.saturating_add(1), commits: 0, ..self },
        }
    }
}

impl FromStr for CcfVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        read(text).ok_or_else(|| VersionError(clip(text, 80)))
    }
}

fn read(text: &str) -> Option<CcfVersion> {
    let mut parts = text.strip_prefix("ccf-").unwrap_or(text).split('-').peekable();
    let mut numbers = parts.next()?.split('.').map(number);
    let (major, minor, patch) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let mut version = CcfVersion::new(major, minor, patch);
    if numbers.next().is_some() {
        return None;
    }
    if let Some(stage) = parts.peek().copied().and_then(stage) {
        version.stage = stage;
        parts.next();
    }
    if let Some(commits) = parts.next() {
        version.commits = number(commits)?;
        let hash = parts.next().map(|hash| hash.strip_prefix('g').unwrap_or_default());
        let is_hash = |hash: &str| !hash.is_empty() && hash.bytes().all(|b| b.is_ascii_hexdigit());
        if !hash.is_none_or(is_hash) || parts.next().is_some() {
            return None;
        }
    }
    Some(version)
}

fn stage(text: &str) -> Option<Stage> {
    let dev = text.strip_prefix("dev").and_then(number).map(Stage::Dev);
    dev.or_else(|| text.strip_prefix("rc").and_then(number).map(Stage::Candidate))
}

fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for CcfVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        match self.stage {
            Stage::Dev(number) => write!(f, "-dev{number}")?,
            Stage::Candidate(number) => write!(f, "-rc{number}")?,
            Stage::Release => {}
        }
        if self.commits > 0 {
            write!(f, "-{}", self.commits)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_the_order_in_which_ccf_releases_them() {
        let order = [
            "4.0.1",
            "6.0.0-rc0",
            "6.0.0",
            "6.0.9",
            "ccf-6.0.14",
            "7.0.0-dev5",
            "ccf-7.0.0-dev5-12-gb1e55ed",
            "7.0.0-dev5-13",
            "7.0.0-dev6",
            "7.0.0-dev13",
            "7.0.0-rc0",
            "7.0.0-rc0-3-gabc",
            "7.0.0-rc2",
            "7.0.0",
            "7.0.0-4-g00ff",
            "7.0.1",
            "7.0.10",
            "10.0.0",
        ];
        let versions: Vec<CcfVersion> = order.iter().map(|text| text.parse().unwrap()).collect();
        assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
        for version in versions {
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        assert_eq!("ccf-7.0.0-dev5-0-gb1e55ed".parse::<CcfVersion>(), "7.0.0-dev5".parse());
    }

    #[test]
    fn what_is_not_a_version_is_refused() {
        let bad = "|7|7.0|7.0.0.0|a.b.c|7..0|+7.0.0|7.0.0-|7.0.0-dev|7.0.0-beta1|7.0.0+x|7.0.0-dev5-x|7.0.0-dev5-1-h1|\
                   7.0.0-dev5-1-g|7.0.0-dev5-1-gab-x|99999999999.0.0|ccf-gov-sandbox-0.1.0";
        for bad in bad.split('|') {
            assert!(bad.parse::<CcfVersion>().is_err(), "{bad}");
        }
    }
}
