//! What waits for a member's vote, followed over time.

use std::collections::BTreeMap;

use serde_json::Value;

use super::waits_for;
use crate::id::{MemberId, ProposalId};
use crate::service::{Proposal, ProposalState, Service, ServiceError};

/// The proposals that wait for a member's vote, and what became of those that did.
#[derive(Clone, Debug)]
pub struct Inbox {
    member: MemberId,
    open: BTreeMap<ProposalId, Listed>,
}

/// A proposal as the service lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where it stands.
    pub proposal: Proposal,
    /// The service's own object.
    pub raw: Value,
    /// Whether it waits for the member's vote.
    pub waits: bool,
}

/// Something that has changed for the member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It waits for the member's vote.
    Waits(Listed),
    /// The member has voted on it, with whatever tool, or may no longer vote.
    NoLongerWaits(Listed),
    /// It was resolved or withdrawn without the member's vote.
    Resolved(Listed),
    /// It is no longer held: it was resolved or withdrawn, and then removed when another one was resolved. As it was last seen.
    Purged(Listed),
}

impl Inbox {
    /// Of a member; empty before the first look.
    pub fn new(member: MemberId) -> Self {
        Self { member, open: BTreeMap::new() }
    }

    /// The proposals that the service holds, by id. One request for the list; one more for each open proposal that is new or on
    /// which somebody has voted, and that of the members if there are any such.
    ///
    /// # Errors
    /// No answer, or one that is not understood.
    pub async fn look(&self, service: &Service) -> Result<Vec<Listed>, ServiceError> {
        let answer = service.proposals().await?;
        let mut listed = Vec::with_capacity(answer.value.len());
        let mut members = None;
        for (at, proposal) in answer.value.iter().enumerate() {
            let known = self.open.get(&proposal.proposal_id).filter(|known| known.proposal == *proposal);
            let waits = match known {
                Some(known) => known.waits,
                None if proposal.proposal_state != ProposalState::Open => false,
                None => {
                    let members = match &members {
                        Some(members) => members,
                        None => members.insert(service.members().await?.value),
                    };
                    waits_for(service, members, proposal, self.member).await?
                }
            };
            let raw = answer.raw["value"].get(at).cloned().unwrap_or_default();
            listed.push(Listed { proposal: proposal.clone(), raw, waits });
        }
        Ok(listed)
    }

    /// Takes over what a look found; what has changed since the one before it, what was resolved first.
    pub fn update(&mut self, listed: Vec<Listed>) -> Vec<News> {
        let mut before = std::mem::take(&mut self.open);
        let (mut over, mut new) = (Vec::new(), Vec::new());
        for one in listed {
            let waited = before.remove(&one.proposal.proposal_id).is_some_and(|known| known.waits);
            match (one.proposal.proposal_state, waited, one.waits) {
                (ProposalState::Open, true, false) => over.push(News::NoLongerWaits(one.clone())),
                (ProposalState::Open, false, true) => new.push(News::Waits(one.clone())),
                (ProposalState::Open, ..) | (_, false, _) => {}
                (_, true, _) => over.push(News::Resolved(one.clone())),
            }
            if one.proposal.proposal_state == ProposalState::Open {
                self.open.insert(one.proposal.proposal_id, one);
            }
        }
        over.extend(before.into_values().filter(|known| known.waits).map(News::Purged));
        over.into_iter().chain(new).collect()
    }

    /// Whether anything waits for the member's vote now.
    pub fn is_empty(&self) -> bool {
        !self.open.values().any(|one| one.waits)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn listed(digit: &str, state: &str, waits: bool) -> Listed {
        let raw = json!({"proposalId": digit.repeat(64), "proposerId": "9".repeat(64), "proposalState": state, "ballotCount": 1});
        Listed { proposal: serde_json::from_value(raw.clone()).unwrap(), raw, waits }
    }

    #[test]
    fn each_proposal_is_told_once_and_again_when_it_is_over() {
        let mut inbox = Inbox::new(MemberId::from_bytes([1; 32]));
        let waits = |digit| listed(digit, "Open", true);
        let first =
            vec![waits("a"), waits("b"), waits("c"), listed("d", "Open", false), listed("e", "Accepted", false)];
        let told = inbox.update(first.clone());
        assert_eq!(told, ["a", "b", "c"].map(|digit| News::Waits(waits(digit))));
        assert!(inbox.update(first).is_empty() && !inbox.is_empty());
        let second = vec![listed("a", "Accepted", false), listed("b", "Open", false), waits("f")];
        let told = inbox.update(second.clone());
        let over = [
            News::Resolved(listed("a", "Accepted", false)),
            News::NoLongerWaits(listed("b", "Open", false)),
            News::Purged(waits("c")),
            News::Waits(waits("f")),
        ];
        assert_eq!(told, over);
        assert!(inbox.update(second).is_empty());
        // A vote that an election undid waits again.
        assert_eq!(inbox.update(vec![waits("b"), waits("f")]), [News::Waits(waits("b"))]);
        inbox.update(Vec::new());
        assert!(inbox.is_empty());
    }
}
