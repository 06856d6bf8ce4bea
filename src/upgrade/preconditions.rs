//! What must be so before and during a walk: each a named check that `upgrade.toml` can waive with a reason.

use super::{Observed, Plan};
use crate::check::Checks;

/// Judges everything that the plan rests on.
pub fn preconditions(_plan: &Plan, _seen: &Observed) -> Checks {
    Checks::new()
}
