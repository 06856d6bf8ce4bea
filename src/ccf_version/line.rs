//! What is known of a feature within one line of releases: since when, until when, and how surely.

use std::fmt;

use super::CcfVersion;

/// A feature in one line of releases: CCF 6, say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// In no version.
    Never,
    /// In every version.
    Always,
    /// Not known for any version.
    Unknown,
    /// From exactly this version on.
    Since(CcfVersion),
    /// As `Since`; but trees from shortly before this version call themselves by its name, so a node's word for just
    /// this version does not settle it.
    SinceTag(CcfVersion),
    /// Seen in this version; before it, unknown.
    By(CcfVersion),
    /// It came after the first version and is there in the second.
    Between(CcfVersion, CcfVersion),
    /// Not up to this version; later, unknown.
    NotUntil(CcfVersion),
    /// Up to, and without, exactly this version.
    Until(CcfVersion),
    /// From exactly the first version on, up to and without the second.
    Span(CcfVersion, CcfVersion),
    /// Gone in this version; before it, unknown.
    GoneBy(CcfVersion),
    /// It went after the first version and is gone in the second.
    GoneBetween(CcfVersion, CcfVersion),
}

/// Whether a version has a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Yes,
    No,
    Unknown,
}

impl Line {
    pub(super) fn state(self, version: CcfVersion) -> State {
        let certain = |yes| if yes { State::Yes } else { State::No };
        match self {
            Self::Never => State::No,
            Self::Always => State::Yes,
            Self::Unknown => State::Unknown,
            Self::SinceTag(first) if version == first => State::Unknown,
            Self::Since(first) | Self::SinceTag(first) => certain(version >= first),
            Self::Until(end) => certain(version < end),
            Self::Span(first, end) => certain(version >= first && version < end),
            Self::By(seen) if version < seen => State::Unknown,
            Self::GoneBy(gone) if version < gone => State::Unknown,
            Self::By(_) => State::Yes,
            Self::GoneBy(_) => State::No,
            Self::NotUntil(last) if version <= last => State::No,
            Self::NotUntil(_) => State::Unknown,
            Self::Between(last, seen) | Self::GoneBetween(last, seen) if version > last && version < seen => {
                State::Unknown
            }
            Self::Between(_, seen) => certain(version >= seen),
            Self::GoneBetween(last, _) => certain(version <= last),
        }
    }

    /// The first version that is known to have it, unless that is every version.
    pub(super) fn first(self) -> Option<String> {
        match self {
            Self::Since(first) | Self::SinceTag(first) | Self::Span(first, _) => Some(first.to_string()),
            Self::By(seen) | Self::Between(_, seen) => Some(format!("≤ {seen}")),
            _ => None,
        }
    }

    /// The first version that is known not to have it any longer.
    pub(super) fn end(self) -> Option<String> {
        match self {
            Self::Until(end) | Self::Span(_, end) => Some(end.to_string()),
            Self::GoneBy(gone) | Self::GoneBetween(_, gone) => Some(format!("≤ {gone}")),
            _ => None,
        }
    }

    /// Whether an earlier version had it, and `version` does not.
    pub(super) fn is_gone(self, version: CcfVersion) -> bool {
        self.end().is_some() && self.state(version) == State::No
    }

    /// Whether no version has it.
    pub(super) fn is_never(self) -> bool {
        self == Self::Never
    }

    /// Whether the oldest versions of the line have it, or may.
    pub(super) fn begins_with_it(self) -> bool {
        matches!(self, Self::Always | Self::Until(_) | Self::GoneBetween(..))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("–"),
            Self::Always => f.write_str("all"),
            Self::Unknown => f.write_str("?"),
            Self::Since(first) | Self::SinceTag(first) => write!(f, "{first}"),
            Self::By(seen) => write!(f, "≤ {seen}"),
            Self::Between(last, seen) => write!(f, "> {last}, ≤ {seen}"),
            Self::NotUntil(last) => write!(f, "not up to {last}, then ?"),
            Self::Until(end) => write!(f, "before {end}"),
            Self::Span(first, end) => write!(f, "{first}, before {end}"),
            Self::GoneBy(gone) => write!(f, "not since {gone}, before ?"),
            Self::GoneBetween(last, gone) => write!(f, "until {last}, gone ≤ {gone}"),
        }
    }
}
