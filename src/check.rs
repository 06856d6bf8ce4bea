//! What every verification says: one named check after another, and the verdict of them all.

use std::fmt;

use serde::Serialize;

use crate::ccf_version::CcfVersion;

/// The name of the check that says that made-up roots were trusted, in a rehearsal.
pub const REHEARSAL: &str = "rehearsal";

/// How one check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It holds, and something about it should be looked at by a person: stale collateral, for instance.
    Warn,
    /// It does not hold.
    Fail,
    /// It could not be checked, because something needed for it was not given. Never a pass.
    Incomplete,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Incomplete => "incomplete",
        })
    }
}

/// The verdict of all checks together, in the words of the commands' JSON output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Conclusion {
    /// Every rule holds.
    Pass,
    /// A rule does not hold.
    Fail,
    /// No rule fails, and one could not be checked.
    Incomplete,
}

impl Conclusion {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Incomplete => "incomplete",
        }
    }
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One rule, and whether the evidence keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Check {
    /// The rule's name: kebab-case, the same in every version, for example `report-signature`.
    pub name: &'static str,
    /// Whether it holds.
    pub verdict: Verdict,
    /// What was compared with what, for a person: one line.
    pub detail: String,
}

/// Every rule that was looked at, in the order in which it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Checks(Vec<Check>);

impl Checks {
    /// Nothing checked yet, which is not a pass.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule with its verdict.
    pub fn push(&mut self, name: &'static str, verdict: Verdict, detail: impl Into<String>) {
        self.0.push(Check { name, verdict, detail: detail.into() });
    }

    /// Adds a rule that holds.
    pub fn pass(&mut self, name: &'static str, detail: impl Into<String>) {
        self.push(name, Verdict::Pass, detail);
    }

    /// Adds a rule that holds, but with something to look at.
    pub fn warn(&mut self, name: &'static str, detail: impl Into<String>) {
        self.push(name, Verdict::Warn, detail);
    }

    /// Adds a rule that does not hold.
    pub fn fail(&mut self, name: &'static str, detail: impl Into<String>) {
        self.push(name, Verdict::Fail, detail);
    }

    /// Adds a rule that could not be checked.
    pub fn incomplete(&mut self, name: &'static str, detail: impl Into<String>) {
        self.push(name, Verdict::Incomplete, detail);
    }

    /// Adds a rule that passes if `holds`, and fails otherwise; returns `holds`.
    pub fn require(&mut self, name: &'static str, holds: bool, detail: impl Into<String>) -> bool {
        self.push(name, if holds { Verdict::Pass } else { Verdict::Fail }, detail);
        holds
    }

    /// Adds `ccf-version` if `ccf` is newer than the table of versions: a warning for a patch release, whose nodes run
    /// together with known ones; for anything newer, the verdict stays open.
    pub fn known_version(&mut self, ccf: Option<CcfVersion>) {
        let Some((ccf, doubt)) = ccf.and_then(|ccf| Some((ccf, ccf.newer_than_known()?))) else { return };
        let verdict = if ccf.is_patch_of_known() { Verdict::Warn } else { Verdict::Incomplete };
        self.push("ccf-version", verdict, format!("{doubt}: what it has changed is not checked"));
    }

    /// Adds every check of `other` after these.
    pub fn append(&mut self, mut other: Checks) {
        self.0.append(&mut other.0);
    }

    /// These checks, each of which says what it is about.
    pub fn about(mut self, what: &str) -> Self {
        for check in &mut self.0 {
            check.detail = format!("{what}: {}", check.detail);
        }
        self
    }

    /// These checks, a failure of this name being a warning: why a value must not be added may be why it is removed.
    pub fn excusing(mut self, name: &str) -> Self {
        for check in self.0.iter_mut().filter(|check| check.name == name && check.verdict == Verdict::Fail) {
            check.verdict = Verdict::Warn;
        }
        self
    }

    /// These checks, an open one of this name being a warning.
    pub fn settling(mut self, name: &str) -> Self {
        for check in self.0.iter_mut().filter(|check| check.name == name && check.verdict == Verdict::Incomplete) {
            check.verdict = Verdict::Warn;
        }
        self
    }

    /// Whether this is about a rehearsal: made-up roots were trusted, and nothing is proved.
    pub fn is_rehearsal(&self) -> bool {
        self.get(REHEARSAL).is_some()
    }

    /// The checks, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Check> {
        self.0.iter()
    }

    /// The first check of this name.
    pub fn get(&self, name: &str) -> Option<&Check> {
        self.0.iter().find(|c| c.name == name)
    }

    /// All together: `Fail` if one failed, else `Incomplete` if one could not be checked (or none was), else `Pass`.
    ///
    /// A warning does not fail.
    pub fn verdict(&self) -> Conclusion {
        if self.0.iter().any(|c| c.verdict == Verdict::Fail) {
            Conclusion::Fail
        } else if self.0.is_empty() || self.0.iter().any(|c| c.verdict == Verdict::Incomplete) {
            Conclusion::Incomplete
        } else {
            Conclusion::Pass
        }
    }
}

impl<'a> IntoIterator for &'a Checks {
    type Item = &'a Check;
    type IntoIter = std::slice::Iter<'a, Check>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_outweighs_a_gap_which_outweighs_a_warning() {
        let mut checks = Checks::new();
        assert_eq!(checks.verdict().as_str(), "incomplete", "nothing checked is not a pass");
        checks.pass("a", "");
        checks.warn("b", "");
        assert_eq!(checks.verdict().as_str(), "pass");
        checks.incomplete("c", "");
        assert_eq!(checks.verdict().as_str(), "incomplete");
        assert!(!checks.require("d", false, "x"));
        assert_eq!(checks.verdict().as_str(), "fail");
        assert_eq!(
            serde_json::to_value(checks.get("d").unwrap()).unwrap(),
            serde_json::json!({"name": "d", "verdict": "fail", "detail": "x"})
        );
    }
}
