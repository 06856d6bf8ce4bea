//! Whether a ballot can be cast on the proposal that the service holds under its id.

use serde_json::Value;

use crate::cose::{Message, MessageType};
use crate::id::ProposalId;
use crate::proposal::ballot::{self, Ballot};
use crate::proposal::{Difference, Proposal, ProposalError, difference};
use crate::service::{Service, ServiceError};

/// Why a ballot is not cast.
#[derive(Debug, thiserror::Error)]
pub enum NotVotable {
    /// The ballot is for exactly one proposal, and the service holds another.
    #[error("proposal {id} is not the one that this ballot is for, and the ballot would vote no")]
    Another {
        /// Under which id.
        id: ProposalId,
        /// Where the two differ: what the ballot is for / what the service holds.
        #[source]
        difference: Difference,
    },
    /// What the service shows is not a list of named actions, so nobody can judge it.
    #[error("what proposal {id} would do cannot be determined from what the service shows")]
    Unreadable {
        /// Under which id.
        id: ProposalId,
        /// What is wrong with it.
        #[source]
        source: ProposalError,
    },
}

/// Refuses what is not a list of named actions, and another proposal than the one `expected`.
///
/// # Errors
/// [`NotVotable`]
pub fn votable(id: ProposalId, expected: Option<&Proposal>, held: &Value) -> Result<(), NotVotable> {
    if let Some(difference) = expected.and_then(|expected| difference(expected.value(), held)) {
        return Err(NotVotable::Another { id, difference });
    }
    Proposal::of_value(held.clone()).map(drop).map_err(|source| NotVotable::Unreadable { id, source })
}

/// Asks the service for the proposal that a ballot is on, and judges it as [`votable`]. Other requests, and ballots on what the
/// service does not hold, are left to the service.
///
/// # Errors
/// Whatever is no answer.
pub async fn still_votable(service: &Service, message: &Message) -> Result<Result<(), NotVotable>, ServiceError> {
    let (MessageType::Ballot, Some(id)) = (message.kind(), message.proposal_id()) else { return Ok(Ok(())) };
    let Some(actions) = service.actions(id).await? else { return Ok(Ok(())) };
    let script = Ballot::parse(message.payload()).ok();
    let expected = script.and_then(|ballot| ballot::one_proposal(ballot.script()));
    Ok(votable(id, expected.as_ref(), &actions.raw))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_list_of_named_actions_is_not_voted_on() {
        let id = "1".repeat(64).parse().unwrap();
        let named = json!({"actions": [{"name": "x", "args": {}}]});
        assert!(votable(id, None, &named).is_ok());
        for odd in [
            json!({"actions": {"0": {"name": "set_constitution", "args": {}}}}),
            json!({"actions": ["set_constitution"]}),
            json!({"actions": [{"name": "x"}, ["y"]]}),
            json!({"actions": [{"name": {"x": 1}}]}),
            json!({"actions": []}),
            json!({}),
            json!([]),
        ] {
            assert!(matches!(votable(id, None, &odd), Err(NotVotable::Unreadable { .. })), "{odd}");
        }
        let other = Proposal::parse(br#"{"actions": [{"name": "x", "args": {"a": 1}}]}"#).unwrap();
        let Err(NotVotable::Another { difference, .. }) = votable(id, Some(&other), &named) else { panic!() };
        assert_eq!(difference.to_string(), "actions[0].args.a: 1 / (absent)");
    }
}
