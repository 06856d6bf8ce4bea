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
    use super::*;

    #[test]
    fn a_purged_proposal_is_not_taken_for_an_accepted_one() {
        assert_eq!(Outcome::Purged { last_seen: None }.accepted(), Some(false));
    }
}
