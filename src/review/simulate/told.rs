//! A simulation as programs read it.

use serde::Serialize;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;

use super::simulated::Simulated;
use super::{Again, Validity, effect_in_words, shown_key, shown_value};
use crate::id::{MemberId, ProposalId};
use crate::review::state::State;
use crate::text::visible;

/// A proposal that was tried. Everything in it that came from the service or from a file is foreign text.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema), schemars(rename = "Simulation"))]
pub struct Told {
    /// The file, or the proposal at the service.
    pub proposal: String,
    /// Made up for one that is not submitted.
    pub proposal_id: ProposalId,
    /// Who proposes it.
    pub proposer_id: MemberId,
    /// Whether `validate` takes it.
    pub valid: bool,
    /// Why it is not valid, or why resolve or apply failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where a script failed: its calls, with file and line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Every smallest set of members whose yes passes it, beside the votes that are given; absent where there are too many members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_with: Option<Vec<Vec<MemberId>>>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passes: Option<String>,
    /// When every active member votes yes who has not voted: Accepted, Open, Rejected, or Failed if resolve or apply throws.
    pub state: Option<&'static str>,
    /// The same in a sentence.
    pub ends: String,
    /// Every row that changes.
    pub changes: Vec<ToldChange>,
    /// The same in words.
    pub in_words: Vec<String>,
    /// What else the service would do.
    pub effects: Vec<String>,
    /// The open proposals that it drops.
    pub drops: Vec<ProposalId>,
    /// What each ballot answers.
    pub ballots: Vec<ToldBallot>,
    /// What another constitution changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<ToldRules>,
    /// What the outcome rests on and is not known.
    pub uncertain: Vec<ToldUncertain>,
    /// When the state was read that it was tried on.
    pub state_read_at: String,
    /// The newest transaction of that state.
    pub state_transaction_id: Option<String>,
}

/// A row that changes.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct ToldChange {
    /// The table's name.
    pub table: String,
    /// Empty for a table that holds one value.
    pub key: String,
    /// The value before; null if there was none.
    pub before: Option<Value>,
    /// The value after; null if it is removed.
    pub after: Option<Value>,
}

/// A ballot that was run.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct ToldBallot {
    /// Whose it is.
    pub member_id: MemberId,
    /// null if it gives no vote.
    pub vote: Option<bool>,
    /// What it answered, in words.
    pub answer: String,
}

/// What another constitution changes.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct ToldRules {
    /// Whether the actions could be compared.
    pub compared: bool,
    /// Actions that only the new one has.
    pub appear: Vec<String>,
    /// Actions that only the old one has.
    pub disappear: Vec<String>,
    /// Actions whose text differs.
    pub change: Vec<String>,
    /// null if that is not known.
    pub can_change_again: Option<bool>,
    /// All of it in words.
    pub in_words: Vec<String>,
}

/// Something that is not known.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct ToldUncertain {
    /// The table, or what else was asked for.
    pub what: String,
    /// Why it is not known.
    pub why: String,
}

impl Told {
    /// What there is to tell of `one`, which was tried on `state`.
    pub fn of(state: &State, one: &Simulated) -> Self {
        let simulation = &one.simulation;
        let value = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(shown_value);
        let (reason, trace) = one.failure();
        let change = |change: &crate::kv::Change| ToldChange {
            table: change.table.clone(),
            key: shown_key(&change.key),
            before: value(&change.before),
            after: value(&change.after),
        };
        let ballot = |run: &super::BallotRun| ToldBallot {
            member_id: run.member,
            vote: run.answer.vote(),
            answer: run.answer.describe(),
        };
        let rules = |rules: &super::ConstitutionChange| ToldRules {
            compared: rules.compared,
            appear: rules.appear.clone(),
            disappear: rules.disappear.clone(),
            change: rules.change.clone(),
            can_change_again: match rules.again {
                Again::Yes => Some(true),
                Again::No(_) => Some(false),
                Again::Unknown(_) => None,
            },
            in_words: rules.lines(),
        };
        let uncertain = simulation.uncertain.iter();
        Self {
            proposal: one.source.clone(),
            proposal_id: simulation.id,
            proposer_id: simulation.proposer,
            valid: simulation.validity == Validity::Valid,
            reason,
            trace,
            accepted_with: simulation.passing.as_ref().and_then(|passing| passing.accepted_with.clone()),
            passes: one.passes(),
            state: simulation.outcome.name(),
            ends: one.ends(),
            changes: simulation.changes.iter().map(change).collect(),
            in_words: one.words(usize::MAX),
            effects: simulation.effects.iter().map(effect_in_words).collect(),
            drops: simulation.drops.clone(),
            ballots: simulation.ballots.iter().map(ballot).collect(),
            rules: one.rules.as_ref().map(rules),
            uncertain: uncertain.map(|one| ToldUncertain { what: one.what.clone(), why: one.why.clone() }).collect(),
            state_read_at: state.read_at.format(&Rfc3339).unwrap_or_default(),
            state_transaction_id: state.transaction.map(|id| id.to_string()),
        }
    }

    /// All of it for a person, in lines that are fit to be shown; ballots are left to whoever knows their members' names.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("  {}", self.ends)];
        lines.extend(self.trace.iter().flat_map(|trace| trace.lines()).map(|line| format!("      {}", visible(line))));
        lines.extend(self.passes.iter().map(|passes| format!("  {passes}")));
        match self.in_words.is_empty() {
            false => lines.push("  What changes:".into()),
            true if self.state == Some("Accepted") => lines.push("  Nothing changes in the tables.".into()),
            true => {}
        }
        lines.extend(self.in_words.iter().map(|line| format!("    {line}")));
        lines.extend(self.effects.iter().map(|effect| format!("  Also: {effect}")));
        lines.extend(self.drops.iter().map(|id| format!("  Drops the open proposal {id}")));
        let rules = self.rules.iter().flat_map(|rules| &rules.in_words);
        lines.extend(rules.map(|line| format!("  Rules: {}", visible(line))));
        let uncertain = |one: &ToldUncertain| format!("  Uncertain: {}: {}", visible(&one.what), visible(&one.why));
        lines.extend(self.uncertain.iter().map(uncertain));
        lines
    }
}
