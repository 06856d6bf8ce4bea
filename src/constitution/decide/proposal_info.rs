//! A proposal's row in `proposals_info`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::constitution::ScriptError;
use crate::id::{MemberId, ProposalId};
use crate::kv::{Tables, row, table};

/// A proposal's row in `public:ccf.gov.proposals_info`, JSON with CCF's names.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProposalInfo {
    /// Who proposed it.
    #[serde(rename = "proposer_id")]
    pub proposer: MemberId,
    /// `Open`, `Accepted`, `Rejected`, `Withdrawn` or `Dropped`.
    pub state: String,
    /// By member id, the ballot: JavaScript.
    #[serde(default)]
    pub ballots: BTreeMap<String, String>,
    /// By member id, what each ballot answered when it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_votes: Option<BTreeMap<String, bool>>,
    /// By member id, why a ballot failed when it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vote_failures: Option<BTreeMap<String, Failure>>,
    /// Why `resolve` or `apply` failed. A node never keeps such a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// Why a script failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What it threw, or which limit it reached.
    pub reason: String,
    /// The stack of calls, a line each, if there was one.
    pub trace: Option<String>,
}

impl Failure {
    pub(super) fn new(doing: &str, error: ScriptError) -> Self {
        Self { reason: format!("{doing}{}", error.reason), trace: error.trace }
    }

    /// Both in one text.
    pub fn describe(&self) -> String {
        match &self.trace {
            Some(trace) => format!("{}\nTrace: {trace}", self.reason),
            None => self.reason.clone(),
        }
    }
}

impl ProposalInfo {
    /// A proposal that was just made.
    pub fn new(proposer: MemberId) -> Self {
        let state = "Open".into();
        Self { proposer, state, ballots: BTreeMap::new(), final_votes: None, vote_failures: None, failure: None }
    }

    /// The row of proposal `id`; `None` if there is none.
    pub fn read(tables: &Tables, id: &str) -> Option<Self> {
        Self::from_json(&row::read(tables, table::PROPOSALS_INFO, id)?)
    }

    /// A row from its JSON; `None` if that is no such row.
    pub fn from_json(row: &Value) -> Option<Self> {
        Self::deserialize(row).ok()
    }

    /// Writes the row of proposal `id`.
    pub fn write(&self, tables: &mut Tables, id: ProposalId) {
        if let Ok(row) = serde_json::to_value(self) {
            row::write(tables, table::PROPOSALS_INFO, &id.to_string(), &row);
        }
    }
}
