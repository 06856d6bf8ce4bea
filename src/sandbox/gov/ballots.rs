//! Ballots: one script per member and proposal.

use super::proposals::decide;
use super::shown::to_api;
use super::signed::by_active_member;
use super::{member_name, no_proposal, proposal_id, proposal_name, version};
use crate::constitution::decide::ProposalInfo;
use crate::kv::table;
use crate::sandbox::reply::{Body, Fault, Reply};
use crate::sandbox::router::Call;

/// POST /members/proposals/{proposalId}/ballots/{memberId}:submit
pub(in crate::sandbox) fn submit(call: &Call<'_>) -> Result<Reply, Fault> {
    call.write(|tables, _| {
        let signer = by_active_member(call, tables, "ballot")?;
        version(call)?;
        let name = proposal_name(call, 0)?;
        signer.check_proposal(&name)?;
        let member = member_name(call, 1)?;
        signer.check_member(&member)?;
        let mut info = ProposalInfo::read(tables, &name).ok_or_else(|| no_proposal(&name))?;
        let id = proposal_id(&name)?;
        if info.state != "Open" {
            let message = format!("Proposal {id} is {}, and only open proposals take votes.", info.state);
            return Err(Fault::new(400, "ProposalNotOpen", message));
        }
        let proposal = tables.get(table::PROPOSALS, name.as_bytes()).ok_or_else(|| no_proposal(&name))?;
        let proposal = String::from_utf8_lossy(proposal).into_owned();
        let ballot = script(&signer.request.payload)?;
        match info.ballots.get(&member) {
            Some(earlier) if *earlier == ballot => return Ok(to_api(&info, id)),
            Some(_) => {
                let message = format!("Member {member} has submitted another ballot for proposal {id}.");
                return Err(Fault::new(400, "VoteAlreadyExists", message));
            }
            None => info.ballots.insert(member, ballot),
        };
        signer.record(tables);
        let constitution = call.network.constitution(tables)?;
        decide(call, tables, &constitution, id, &proposal, &mut info)?;
        Ok(to_api(&info, id))
    })
}

/// GET /members/proposals/{proposalId}/ballots/{memberId}
pub(in crate::sandbox) fn one(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    let (name, member) = (proposal_name(call, 0)?, member_name(call, 1)?);
    let info = ProposalInfo::read(&call.vantage.tables, &name).ok_or_else(|| no_proposal(&name))?;
    match info.ballots.get(&member) {
        Some(ballot) => Ok(Reply::with(200, Body::JavaScript(ballot.clone()))),
        None => {
            let message = format!("Member {member} has not voted for proposal {name}.");
            Err(Fault::new(404, "VoteNotFound", message))
        }
    }
}

fn script(payload: &[u8]) -> Result<String, Fault> {
    let refuse = |message: &str| Fault::new(400, "InvalidInput", message);
    let value: serde_json::Value = serde_json::from_slice(payload).map_err(|_| refuse("The ballot is not JSON."))?;
    match value.get("ballot").and_then(|ballot| ballot.as_str()) {
        Some(script) => Ok(script.to_owned()),
        None => Err(refuse(r#"The ballot is not a JSON object whose "ballot" is a script."#)),
    }
}
