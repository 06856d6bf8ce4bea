//! What a version of CCF asks of the attestation of a node that joins.

use std::cmp::Ordering;

use super::{CcfVersion, Feature, Support};

impl CcfVersion {
    /// Whether a service of this version lets a node with a report of `report_version` join.
    pub fn accepts_report(self, report_version: u32) -> Support {
        match report_version {
            0 | 1 => Support::No,
            2 => self.has(Feature::SnpReport2),
            _ => self.has(Feature::SnpReport3),
        }
    }

    /// Whether a service of this version lets an SNP node join only if it has a minimum TCB for the node's CPUID.
    pub fn wants_minimum_tcb(self) -> bool {
        !self.has(Feature::SnpMinimumTcb).is_no()
    }

    /// How a service of this version orders the svn of UVM endorsements.
    pub fn svn_order(self) -> SvnOrder {
        if self.has(Feature::UvmSvnInteger).is_no() { SvnOrder::Text } else { SvnOrder::Integer }
    }

    /// Whether `add_snp_uvm_endorsement` wants the svn as an integer (CCF 4) or as text (since 5.0).
    pub fn svn_is_integer_in_action(self) -> bool {
        self.has(Feature::UvmSvnIntegerArgument).is_yes()
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

    fn v(text: &str) -> CcfVersion {
        text.parse().unwrap()
    }

    #[test]
    fn versions_decide_which_reports_are_accepted() {
        assert!(v("7.0.0-dev3").accepts_report(2).is_no());
        assert!(v("6.0.12").accepts_report(5).is_yes());
        assert!(v("5.0.3").accepts_report(3).is_no());
        assert!(v("4.0.1").accepts_report(2).is_yes());
        assert!(matches!(v("6.0.2").accepts_report(3), Support::Unknown(_)));
        assert!(v("6.0.12").accepts_report(1).is_no());
    }

    #[test]
    fn svn_order_changed_twice() {
        assert_eq!(v("4.0.10").svn_order(), SvnOrder::Integer);
        assert_eq!(v("5.0.0").svn_order(), SvnOrder::Text);
        assert_eq!(v("6.0.13").svn_order(), SvnOrder::Text);
        assert_eq!(v("6.0.14").svn_order(), SvnOrder::Integer);
        assert_eq!(v("7.0.0-dev2").svn_order(), SvnOrder::Text);
        assert_eq!(v("7.0.0-dev3").svn_order(), SvnOrder::Integer);
        assert_eq!(SvnOrder::Text.compare("99", "100"), Ordering::Greater);
        assert_eq!(SvnOrder::Integer.compare("99", "100"), Ordering::Less);
        assert_eq!(SvnOrder::Integer.compare("0099", "99"), Ordering::Equal);
    }
}
