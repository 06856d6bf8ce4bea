//! A proposal as the service holds it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{MemberId, ProposalId};

/// `GET /gov/members/proposals/{proposalId}`, and what creating, voting and withdrawing answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// Its id.
    pub proposal_id: ProposalId,
    /// Who made it.
    pub proposer_id: MemberId,
    /// Where it stands.
    pub proposal_state: ProposalState,
    /// How many ballots it holds, whatever they say.
    pub ballot_count: u64,
    /// What each ballot said in the end; once resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_votes: Option<BTreeMap<MemberId, bool>>,
    /// The ballots that threw, and so counted as none; once resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vote_failures: Option<BTreeMap<MemberId, VoteFailure>>,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<VoteFailure>,
}

/// An exception, of a ballot or of applying a proposal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct VoteFailure {
    /// The exception's text.
    pub reason: String,
    /// Its stack trace, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// Where a proposal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub enum ProposalState {
    /// Ballots are taken.
    Open,
    /// Resolved with yes, and applied.
    Accepted,
    /// Resolved with no.
    Rejected,
    /// Taken back by its proposer.
    Withdrawn,
    /// Dropped, because another proposal changed who may join or the rules.
    Dropped,
    /// Accepted, and applying it threw.
    Failed,
}

impl ProposalState {
    /// Whether nothing more can happen to it.
    pub fn is_final(self) -> bool {
        self != Self::Open
    }
}

impl fmt::Display for ProposalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_proposal_may_have_new_fields_but_no_new_state() {
        let (id, member) = ("1".repeat(64), "2".repeat(64));
        let mut raw = json!({"proposalId": id, "proposerId": member, "proposalState": "Accepted", "ballotCount": 2,
            "finalVotes": {&member: true}, "voteFailures": {&member: {"reason": "x", "trace": null}}, "new": 1});
        let proposal: Proposal = serde_json::from_value(raw.clone()).unwrap();
        assert_eq!(proposal.final_votes.unwrap().len(), 1);
        raw["proposalState"] = json!("Sleeping");
        assert!(serde_json::from_value::<Proposal>(raw.clone()).is_err());
        raw["proposalState"] = json!("Open");
        raw["proposalId"] = json!("../../x");
        assert!(serde_json::from_value::<Proposal>(raw).is_err());
    }
}
