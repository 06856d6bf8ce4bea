//! How a proposal ended.

use super::{Answer, Proposal, ProposalState};

/// What is known of a proposal that somebody waited for.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is resolved, and committed so.
    Resolved(Answer<Proposal>),
    /// It was seen, and then it was gone: resolved or withdrawn, and removed when another one was resolved.
    Purged {
        /// How it stood when it was last seen.
        last_seen: Option<Box<Answer<Proposal>>>,
    },
    /// It is still open, or resolved and not committed so, and the time is over.
    StillOpen(Answer<Proposal>),
}

impl Outcome {
    /// Whether the members' answer is yes: `Some(true)` only for a proposal that is Accepted and committed so,
    /// `Some(false)` for every other end, also one that only the ledger can tell, and `None` while it may still change.
    pub fn accepted(&self) -> Option<bool> {
        match self {
            Self::Resolved(proposal) => Some(proposal.proposal_state == ProposalState::Accepted),
            Self::Purged { .. } => Some(false),
            Self::StillOpen(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn proposal(state: &str) -> Answer<Proposal> {
        let raw = json!({"proposalId": "ab".repeat(32), "proposerId": "cd".repeat(32), "proposalState": state, "ballotCount": 1});
        let value = serde_json::from_value(raw.clone()).unwrap();
        Answer { value, raw, transaction: None, length: 0, sha256: [0; 32] }
    }

    #[test]
    fn only_an_accepted_proposal_is_a_yes() {
        assert_eq!(Outcome::Resolved(proposal("Accepted")).accepted(), Some(true));
        for state in ["Rejected", "Dropped", "Withdrawn", "Failed"] {
            assert_eq!(Outcome::Resolved(proposal(state)).accepted(), Some(false), "{state}");
        }
    }

    #[test]
    fn what_may_still_change_is_neither_yes_nor_no() {
        assert_eq!(Outcome::StillOpen(proposal("Open")).accepted(), None);
        // Accepted, but not committed so: an election may still undo it.
        assert_eq!(Outcome::StillOpen(proposal("Accepted")).accepted(), None);
    }

    #[test]
    fn a_purged_proposal_is_not_taken_for_an_accepted_one() {
        assert_eq!(Outcome::Purged { last_seen: None }.accepted(), Some(false));
    }
}
