//! Whether the constitution in force takes what is proposed next.

use super::{CONSTITUTION, waive};
use crate::check::Checks;
use crate::constitution::Constitution;
use crate::kv::Tables;
use crate::proposal::Proposal;
use crate::upgrade::{Observed, Plan};

/// Whether the constitution in force takes these proposals of the plan as valid. It runs the constitution, on empty tables.
///
/// A rule that looks into the tables may say no here and yes on the service: that is a warning, not a failure.
pub fn check_constitution(plan: &Plan, seen: &Observed, proposals: &[Proposal]) -> Checks {
    waive(plan, check_rules(seen, proposals))
}

/// The same, whatever is waived.
pub(in crate::upgrade) fn check_rules(seen: &Observed, proposals: &[Proposal]) -> Checks {
    let mut found = Checks::new();
    let Some(source) = &seen.constitution else { return found };
    let constitution = match Constitution::new(source) {
        Ok(constitution) => constitution,
        Err(error) => {
            found.fail(CONSTITUTION, format!("the constitution in force does not run here: {error}"));
            return found;
        }
    };
    for proposal in proposals {
        let title = crate::proposal::title(proposal.value(), |_| None);
        let text = String::from_utf8_lossy(proposal.bytes());
        match constitution.validate(&Tables::new(), &text) {
            Ok(judged) if judged.valid => found.pass(CONSTITUTION, format!("{title}: valid")),
            Ok(judged) => {
                let why = judged.description;
                found.fail(
                    CONSTITUTION,
                    format!("{title}: the constitution refuses it: {}", crate::text::visible(&why)),
                );
            }
            Err(error) => found.warn(CONSTITUTION, format!("{title}: not judged on empty tables: {error}")),
        }
    }
    found
}
