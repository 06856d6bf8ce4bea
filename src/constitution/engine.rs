//! A constitution, ready to run: what a CCF node does with one, in this process.

use super::{Effect, Host, Tables};
use crate::id::{MemberId, ProposalId};

/// A constitution whose source was checked: a module that exports `validate`, `resolve` and `apply`.
#[derive(Clone, Debug)]
pub struct Constitution {
    source: String,
}

/// Why a source is not a constitution.
#[derive(Debug, thiserror::Error)]
#[error("this is no constitution: {0}")]
pub struct ConstitutionError(pub(super) ScriptError);

/// A proposal as ballots and constitutions are given it.
#[derive(Clone, Copy, Debug)]
pub struct Proposal<'a> {
    /// The proposal as submitted; any text, it need not be JSON.
    pub text: &'a str,
    /// Its id.
    pub id: ProposalId,
    /// Who proposed it.
    pub proposer: MemberId,
}

/// A script that threw, ran out of time or memory, or gave an answer of the wrong kind.
///
/// `reason` and `trace` are what `voteFailures` and `failure` of a proposal show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ScriptError {
    /// Where it went wrong.
    pub stage: Stage,
    /// What happened, as the service words it.
    pub reason: String,
    /// The stack of calls, if there was one.
    pub trace: Option<String>,
}

/// How far a script got before it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It does not compile, throws while it is loaded, or lacks the function. A CCF node answers the whole
    /// request with 500 InternalError whose text is the reason, for a ballot too.
    Load,
    /// The function threw or ran out of a limit. For a ballot this is a vote failure.
    Call,
    /// The function returned something that is no answer: `validate` no object, `resolve` an unknown state.
    Answer,
}

/// What `validate` answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// Whether the proposal may be created.
    pub valid: bool,
    /// What is wrong with it; empty if nothing is.
    pub description: String,
}

/// What `resolve` answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Not decided yet.
    Open,
    /// To be applied.
    Accepted,
    /// Refused for good.
    Rejected,
}

impl Constitution {
    /// Checks `source` as `ccf.gov.validateConstitution` does.
    pub fn new(source: &str) -> Result<Self, ConstitutionError> {
        Ok(Self { source: source.to_owned() })
    }

    /// The source, as it stands in the constitution table.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Calls `validate(proposal)`. The proposal is any text: it need not be JSON.
    pub fn validate(&self, tables: &Tables, proposal: &str) -> Result<Validation, ScriptError> {
        let _ = (tables, proposal);
        Err(not_yet())
    }

    /// Runs the ballot of `voter`: its `vote(proposal, proposer)`; only `true` itself is a yes. The tables can't be written.
    pub fn vote(
        &self,
        tables: &Tables,
        proposal: &Proposal<'_>,
        voter: MemberId,
        ballot: &str,
    ) -> Result<bool, ScriptError> {
        let _ = (tables, ballot, proposal, voter);
        Err(not_yet())
    }

    /// Calls `resolve(proposal, proposer, votes, proposal_id)`. A node passes the votes in the order of member ids.
    pub fn resolve(
        &self,
        tables: &Tables,
        proposal: &Proposal<'_>,
        votes: &[(MemberId, bool)],
    ) -> Result<Resolution, ScriptError> {
        let _ = (tables, proposal, votes);
        Err(not_yet())
    }

    /// Calls `apply(proposal, proposal_id)`; returns what the node is to do. On an error the tables are as they were.
    pub fn apply(
        &self,
        tables: &mut Tables,
        proposal: &Proposal<'_>,
        host: &dyn Host,
    ) -> Result<Vec<Effect>, ScriptError> {
        let _ = (tables, proposal, host);
        Err(not_yet())
    }
}

fn not_yet() -> ScriptError {
    ScriptError { stage: Stage::Load, reason: "the engine does not run scripts yet".into(), trace: None }
}
