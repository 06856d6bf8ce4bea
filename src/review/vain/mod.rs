//! Signatures that could only be in vain: what the service would refuse, or holds already.
//!
//! A signature cannot be taken back, so these are found before it is made. All is decided on what was read from the
//! service; nothing here asks it.

use serde_json::Value;

use crate::id::{MemberId, ProposalId};
use crate::json;
use crate::proposal::ballot;
use crate::service::{Member, MemberStatus, Proposal, ProposalState};

/// Why a signature would be in vain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Vain {
    /// The signer is not a member.
    #[error("{0} is not a member of this service")]
    NotAMember(MemberId),
    /// The signer is a member that cannot propose or vote yet.
    #[error("member {0} is accepted, but not active yet")]
    NotActive(MemberId),
    /// A ballot on, or the withdrawal of, a proposal that is resolved.
    #[error("proposal {id} is no longer open: it is {state}")]
    NotOpen {
        /// The proposal.
        id: ProposalId,
        /// How it ended.
        state: ProposalState,
    },
    /// A second ballot that differs from the first.
    #[error("member {member} has voted on proposal {id} already, with a different ballot ({held})")]
    Voted {
        /// The proposal.
        id: ProposalId,
        /// The voter.
        member: MemberId,
        /// What the ballot that the service holds does.
        held: ballot::BallotKind,
    },
    /// The withdrawal of another member's proposal.
    #[error("proposal {id} was made by member {proposer}, and a proposal is withdrawn by its proposer only")]
    NotProposer {
        /// The proposal.
        id: ProposalId,
        /// Who made it.
        proposer: MemberId,
    },
    /// A proposal that is there already.
    #[error("proposal {id} by member {proposer} is {state}, and has exactly these actions")]
    Proposed {
        /// The proposal that is there.
        id: ProposalId,
        /// Who made it.
        proposer: MemberId,
        /// Where it stands.
        state: ProposalState,
    },
}

/// What signing would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The service does not hold it.
    New,
    /// The service holds the same already: signing it again is harmless, and of no use.
    Held,
}

impl Vain {
    /// What to do instead.
    pub fn advice(&self) -> String {
        match self {
            Self::NotAMember(_) => {
                "sign with the key and certificate of a member (`ccf-gov member list`); a certificate that replaced another one has another member id, which the members add with set_member".into()
            }
            Self::NotActive(_) => "activate this member first with `ccf-gov member activate`".into(),
            Self::NotOpen { id, .. } => format!("see how it ended with `ccf-gov proposal show {id}`"),
            Self::Voted { id, .. } => format!(
                "a ballot cannot be changed; the first one counts (`ccf-gov proposal show {id} --votes`)"
            ),
            Self::NotProposer { id, .. } => {
                format!("ask the proposer, or vote no with `ccf-gov ballot submit {id} --reject`")
            }
            Self::Proposed { id, state: ProposalState::Open, .. } => {
                format!("vote on it with `ccf-gov ballot submit {id} --exact FILE`, or give --again to propose the same once more")
            }
            Self::Proposed { id, .. } => {
                format!("see it with `ccf-gov proposal show {id}`, or give --again to propose the same once more")
            }
        }
    }
}

/// Whether `signer` is listed, and active.
///
/// # Errors
/// [`Vain::NotAMember`] and [`Vain::NotActive`].
pub fn active(members: &[Member], signer: MemberId) -> Result<(), Vain> {
    match listed(members, signer)?.status {
        MemberStatus::Active => Ok(()),
        MemberStatus::Accepted => Err(Vain::NotActive(signer)),
    }
}

/// Whether `signer` is listed, active or not: all that activating oneself and a recovery share need.
///
/// # Errors
/// [`Vain::NotAMember`].
pub fn listed(members: &[Member], signer: MemberId) -> Result<&Member, Vain> {
    members.iter().find(|m| m.member_id == signer).ok_or(Vain::NotAMember(signer))
}

/// Whether a ballot with this script by `member` would count, where `held` is the script that the service holds.
///
/// # Errors
/// [`Vain::Voted`], and [`Vain::NotOpen`] unless the service holds the same ballot.
pub fn ballot(proposal: &Proposal, member: MemberId, held: Option<&str>, script: &str) -> Result<Effect, Vain> {
    let id = proposal.proposal_id;
    match held {
        Some(held) if same_vote(held, script) => Ok(Effect::Held),
        _ if proposal.proposal_state.is_final() => Err(Vain::NotOpen { id, state: proposal.proposal_state }),
        Some(held) => Err(Vain::Voted { id, member, held: ballot::kind(held) }),
        None => Ok(Effect::New),
    }
}

/// Whether `member` can withdraw `proposal`.
///
/// # Errors
/// [`Vain::NotProposer`], and [`Vain::NotOpen`] unless it is withdrawn already.
pub fn withdrawal(proposal: &Proposal, member: MemberId) -> Result<Effect, Vain> {
    let (id, proposer, state) = (proposal.proposal_id, proposal.proposer_id, proposal.proposal_state);
    match state {
        _ if proposer != member => Err(Vain::NotProposer { id, proposer }),
        ProposalState::Open => Ok(Effect::New),
        ProposalState::Withdrawn => Ok(Effect::Held),
        state => Err(Vain::NotOpen { id, state }),
    }
}

/// Whether a proposal with the same actions as `proposed` is open or was accepted, among those that the service holds;
/// `held` is each with its content. The service keeps resolved proposals until the next one is resolved.
///
/// # Errors
/// [`Vain::Proposed`]; the open one, if there are several.
pub fn proposal(proposed: &Value, held: &[(Proposal, Value)]) -> Result<(), Vain> {
    let actions = |value: &Value| value.get("actions").cloned().unwrap_or_default();
    let wanted = actions(proposed);
    let same = |(_, content): &&(Proposal, Value)| json::same(&actions(content), &wanted);
    let same = held.iter().filter(same).map(|(proposal, _)| proposal);
    match same.filter(|p| may_repeat(p)).min_by_key(|p| p.proposal_state.is_final()) {
        None => Ok(()),
        Some(p) => Err(Vain::Proposed { id: p.proposal_id, proposer: p.proposer_id, state: p.proposal_state }),
    }
}

/// Whether proposing the actions of `proposal` once more may be a mistake: it is open, or was accepted.
pub fn may_repeat(proposal: &Proposal) -> bool {
    matches!(proposal.proposal_state, ProposalState::Open | ProposalState::Accepted)
}

/// Whether two ballots vote alike, whatever the proposal is.
fn same_vote(a: &str, b: &str) -> bool {
    let constant = |kind| matches!(kind, ballot::BallotKind::Accept | ballot::BallotKind::Reject);
    let (kind, only) = (ballot::kind(a), ballot::one_proposal(a));
    let same_proposal =
        || matches!((only, ballot::one_proposal(b)), (Some(a), Some(b)) if json::same(a.value(), b.value()));
    a == b || kind == ballot::kind(b) && constant(kind) || same_proposal() && ballot::guards(a) == ballot::guards(b)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ME: MemberId = MemberId::from_bytes([1; 32]);
    const OTHER: MemberId = MemberId::from_bytes([2; 32]);

    fn proposal_of(n: u8, proposer: MemberId, state: ProposalState) -> Proposal {
        Proposal {
            proposal_id: ProposalId::from_bytes([n; 32]),
            proposer_id: proposer,
            proposal_state: state,
            ballot_count: 0,
            final_votes: None,
            vote_failures: None,
            failure: None,
        }
    }

    fn member(id: MemberId, status: MemberStatus) -> Member {
        let json = json!({"memberId": id, "status": status, "certificate": ""});
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn only_active_members_propose_and_vote() {
        let members = [member(ME, MemberStatus::Accepted), member(OTHER, MemberStatus::Active)];
        assert_eq!(active(&members, OTHER), Ok(()));
        assert_eq!(active(&members, ME), Err(Vain::NotActive(ME)));
        assert!(listed(&members, ME).is_ok());
        assert_eq!(active(&members[1..], ME), Err(Vain::NotAMember(ME)));
        assert_eq!(listed(&[], ME), Err(Vain::NotAMember(ME)));
    }

    #[test]
    fn a_ballot_counts_once_and_while_the_proposal_is_open() {
        let (yes, no) = (ballot::accept(), ballot::reject());
        let open = proposal_of(1, OTHER, ProposalState::Open);
        let vote = |held, script: &str| ballot(&open, ME, held, script);
        assert_eq!(vote(None, yes.script()), Ok(Effect::New));
        assert_eq!(vote(Some(yes.script()), yes.script()), Ok(Effect::Held));
        let other_yes = "export function vote (p, id) { return true }";
        assert_eq!(vote(Some(other_yes), yes.script()), Ok(Effect::Held), "the same vote in other words");
        let voted = Vain::Voted { id: open.proposal_id, member: ME, held: ballot::BallotKind::Accept };
        assert_eq!(vote(Some(yes.script()), no.script()), Err(voted));
        use ProposalState::{Accepted, Dropped, Failed, Rejected, Withdrawn};
        for state in [Accepted, Rejected, Withdrawn, Dropped, Failed] {
            let resolved = proposal_of(1, OTHER, state);
            let id = resolved.proposal_id;
            assert_eq!(ballot(&resolved, ME, None, yes.script()), Err(Vain::NotOpen { id, state }));
            assert_eq!(ballot(&resolved, ME, Some(yes.script()), yes.script()), Ok(Effect::Held));
            assert_eq!(ballot(&resolved, ME, Some(yes.script()), no.script()), Err(Vain::NotOpen { id, state }));
        }
    }

    #[test]
    fn only_the_proposer_withdraws_and_only_what_is_open() {
        let of = |proposer, state| withdrawal(&proposal_of(1, proposer, state), ME);
        assert_eq!(of(ME, ProposalState::Open), Ok(Effect::New));
        assert_eq!(of(ME, ProposalState::Withdrawn), Ok(Effect::Held));
        assert!(matches!(of(ME, ProposalState::Accepted), Err(Vain::NotOpen { .. })));
        assert!(matches!(of(OTHER, ProposalState::Open), Err(Vain::NotProposer { .. })));
        assert!(matches!(of(OTHER, ProposalState::Withdrawn), Err(Vain::NotProposer { .. })));
    }

    #[test]
    fn the_same_actions_are_not_proposed_twice() {
        let content = json!({"actions": [{"name": "x", "args": {"a": 1, "b": 2}}]});
        let same = json!({"note": "again", "actions": [{"args": {"b": 2, "a": 1}, "name": "x"}]});
        let held = |n, state| (proposal_of(n, OTHER, state), content.clone());
        use ProposalState::{Accepted, Dropped, Open, Rejected, Withdrawn};
        for state in [Dropped, Rejected, Withdrawn] {
            assert_eq!(proposal(&same, &[held(1, state)]), Ok(()));
        }
        let Err(Vain::Proposed { id, .. }) = proposal(&same, &[held(1, Accepted), held(2, Open)]) else { panic!() };
        assert_eq!(id, ProposalId::from_bytes([2; 32]));
        let found = proposal(&same, &[held(1, Accepted)]).unwrap_err();
        assert!(found.advice().contains("--again"), "{}", found.advice());
        assert_eq!(proposal(&json!({"actions": [{"name": "x"}]}), &[held(1, Open)]), Ok(()));
    }
}
