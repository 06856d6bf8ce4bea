//! Whether a version has a feature.

use std::fmt;

use super::line::{Line, State};
use super::{CcfVersion, Feature};

/// The newest versions that the table knows, of each line of releases that is still made.
pub const NEWEST: [CcfVersion; 2] = [CcfVersion::new(6, 0, 28), CcfVersion::new(7, 0, 25)];

/// Whether a version has a feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Support {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// That is not known, and why.
    Unknown(Doubt),
}

/// Why it is not known whether a version has a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The version is newer than the table.
    Newer {
        /// The version.
        version: CcfVersion,
        /// The newest one that the table knows.
        known: CcfVersion,
    },
    /// In which version that changed is not known exactly.
    Gap(CcfVersion),
    /// A build between two tags, of which only the later one is known to differ.
    BetweenTags(CcfVersion),
}

impl CcfVersion {
    /// Whether this version has `feature`.
    ///
    /// A patch release that is newer than the table is taken to have what the newest known one has, since patches of
    /// one major version run together; what it lacks, the newer one may have.
    pub fn has(self, feature: Feature) -> Support {
        let line = feature.line(self.major);
        match self.newer_than_known() {
            None => self.within(line),
            Some(Doubt::Newer { known, .. }) if self.is_patch_of_known() && line.state(known) == State::Yes => {
                Support::Yes
            }
            // What was taken out does not come back.
            Some(Doubt::Newer { known, .. }) if line.is_gone(known) => Support::No,
            Some(doubt) => Support::Unknown(doubt),
        }
    }

    /// Whether this is a version that is newer than the table knows, and what that means.
    pub fn newer_than_known(self) -> Option<Doubt> {
        let [six, seven] = NEWEST;
        let known = if self.major == six.major { six } else { seven };
        (self > known).then_some(Doubt::Newer { version: self, known })
    }

    /// Whether this is a release of the same numbers, but for the last, as one that the table knows.
    pub fn is_patch_of_known(self) -> bool {
        NEWEST.iter().any(|known| (self.major, self.minor) == (known.major, known.minor))
    }

    fn within(self, line: Line) -> Support {
        let state = if self.commits == 0 {
            line.state(self)
        } else {
            match (line.state(self), line.state(self.next_tag())) {
                (own, next) if own == next => own,
                (State::Unknown, _) | (_, State::Unknown) => State::Unknown,
                _ => return Support::Unknown(Doubt::BetweenTags(self)),
            }
        };
        match state {
            State::Yes => Support::Yes,
            State::No => Support::No,
            State::Unknown => Support::Unknown(Doubt::Gap(self)),
        }
    }
}

impl Support {
    /// Whether it certainly does.
    pub fn is_yes(&self) -> bool {
        *self == Self::Yes
    }

    /// Whether it certainly does not.
    pub fn is_no(&self) -> bool {
        *self == Self::No
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer { version, known } => {
                write!(f, "CCF {version} is newer than this tool knows (CCF {known})")
            }
            Self::Gap(version) => write!(f, "it is not known whether CCF {version} has it"),
            Self::BetweenTags(version) => {
                write!(f, "CCF {version} is a build on the way to {}, which has changed there", version.next_tag())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(version: &str, feature: Feature) -> Support {
        version.parse::<CcfVersion>().unwrap().has(feature)
    }

    #[test]
    fn what_is_exact_is_answered_and_what_lies_in_a_gap_is_not() {
        use Feature::{Jwks, NodeJoinPolicy, SnpTurin, UvmHashEnvelope};
        assert!(answer("7.0.0-dev12", NodeJoinPolicy).is_yes());
        assert!(answer("7.0.0-dev10", NodeJoinPolicy).is_no());
        assert!(answer("6.0.28", NodeJoinPolicy).is_no());
        assert!(answer("6.0.25", SnpTurin).is_yes());
        assert!(answer("6.0.24", SnpTurin).is_no());
        assert!(answer("7.0.0", Jwks).is_no());
        assert_eq!(answer("7.0.3", Jwks), Support::Unknown(Doubt::Gap(CcfVersion::new(7, 0, 3))));
        assert!(answer("7.0.5", Jwks).is_yes());
        assert!(answer("6.0.18", UvmHashEnvelope).is_no());
        assert!(matches!(answer("6.0.25", UvmHashEnvelope), Support::Unknown(Doubt::Gap(_))));
        assert!(answer("5.0.3", UvmHashEnvelope).is_no());
    }

    #[test]
    fn a_build_between_tags_is_neither_of_them() {
        use Feature::{CleanupLegacyJwt, NodeJoinPolicy, PreVoteCandidates};
        assert!(matches!(answer("7.0.0-dev11-3-gabc", NodeJoinPolicy), Support::Unknown(Doubt::BetweenTags(_))));
        assert!(answer("7.0.0-dev12-3-gabc", NodeJoinPolicy).is_yes());
        assert!(answer("7.0.0-dev9-3-gabc", NodeJoinPolicy).is_no());
        assert!(matches!(answer("7.0.0-dev5-3-gabc", PreVoteCandidates), Support::Unknown(Doubt::BetweenTags(_))));
        // Trees from before the tag call themselves 7.0.0-dev5.
        assert!(matches!(answer("7.0.0-dev5", CleanupLegacyJwt), Support::Unknown(Doubt::Gap(_))));
        assert!(answer("7.0.0-dev5-3-gabc", CleanupLegacyJwt).is_yes());
        assert!(answer("7.0.0-dev4", CleanupLegacyJwt).is_no());
    }

    #[test]
    fn what_is_newer_than_the_table_is_said_to_be_so() {
        use Feature::{NodeJoinPolicy, PendingNodesExpire, SgxNodes, UvmHashEnvelope};
        for newer in ["7.0.26", "7.1.0", "8.0.0-dev1", "6.0.29", "7.0.25-1-gabc"] {
            let version: CcfVersion = newer.parse().unwrap();
            let doubt = version.newer_than_known().unwrap_or_else(|| panic!("{newer}"));
            assert!(doubt.to_string().contains("is newer than this tool knows"), "{doubt}");
        }
        for known in ["7.0.25", "6.0.28", "7.0.0-dev5", "5.0.9", "4.0.1"] {
            assert_eq!(known.parse::<CcfVersion>().unwrap().newer_than_known(), None, "{known}");
        }
        assert!(answer("7.0.26", PendingNodesExpire).is_yes());
        assert!(matches!(answer("7.0.26", SgxNodes), Support::Unknown(Doubt::Newer { .. })));
        assert!(matches!(answer("8.0.0", NodeJoinPolicy), Support::Unknown(Doubt::Newer { .. })));
        assert!(matches!(answer("6.0.29", UvmHashEnvelope), Support::Unknown(Doubt::Newer { .. })));
    }
}
