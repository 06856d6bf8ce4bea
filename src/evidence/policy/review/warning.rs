//! Warnings, of which no policy has more than a person can read.

use serde::Serialize;

use super::Review;
use crate::check::Verdict;

/// How many warnings of one name are kept; the others are counted.
const MAX_OF_A_NAME: usize = 100;

/// How many characters of a warning are kept.
const MAX_DETAIL: usize = 8000;

/// Something that a person should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Warning {
    /// The warning's name, the same in every version.
    pub name: &'static str,
    /// What it is about.
    pub detail: String,
}

impl Warning {
    /// What it means for whoever relies on the policy.
    ///
    /// - `Fail`: the policy proves nothing, or cannot be registered, whatever the person means by it.
    /// - `Incomplete`: something was not understood, so nobody can tell what the policy admits.
    /// - `Warn`: it is understood, and a person decides whether it is meant.
    pub fn verdict(&self) -> Verdict {
        match self.name {
            "allow-all" | "not-utf8" | "package" => Verdict::Fail,
            "not-understood" | "rule" | "defined-twice" | "unknown-definition" | "switch" | "too-large" => {
                Verdict::Incomplete
            }
            _ => Verdict::Warn,
        }
    }
}

impl Review {
    /// Whether every part of the policy was understood.
    pub fn is_understood(&self) -> bool {
        !self.warnings.iter().any(|warning| warning.verdict() == Verdict::Incomplete)
    }

    /// The gravest warning, the first of them if there are several.
    pub fn gravest(&self) -> Option<&Warning> {
        let of = |verdict| self.warnings.iter().find(|warning| warning.verdict() == verdict);
        of(Verdict::Fail).or_else(|| of(Verdict::Incomplete)).or(self.warnings.first())
    }

    /// Whether a platform would read it as its policy; what none would is nobody's host data.
    pub fn is_policy(&self) -> bool {
        !self.warnings.iter().any(|warning| warning.name == "package")
    }

    pub(super) fn warn(&mut self, name: &'static str, detail: impl Into<String>) {
        let told = self.told.entry(name).or_default();
        *told += 1;
        if *told <= MAX_OF_A_NAME {
            let mut detail = detail.into();
            if let Some((end, _)) = detail.char_indices().nth(MAX_DETAIL) {
                detail.truncate(end);
                detail.push('…');
            }
            self.warnings.push(Warning { name, detail });
        }
    }

    /// Counts warnings of which nothing else is known.
    pub(super) fn more(&mut self, name: &'static str, count: usize) {
        if count > 0 {
            *self.told.entry(name).or_default() += count;
        }
    }

    /// Says how many warnings of each name were counted alone.
    pub(super) fn tell_of_more(&mut self) {
        for (name, told) in std::mem::take(&mut self.told) {
            let kept = self.warnings.iter().filter(|warning| warning.name == name).count();
            if told > kept {
                self.warnings.push(Warning { name, detail: format!("and {} more", told - kept) });
            }
        }
    }
}
