//! A proposal as the API shows it.

use serde_json::{Map, Value, json};

use crate::constitution::decide::ProposalInfo;
use crate::id::ProposalId;

pub(super) fn to_api(info: &ProposalInfo, id: ProposalId) -> Value {
    let mut body = Map::new();
    body.insert("ballotCount".into(), info.ballots.len().into());
    if let Some(votes) = &info.final_votes {
        body.insert("finalVotes".into(), json!(votes));
    }
    if let Some(failure) = &info.failure {
        body.insert("failure".into(), json!(failure));
    }
    body.insert("proposalId".into(), json!(id));
    body.insert("proposalState".into(), json!(info.state));
    body.insert("proposerId".into(), json!(info.proposer));
    if let Some(failures) = &info.vote_failures {
        body.insert("voteFailures".into(), json!(failures));
    }
    Value::Object(body)
}
