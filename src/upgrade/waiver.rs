//! Preconditions that `upgrade.toml` passes over: always in sight, with what the check says today.

use std::fmt;

use serde::Serialize;

use super::preconditions::{check_rules, judge};
use super::{Need, Observed, Plan, Wanted};
use crate::check::{Check, Checks, Verdict};
use crate::text::visible;

/// A precondition that is waived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Waiver {
    /// The precondition.
    pub name: String,
    /// Why it may be passed over.
    pub reason: String,
    /// What the check says without the waiver; null where it is not made now.
    pub today: Option<Verdict>,
    /// Why it fails; null if it does not.
    pub fault: Option<String>,
}

/// Every waiver of a plan, and what the checks say today: `rules` is what the constitution says, whatever is waived.
pub(super) fn waivers(plan: &Plan, seen: &Observed, wanted: &Wanted, rules: Checks) -> Vec<Waiver> {
    if plan.waived.is_empty() {
        return Vec::new();
    }
    let mut checks = judge(plan, seen, wanted);
    checks.append(rules);
    let one = |(name, reason): (&String, &String)| {
        let made: Vec<&Check> = checks.iter().filter(|check| check.name == name.as_str()).collect();
        let fails = |check: &&&Check| matches!(check.verdict, Verdict::Fail | Verdict::Incomplete);
        let faults: Vec<&str> = made.iter().filter(fails).map(|check| check.detail.as_str()).collect();
        Waiver {
            name: name.clone(),
            reason: reason.clone(),
            today: made.iter().find(fails).or(made.first()).map(|check| check.verdict),
            fault: (!faults.is_empty()).then(|| faults.join("; ")),
        }
    };
    plan.waived.iter().map(one).collect()
}

/// Every waiver of a plan, and what the checks say as the service stands: the constitution is asked about what is proposed next.
pub fn waivers_now(plan: &Plan, seen: &Observed, wanted: &Wanted) -> Vec<Waiver> {
    let proposal = match &wanted.need {
        Need::Proposal(intended) => intended.proposal(plan, seen.at).ok(),
        _ => None,
    };
    waivers(plan, seen, wanted, check_rules(seen, proposal.as_slice()))
}

impl Waiver {
    /// What the check says today, in words.
    pub fn says(&self) -> String {
        match (&self.fault, self.today) {
            (Some(fault), _) => format!("the check fails today: {fault}"),
            (None, Some(_)) => "the check passes today".into(),
            (None, None) => "the check is not made now".into(),
        }
    }
}

impl fmt::Display for Waiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "waived: {} ({}); {}", self.name, visible(&self.reason), visible(&self.says()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::forecast::testing::{service, virtual_code};
    use super::*;
    use crate::upgrade::wanted;

    #[test]
    fn every_waiver_is_said_with_what_the_check_says_today() {
        let mut seen = service(&virtual_code(1), 3);
        seen.constitution = None;
        let mut plan = Plan::of(virtual_code(2), 2);
        for name in ["node-count", "members-active", "validity", "constitution"] {
            plan.waived.insert(name.into(), "a test".into());
        }
        let said: Vec<String> =
            waivers(&plan, &seen, &wanted(&plan, &seen), Checks::new()).iter().map(Waiver::to_string).collect();
        assert_eq!(
            said,
            [
                "waived: constitution (a test); the check is not made now",
                "waived: members-active (a test); the check passes today",
                "waived: node-count (a test); the check fails today: 2 nodes tolerate 0 failed ones, and the minimum is 1",
                "waived: validity (a test); the check is not made now",
            ]
        );
        plan.nodes = 3;
        let said = waivers(&plan, &seen, &wanted(&plan, &seen), Checks::new())[2].to_string();
        assert_eq!(said, "waived: node-count (a test); the check passes today");
    }
}
