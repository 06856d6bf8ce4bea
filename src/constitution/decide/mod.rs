//! What happens to a proposal whenever it changes: its ballots are run, it is resolved, and applied.
//!
//! A sandbox decides with it, and a simulation: what was simulated is what the sandbox does.

mod effects;
mod proposal_info;

use std::collections::BTreeMap;

use super::{Constitution, Effect, Host, Proposal, Resolution, ScriptError, Stage};
use crate::id::{MemberId, ProposalId};
use crate::kv::{Tables, row, table};

pub use effects::{do_effect, refresh_shares};
pub use proposal_info::{Failure, ProposalInfo};

/// Runs every ballot of `info` and `resolve`, and `apply` with its effects if that accepts, as a node does in one transaction. `info` and
/// the tables hold what came of it; the effects are what the node was asked for.
///
/// Where `info.failure` is set afterwards, `resolve` or `apply` failed and a node discards the whole transaction: so must the caller.
///
/// # Errors
/// A ballot that does not load, or a script that needs what this engine lacks: a node answers 500, and nothing was decided.
pub fn decide(
    constitution: &Constitution,
    tables: &mut Tables,
    id: ProposalId,
    text: &str,
    info: &mut ProposalInfo,
    host: &dyn Host,
) -> Result<Vec<Effect>, ScriptError> {
    let proposal = Proposal { text, id, proposer: info.proposer };
    let (votes, failures) = run_ballots(constitution, tables, &proposal, info)?;
    let resolution = match constitution.resolve(tables, &proposal, &votes) {
        Ok(resolution) => resolution,
        Err(error) if error.stage == Stage::Engine => return Err(error),
        Err(error) => {
            info.failure = Some(Failure::new("Failed to resolve(): ", error));
            return Ok(Vec::new());
        }
    };
    info.state = match resolution {
        Resolution::Open => "Open".into(),
        Resolution::Accepted => "Accepted".into(),
        Resolution::Rejected => "Rejected".into(),
    };
    info.write(tables, id);
    if resolution == Resolution::Open {
        return Ok(Vec::new());
    }
    purge_others(tables, id);
    info.final_votes = Some(votes.into_iter().map(|(member, vote)| (member.to_string(), vote)).collect());
    info.vote_failures = Some(failures);
    info.write(tables, id);
    if resolution == Resolution::Rejected {
        return Ok(Vec::new());
    }
    match apply(constitution, tables, &proposal, host) {
        Ok(effects) => Ok(effects),
        Err(error) if error.stage == Stage::Engine => Err(error),
        Err(error) => {
            info.failure = Some(Failure::new("Failed to apply(): ", error));
            Ok(Vec::new())
        }
    }
}

/// The votes that the ballots of `info` give, and which of them threw.
type Votes = (Vec<(MemberId, bool)>, BTreeMap<String, Failure>);

fn run_ballots(
    constitution: &Constitution,
    tables: &Tables,
    proposal: &Proposal<'_>,
    info: &ProposalInfo,
) -> Result<Votes, ScriptError> {
    let mut votes = Vec::new();
    let mut failures = BTreeMap::new();
    let ballots: Vec<(MemberId, &str)> =
        info.ballots.iter().filter_map(|(member, ballot)| Some((member.parse().ok()?, ballot.as_str()))).collect();
    for ((member, _), answer) in ballots.iter().zip(constitution.vote_all(tables, proposal, &ballots)) {
        match answer {
            Ok(vote) => votes.push((*member, vote)),
            Err(error) if matches!(error.stage, Stage::Load | Stage::Engine) => return Err(error),
            Err(error) => drop(failures.insert(member.to_string(), Failure::new("", error))),
        }
    }
    Ok((votes, failures))
}

fn apply(
    constitution: &Constitution,
    tables: &mut Tables,
    proposal: &Proposal<'_>,
    host: &dyn Host,
) -> Result<Vec<Effect>, ScriptError> {
    let effects = constitution.apply(tables, proposal, host)?;
    for effect in &effects {
        do_effect(tables, effect).map_err(|reason| ScriptError::new(Stage::Call, reason))?;
    }
    Ok(effects)
}

/// Deletes every other proposal that is no longer open, as CCF does when one is decided.
pub fn purge_others(tables: &mut Tables, id: ProposalId) {
    let keep = id.to_string();
    let closed: Vec<String> = row::rows(tables, table::PROPOSALS_INFO)
        .filter(|(other, row)| *other != keep && row["state"] != "Open")
        .map(|(other, _)| other)
        .collect();
    for other in closed {
        tables.remove(table::PROPOSALS, other.as_bytes());
        tables.remove(table::PROPOSALS_INFO, other.as_bytes());
    }
}
