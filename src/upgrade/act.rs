//! What is signed and sent for what one person does.

use super::{Act, Observed, Plan, UpgradeError};
use crate::cose::MessageType;
use crate::id::ProposalId;
use crate::proposal::Proposal;
use crate::proposal::ballot::{self, Watched};
use crate::service::{Refusal, ServiceError};

/// What a member signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The kind of message.
    pub kind: MessageType,
    /// The proposal that it is about; none for a new one.
    pub proposal: Option<ProposalId>,
    /// Its content; empty for a withdrawal.
    pub payload: Vec<u8>,
}

impl Act {
    /// What a member signs for it; `None` for what an operator does unsigned.
    ///
    /// # Errors
    /// The proposal cannot be written at this moment, or a ballot cannot hold it exactly.
    pub fn request(&self, plan: &Plan, seen: &Observed) -> Result<Option<Request>, UpgradeError> {
        let request = |kind, proposal, payload| Ok(Some(Request { kind, proposal, payload }));
        match self {
            Self::Propose(intended) => {
                request(MessageType::Proposal, None, intended.proposal(plan, seen.at)?.bytes().to_vec())
            }
            Self::Vote(id, _) => {
                let known = seen.proposals.get(id).and_then(|known| known.proposal.as_ref());
                let proposal = known.ok_or_else(|| UpgradeError::Claim(format!("proposal {id} cannot be read")))?;
                request(MessageType::Ballot, Some(*id), yes(seen, proposal)?)
            }
            Self::Withdraw(id) => request(MessageType::Withdrawal, Some(*id), Vec::new()),
            Self::Delete(_) => Ok(None),
        }
    }

    /// The phase to which it belongs; `None` for a withdrawal.
    pub fn phase(&self) -> Option<super::Phase> {
        match self {
            Self::Propose(intended) | Self::Vote(_, intended) => Some(intended.phase()),
            Self::Withdraw(_) => None,
            Self::Delete(_) => Some(super::Phase::Delete),
        }
    }

    /// What it does, for a person.
    pub fn title(&self, plan: &Plan) -> String {
        match self {
            Self::Propose(intended) => format!("propose to {}", intended.title(plan)),
            Self::Vote(id, intended) => format!("vote for proposal {}: {}", id.short(), intended.title(plan)),
            Self::Withdraw(id) => format!("withdraw proposal {}, which is not needed", id.short()),
            Self::Delete(id) => format!("delete node {}", id.short()),
        }
    }
}

impl Act {
    /// What was done by it, for a person, and what follows from that.
    pub fn outcome(&self, plan: &Plan) -> String {
        match self {
            Self::Delete(_) => format!("{}; its process can be stopped now", self.title(plan)),
            _ => self.title(plan),
        }
    }
}

/// A yes to exactly this proposal, on the service as it was seen: same certificate and constitution, and whatever else the
/// decision rested on, such as the join policy, the trusted nodes, and the node that is trusted or removed.
fn yes(seen: &Observed, proposal: &Proposal) -> Result<Vec<u8>, UpgradeError> {
    let basis = seen.basis.as_ref().ok_or_else(|| UpgradeError::Claim("the service was not seen as a whole".into()))?;
    let guards = basis.guards(Watched::by(proposal))?;
    Ok(ballot::guarded(proposal, &guards)?.payload())
}

/// Whether a request failed because somebody was faster: then the service is looked at again.
pub fn was_outrun(error: &ServiceError) -> bool {
    let code = |refusal: &Refusal| {
        matches!(
            refusal.code.as_str(),
            "ProposalNotOpen"
                | "ProposalNotFound"
                | "VoteAlreadyExists"
                | "NodeNotRetiredCommitted"
                | "ResourceNotFound"
        )
    };
    match error {
        ServiceError::Refused(refusal) => code(refusal),
        ServiceError::Purged(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::forecast::testing::{id, virtual_code};
    use super::*;

    #[test]
    fn whoever_deletes_a_node_is_told_that_its_process_can_be_stopped() {
        let plan = Plan::of(virtual_code(2), 3);
        let (node, proposal) = (id(1), ProposalId::from_bytes([1; 32]));
        assert_eq!(Act::Delete(node).outcome(&plan), "delete node 01010101; its process can be stopped now");
        assert_eq!(Act::Withdraw(proposal).outcome(&plan), Act::Withdraw(proposal).title(&plan));
    }
}
