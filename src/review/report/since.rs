//! What changed since a proposal was made, as far as a service or an older state tells.

use serde::Serialize;
use time::format_description::well_known::Rfc3339;

use super::{Parts, Votes};
use crate::constitution::decide::ProposalInfo;
use crate::id::ProposalId;
use crate::kv::{Change, table};
use crate::review::simulate::{Simulated, changes_in_words};
use crate::review::state::State;

/// So many lines of a changed text are shown.
const LINES: usize = 20;
/// So many other open proposals are named.
const SOME: usize = 5;

/// What changed since a proposal was made.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Since {
    /// What the service itself tells.
    pub known: Vec<String>,
    /// When the older state was read, RFC 3339; null without one.
    pub compared_with: Option<String>,
    /// What differs from the older state, in words.
    pub changes: Vec<String>,
    /// What of it the proposal itself would change, too: the rows.
    pub overlaps: Vec<String>,
    /// Whether the constitution differs from that of the older state; null without one.
    pub constitution_changed: Option<bool>,
    /// What cannot be known.
    pub unknown: Vec<String>,
}

impl Since {
    pub(super) fn of(parts: &Parts<'_>, simulated: Option<&Simulated>, votes: Option<&Votes>) -> Self {
        let mut since = Self::default();
        if let Some(votes) = votes {
            since.known.push(match votes.cast.len() {
                0 => "no ballot has been cast on it".into(),
                1 => "1 ballot has been cast on it".into(),
                n => format!("{n} ballots have been cast on it"),
            });
        }
        if parts.id.is_some() {
            since.known.push("it is still open: it has not been decided, withdrawn or dropped".into());
            let hint = if parts.since.is_some() { "" } else { "; --since names a state that was exported before" };
            since
                .unknown
                .push(format!("when it was proposed, and how the service was then: the API does not tell{hint}"));
        }
        if let Some(state) = parts.state {
            since.known.extend(others(state, parts.id));
        }
        if let (Some(older), Some(state)) = (parts.since, parts.state) {
            since.compare(parts, older, state, simulated);
        }
        since
    }

    fn compare(&mut self, parts: &Parts<'_>, older: &State, state: &State, simulated: Option<&Simulated>) {
        let at = older.read_at.format(&Rfc3339).unwrap_or_default();
        if let Some(id) = parts.id {
            let then = ProposalInfo::read(&older.tables, &id.to_string());
            self.known.push(match then {
                Some(info) => format!("at {at} it was open already, with {} of its ballots", info.ballots.len()),
                None => format!("it was proposed after {at}: the older state does not have it"),
            });
        }
        let id = parts.id.map(|id| id.to_string()).unwrap_or_default();
        let of_proposals = |change: &Change| [table::PROPOSALS, table::PROPOSALS_INFO].contains(&change.table.as_str());
        let others = |change: &Change| !(of_proposals(change) && change.key == id.as_bytes());
        let changes: Vec<Change> = state.tables.changes_since(&older.tables).into_iter().filter(others).collect();
        let would: Vec<&Change> = simulated.iter().flat_map(|one| &one.simulation.changes).collect();
        let overlaps = |change: &&Change| would.iter().any(|w| w.table == change.table && w.key == change.key);
        let overlapping: Vec<Change> = changes.iter().filter(overlaps).cloned().collect();
        self.overlaps = changes_in_words(&overlapping, &state.tables, LINES);
        self.constitution_changed = Some(changes.iter().any(|change| change.table == table::CONSTITUTION));
        self.changes = changes_in_words(&changes, &state.tables, LINES);
        self.compared_with = Some(at);
    }
}

/// The other proposals that are open.
fn others(state: &State, own: Option<ProposalId>) -> Option<String> {
    let open: Vec<ProposalId> = state.simulator().open_proposals().into_iter().filter(|id| Some(*id) != own).collect();
    let ids: Vec<String> = open.iter().take(SOME).map(ToString::to_string).collect();
    let more = if open.len() > SOME { ", …" } else { "" };
    let count = open.len();
    let are = if count == 1 { "proposal is" } else { "proposals are" };
    let ids = ids.join(", ");
    (count > 0).then(|| format!("{count} other {are} open: {ids}{more}; one that is accepted first may drop this one"))
}
