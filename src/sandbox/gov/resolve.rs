//! What happens to a proposal whenever it changes: its ballots are run, it is resolved, and applied.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::member_id;
use crate::constitution::{Constitution, Effect, Proposal, Resolution, ScriptError, Stage, Tables, table};
use crate::id::{MemberId, ProposalId};
use crate::sandbox::network::Endorser;
use crate::sandbox::reply::Fault;
use crate::sandbox::router::Call;
use crate::sandbox::tables::{read, rows, write};

/// A proposal's row in `proposals_info`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ProposalInfo {
    #[serde(rename = "proposer_id")]
    pub(super) proposer: MemberId,
    pub(super) state: String,
    #[serde(default)]
    pub(super) ballots: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) final_votes: Option<BTreeMap<String, bool>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) vote_failures: Option<BTreeMap<String, Failure>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<Failure>,
}

/// Why a script failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    reason: String,
    trace: Option<String>,
}

impl Failure {
    fn new(doing: &str, error: ScriptError) -> Self {
        Self { reason: format!("{doing}{}", error.reason), trace: error.trace }
    }

    /// Both in one text.
    pub(super) fn describe(&self) -> String {
        match &self.trace {
            Some(trace) => format!("{}\nTrace: {trace}", self.reason),
            None => self.reason.clone(),
        }
    }
}

impl ProposalInfo {
    pub(super) fn new(proposer: MemberId) -> Self {
        let state = "Open".into();
        Self { proposer, state, ballots: BTreeMap::new(), final_votes: None, vote_failures: None, failure: None }
    }

    pub(super) fn read(tables: &Tables, id: &str) -> Option<Self> {
        Self::from_json(&read(tables, table::PROPOSALS_INFO, id)?)
    }

    pub(super) fn from_json(row: &Value) -> Option<Self> {
        Self::deserialize(row).ok()
    }

    pub(super) fn write(&self, tables: &mut Tables, id: ProposalId) {
        if let Ok(row) = serde_json::to_value(self) {
            write(tables, table::PROPOSALS_INFO, &id.to_string(), &row);
        }
    }

    /// The proposal as the API shows it.
    pub(super) fn to_api(&self, id: ProposalId) -> Value {
        let mut body = Map::new();
        body.insert("ballotCount".into(), self.ballots.len().into());
        if let Some(votes) = &self.final_votes {
            body.insert("finalVotes".into(), json!(votes));
        }
        if let Some(failure) = &self.failure {
            body.insert("failure".into(), json!(failure));
        }
        body.insert("proposalId".into(), json!(id));
        body.insert("proposalState".into(), json!(self.state));
        body.insert("proposerId".into(), json!(self.proposer));
        if let Some(failures) = &self.vote_failures {
            body.insert("voteFailures".into(), json!(failures));
        }
        Value::Object(body)
    }
}

/// Runs every ballot and `resolve`, and `apply` if that accepts. A script that fails is noted in `info.failure`.
pub(super) fn resolve(
    call: &Call<'_>,
    tables: &mut Tables,
    constitution: &Constitution,
    id: ProposalId,
    proposal: &str,
    info: &mut ProposalInfo,
) -> Result<(), Fault> {
    let proposal = Proposal { text: proposal, id, proposer: info.proposer };
    let mut votes = Vec::new();
    let mut failures = BTreeMap::new();
    for (member, ballot) in &info.ballots {
        let Some(member) = member_id(member) else { continue };
        match constitution.vote(tables, &proposal, member, ballot) {
            Ok(vote) => votes.push((member, vote)),
            Err(error) if matches!(error.stage, Stage::Load | Stage::Engine) => {
                return Err(Fault::internal(error.reason));
            }
            Err(error) => {
                failures.insert(member.to_string(), Failure::new("", error));
            }
        }
    }
    let resolution = match constitution.resolve(tables, &proposal, &votes) {
        Ok(resolution) => resolution,
        Err(error) if error.stage == Stage::Engine => return Err(Fault::internal(error.reason)),
        Err(error) => {
            info.failure = Some(Failure::new("Failed to resolve(): ", error));
            return Ok(());
        }
    };
    info.state = match resolution {
        Resolution::Open => "Open".into(),
        Resolution::Accepted => "Accepted".into(),
        Resolution::Rejected => "Rejected".into(),
    };
    info.write(tables, id);
    if resolution == Resolution::Open {
        return Ok(());
    }
    purge_others(tables, id);
    info.final_votes = Some(votes.into_iter().map(|(member, vote)| (member.to_string(), vote)).collect());
    info.vote_failures = Some(failures);
    info.write(tables, id);
    if resolution == Resolution::Accepted {
        let host = Endorser { key: &call.network.key, ledger_secret_seqno: 1 };
        let applied = constitution.apply(tables, &proposal, &host);
        let applied = applied.and_then(|effects| effects.into_iter().try_for_each(|effect| put(tables, effect)));
        if let Err(error) = applied {
            if error.stage == Stage::Engine {
                return Err(Fault::internal(error.reason));
            }
            info.failure = Some(Failure::new("Failed to apply(): ", error));
        }
    }
    Ok(())
}

/// Deletes every other proposal that is no longer open, as CCF does when one resolves.
pub(super) fn purge_others(tables: &mut Tables, id: ProposalId) {
    let keep = id.to_string();
    let closed: Vec<String> = rows(tables, table::PROPOSALS_INFO)
        .filter(|(other, row)| *other != keep && row["state"] != "Open")
        .map(|(other, _)| other)
        .collect();
    for other in closed {
        tables.remove(table::PROPOSALS, other.as_bytes());
        tables.remove(table::PROPOSALS_INFO, other.as_bytes());
    }
}

/// Does what an applied proposal asked of the service.
fn put(tables: &mut Tables, effect: Effect) -> Result<(), ScriptError> {
    crate::sandbox::effects::put(tables, effect).map_err(|reason| ScriptError {
        stage: Stage::Call,
        reason,
        trace: None,
    })
}
