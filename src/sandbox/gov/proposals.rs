//! Proposals: made, listed, withdrawn.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::shown::to_api;
use super::signed::by_active_member;
use super::{no_proposal, proposal_name, version};
use crate::constitution::Constitution;
use crate::constitution::decide::{self, ProposalInfo, purge_others};
use crate::digest::sha256;
use crate::id::ProposalId;
use crate::kv::row::{read_one, read_text, rows};
use crate::kv::table::RECENT_PROPOSALS;
use crate::kv::{Tables, table};
use crate::sandbox::network::Endorser;
use crate::sandbox::reply::{Body, Fault, Reply};
use crate::sandbox::router::Call;

/// How many recent requests are remembered, unless the service's configuration says otherwise.
pub(super) const WINDOW: u64 = 100;

/// POST /members/proposals:create
pub(in crate::sandbox) fn create(call: &Call<'_>) -> Result<Reply, Fault> {
    call.write(|tables, base| {
        let signer = by_active_member(call, tables, "proposal")?;
        version(call)?;
        let digest = sha256(&signer.request.signature);
        let id = Sha256::new().chain_update(base.root).chain_update(digest).finalize();
        let id = ProposalId::from_bytes(id.into());

        let constitution = call.network.constitution(tables)?;
        // The proposal need not be JSON for CCF, and neither need it be text.
        let proposal = String::from_utf8_lossy(&signer.request.payload).into_owned();
        let validation = constitution.validate(tables, &proposal).map_err(|e| {
            let trace = e.trace.map(|t| format!(" {t}")).unwrap_or_default();
            Fault::internal(format!("The proposal could not be validated: {}{trace}", e.reason))
        })?;
        if !validation.valid {
            let message = format!("The proposal is not valid: {}", validation.description);
            return Err(Fault::new(400, "ProposalFailedToValidate", message));
        }
        tables.put(table::PROPOSALS, id.to_string().as_bytes(), signer.request.payload.clone());
        let mut info = ProposalInfo::new(signer.member);
        info.write(tables, id);
        signer.record(tables);
        remember(tables, signer.request.created_at, &hex::encode(digest), id)?;
        decide(call, tables, &constitution, id, &proposal, &mut info)?;
        Ok(to_api(&info, id))
    })
}

/// POST /members/proposals/{proposalId}:withdraw
pub(in crate::sandbox) fn withdraw(call: &Call<'_>) -> Result<Reply, Fault> {
    call.write_reply(|tables, _| {
        let signer = by_active_member(call, tables, "withdrawal")?;
        version(call)?;
        let name = proposal_name(call, 0)?;
        signer.check_proposal(&name)?;
        let (Some(mut info), Ok(id)) = (ProposalInfo::read(tables, &name), name.parse()) else {
            return Ok(Reply::empty(204));
        };
        if info.proposer != signer.member {
            let message = format!(
                "Only {}, who made proposal {id}, can withdraw it, and {} signed this request.",
                info.proposer, signer.member
            );
            return Err(Fault::new(403, "AuthorizationFailed", message));
        }
        match info.state.as_str() {
            "Open" => {
                info.state = "Withdrawn".into();
                info.write(tables, id);
                purge_others(tables, id);
                signer.record(tables);
            }
            "Withdrawn" => {}
            state => {
                let message = format!("Proposal {id} is {state} and can no longer be withdrawn.");
                return Err(Fault::new(400, "ProposalNotOpen", message));
            }
        }
        Ok(Reply::json(&to_api(&info, id)))
    })
}

/// GET /members/proposals/{proposalId}
pub(in crate::sandbox) fn one(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    let name = proposal_name(call, 0)?;
    match (ProposalInfo::read(&call.vantage.tables, &name), name.parse()) {
        (Some(info), Ok(id)) => Ok(Reply::json(&to_api(&info, id))),
        _ => Err(no_proposal(&name)),
    }
}

/// GET /members/proposals
pub(in crate::sandbox) fn all(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    let rows = rows(&call.vantage.tables, table::PROPOSALS_INFO);
    let list: Vec<Value> =
        rows.filter_map(|(id, row)| Some(to_api(&ProposalInfo::from_json(&row)?, id.parse().ok()?))).collect();
    Ok(Reply::json(&json!({"value": list})))
}

/// GET /members/proposals/{proposalId}/actions
pub(in crate::sandbox) fn actions(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    let name = proposal_name(call, 0)?;
    let bytes = call.vantage.tables.get(table::PROPOSALS, name.as_bytes()).ok_or_else(|| no_proposal(&name))?;
    Ok(Reply::with(200, Body::Raw(bytes.to_vec())))
}

/// Decides a proposal that has changed. Where a script fails, the whole transaction does.
pub(super) fn decide(
    call: &Call<'_>,
    tables: &mut Tables,
    constitution: &Constitution,
    id: ProposalId,
    proposal: &str,
    info: &mut ProposalInfo,
) -> Result<(), Fault> {
    let host = Endorser { key: &call.network.key, ledger_secret_seqno: 1 };
    decide::decide(constitution, tables, id, proposal, info, &host).map_err(|error| Fault::internal(error.reason))?;
    match &info.failure {
        Some(failure) => Err(Fault::internal(failure.describe())),
        None => Ok(()),
    }
}

/// Refuses what was sent before or is too old; remembers what is new.
fn remember(tables: &mut Tables, created_at: u64, digest: &str, id: ProposalId) -> Result<(), Fault> {
    if created_at > crate::cose::CreatedAt::MAX {
        return Err(Fault::new(400, "InvalidCreatedAt", "The header's created_at has more than ten digits."));
    }
    let created_at = format!("{created_at:010}");
    let key = format!("{created_at}:{digest}");
    if let Some(existing) = read_text(tables, RECENT_PROPOSALS, &key) {
        let message = format!("This request was sent before; it became proposal {existing}.");
        return Err(Fault::new(400, "ProposalReplay", message));
    }
    let kept: Vec<String> =
        tables.iter(RECENT_PROPOSALS).map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect();
    if let Some((oldest, _)) = kept.get(kept.len() / 2).and_then(|key| key.split_once(':'))
        && created_at.as_str() < oldest
    {
        let message = format!("The proposal was created too long ago: created_at must be at least {oldest}.");
        return Err(Fault::new(400, "ProposalCreatedTooLongAgo", message));
    }
    let window = read_one(tables, table::SERVICE_CONFIG)
        .and_then(|config| config["recent_cose_proposals_window_size"].as_u64())
        .unwrap_or(WINDOW);
    tables.put(RECENT_PROPOSALS, key.as_bytes(), id.to_string());
    let surplus = (kept.len() as u64).saturating_sub(window.saturating_sub(1));
    for old in kept.iter().take(usize::try_from(surplus).unwrap_or(usize::MAX)) {
        tables.remove(RECENT_PROPOSALS, old.as_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_refuses_replays_and_what_is_older_than_its_median() {
        let mut tables = Tables::new();
        let id = ProposalId::from_bytes([1; 32]);
        for seconds in 100..110 {
            remember(&mut tables, seconds, "aa", id).unwrap();
        }
        let replay = remember(&mut tables, 104, "aa", id).unwrap_err();
        assert_eq!(replay.code, "ProposalReplay");
        assert!(replay.message.contains(&id.to_string()));
        assert_eq!(remember(&mut tables, 104, "bb", id).unwrap_err().code, "ProposalCreatedTooLongAgo");
        remember(&mut tables, 105, "bb", id).unwrap();
        assert_eq!(remember(&mut tables, 10_000_000_000, "bb", id).unwrap_err().code, "InvalidCreatedAt");
        for seconds in 200..400 {
            remember(&mut tables, seconds, "cc", id).unwrap();
        }
        assert_eq!(tables.len(RECENT_PROPOSALS) as u64, WINDOW);
    }
}
