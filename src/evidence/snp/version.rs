//! What depends on the version of CCF that a service runs.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A version of CCF: `7.0.0`, `ccf-6.0.14`, `6.0.0-rc1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CcfVersion {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number.
    pub patch: u32,
}

/// A text that is no version of CCF.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a version of CCF, such as 6.0.14 or ccf-7.0.0")]
pub struct VersionError(String);

impl FromStr for CcfVersion {
    type Err = VersionError;

    /// What follows the three numbers after a `-` or `+` is passed over.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let error = || VersionError(text.to_owned());
        let numbers = text.strip_prefix("ccf-").unwrap_or(text);
        let numbers = numbers.split(['-', '+']).next().unwrap_or_default();
        let mut parts = numbers.split('.').map(|n| {
            let digits = !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| n.parse::<u32>().ok()).flatten()
        });
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Some(major)), Some(Some(minor)), Some(Some(patch)), None) => Ok(Self { major, minor, patch }),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for CcfVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Whether a join accepts a report of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// It does.
    Accepted,
    /// It does not.
    Refused,
    /// It depends on the patch level, which this tool does not know exactly.
    Unknown,
}

impl CcfVersion {
    /// A version from its three numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Whether this is `since` or later, of which the last numbers may be missing: `6.0`.
    pub fn is_since(self, since: &str) -> bool {
        let since: Vec<u32> = since.split('.').filter_map(|number| number.parse().ok()).collect();
        [self.major, self.minor, self.patch].as_slice() >= since.as_slice()
    }

    /// Whether a service of this version lets a node with a report of `report_version` join.
    ///
    /// 4.x and 5.0 want exactly 2; from 6.0.12 on, 3 and above; between them both are found.
    pub fn accepts_report(self, report_version: u32) -> Acceptance {
        if self >= Self::new(6, 0, 12) {
            if report_version >= 3 { Acceptance::Accepted } else { Acceptance::Refused }
        } else if self.major <= 4 || (self.major == 5 && self.minor == 0) {
            if report_version == 2 { Acceptance::Accepted } else { Acceptance::Refused }
        } else if report_version >= 2 {
            Acceptance::Unknown
        } else {
            Acceptance::Refused
        }
    }

    /// Whether a service of this version lets an SNP node join only if it has a minimum TCB for the node's cpuid.
    pub fn wants_minimum_tcb(self) -> bool {
        self.major >= 6
    }

    /// Whether nodes of a service of this version can run on SGX.
    pub fn has_sgx(self) -> bool {
        self.major <= 5
    }

    /// How a service of this version orders the svn of UVM endorsements.
    pub fn svn_order(self) -> SvnOrder {
        if self.major >= 5 && self < Self::new(6, 0, 14) { SvnOrder::Text } else { SvnOrder::Integer }
    }

    /// Whether `add_snp_uvm_endorsement` wants the svn as an integer (4.x) or as text (since 5.0).
    pub fn svn_is_integer_in_action(self) -> bool {
        self.major <= 4
    }
}

/// How two svn are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SvnOrder {
    /// As decimal numbers.
    Integer,
    /// As text, character by character: "99" is above "100".
    Text,
}

impl SvnOrder {
    /// Compares two svn, decimal digits both; numbers may be of any length.
    pub fn compare(self, a: &str, b: &str) -> Ordering {
        match self {
            Self::Text => a.cmp(b),
            Self::Integer => {
                let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
                a.len().cmp(&b.len()).then_with(|| a.cmp(b))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_decide_what_is_accepted() {
        let v = |text: &str| text.parse::<CcfVersion>().unwrap();
        assert_eq!(v("ccf-6.0.14"), CcfVersion::new(6, 0, 14));
        assert_eq!(v("7.0.0-dev3").accepts_report(2), Acceptance::Refused);
        assert_eq!(v("6.0.12").accepts_report(5), Acceptance::Accepted);
        assert_eq!(v("5.0.3").accepts_report(3), Acceptance::Refused);
        assert_eq!(v("4.0.1").accepts_report(2), Acceptance::Accepted);
        assert_eq!(v("6.0.2").accepts_report(3), Acceptance::Unknown);
        assert!(v("6.0.0").is_since("6.0") && v("6.0.9").is_since("6.0.9") && v("10.0.0").is_since("7.0"));
        assert!(!v("5.0.9").is_since("6.0") && !v("6.0.8").is_since("6.0.9"));
        for bad in ["", "7", "7.0", "7.0.0.0", "a.b.c", "7..0", "+7.0.0"] {
            assert!(bad.parse::<CcfVersion>().is_err(), "{bad}");
        }
    }

    #[test]
    fn svn_order_changed_twice() {
        let order = |text: &str| text.parse::<CcfVersion>().unwrap().svn_order();
        assert_eq!(order("4.0.10"), SvnOrder::Integer);
        assert_eq!(order("5.0.0"), SvnOrder::Text);
        assert_eq!(order("6.0.13"), SvnOrder::Text);
        assert_eq!(order("6.0.14"), SvnOrder::Integer);
        assert_eq!(SvnOrder::Text.compare("99", "100"), Ordering::Greater);
        assert_eq!(SvnOrder::Integer.compare("99", "100"), Ordering::Less);
        assert_eq!(SvnOrder::Integer.compare("0099", "99"), Ordering::Equal);
    }
}
