//! A ballot against the proposal that the service holds under its id.

use serde_json::Value;

use crate::cli::error::CliError;
use ccf_gov::cose::{Message, MessageType};
use ccf_gov::id::ProposalId;
use ccf_gov::proposal::ballot::{self, Ballot};
use ccf_gov::proposal::{Proposal, difference};
use ccf_gov::service::Service;

/// Refuses a ballot on what nobody can judge, and an exact ballot that would vote no on what the service holds under its id.
/// Other requests, and ballots on what it does not hold, are left to the service.
pub async fn check(service: &Service, message: &Message) -> Result<(), CliError> {
    let (MessageType::Ballot, Some(id)) = (message.kind(), message.proposal_id()) else { return Ok(()) };
    let Some(actions) = service.actions(id).await? else { return Ok(()) };
    let script = Ballot::parse(message.payload()).ok();
    let expected = script.and_then(|ballot| ballot::exact_proposal(ballot.script()));
    compare(id, expected.as_ref(), &actions.raw)
}

/// Refuses what is no list of named actions, and another proposal than the one expected.
pub fn compare(id: ProposalId, expected: Option<&Proposal>, live: &Value) -> Result<(), CliError> {
    if let Some(difference) = expected.and_then(|expected| difference(expected.value(), live)) {
        let what = format!("proposal {id} is not the one that this ballot is for, and the ballot would vote no");
        let hint = "in each line: what the ballot is for / what the service holds. `ccf-gov proposal show ID -o FILE` writes the service's";
        return Err(CliError::no(what).because(difference).hint(hint));
    }
    match Proposal::of_value(live.clone()) {
        Ok(_) => Ok(()),
        Err(error) => {
            let what = format!("what proposal {id} would do cannot be determined from what the service shows");
            let hint = "do not vote on it, and ask the service's operators what it is";
            Err(CliError::no(what).because(error).hint(hint))
        }
    }
}

/// An error that kept something from being signed.
pub fn unsigned(error: CliError) -> CliError {
    error.prefixed("nothing was signed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::error::Kind;
    use serde_json::json;

    #[test]
    fn what_is_no_list_of_named_actions_is_not_voted_on() {
        let id = "1".repeat(64).parse().unwrap();
        let named = json!({"actions": [{"name": "x", "args": {}}]});
        assert!(compare(id, None, &named).is_ok());
        for odd in [
            json!({"actions": {"0": {"name": "set_constitution", "args": {}}}}),
            json!({"actions": ["set_constitution"]}),
            json!({"actions": [{"name": "x"}, ["y"]]}),
            json!({"actions": [{"name": {"x": 1}}]}),
            json!({"actions": []}),
            json!({}),
            json!([]),
        ] {
            let refused = compare(id, None, &odd).unwrap_err();
            assert_eq!(refused.kind, Kind::No, "{odd}");
            assert!(unsigned(refused).message.starts_with("nothing was signed: what proposal"));
        }
        let other = Proposal::parse(br#"{"actions": [{"name": "x", "args": {"a": 1}}]}"#).unwrap();
        let refused = compare(id, Some(&other), &named).unwrap_err();
        assert_eq!(refused.causes, ["actions[0].args.a: 1 / (absent)"]);
    }
}
