//! Who has voted on a proposal, and who has not.

use std::collections::{BTreeMap, BTreeSet};

use super::{Member, MemberStatus, Proposal, Service, ServiceError};
use crate::id::MemberId;
use crate::text::visible;

/// Every active member's part in a proposal, and that of whoever voted and is not active any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Votes {
    /// By name, and then by id.
    pub each: Vec<Vote>,
    /// How many ballots the service counts that are by members who are not listed: they have been removed since.
    pub by_nobody_listed: u64,
}

/// One member's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The member.
    pub member: MemberId,
    /// The name in the member's certificate, fit to be shown.
    pub name: Option<String>,
    /// The ballot's script, if the service still shows it.
    pub ballot: Option<String>,
    /// What the service counted, once the proposal is resolved.
    pub counted: Option<bool>,
    /// The ballot threw, and counted as none.
    pub failed: bool,
    /// Whether the member can vote.
    pub active: bool,
}

impl Vote {
    /// Whether there is a ballot.
    pub fn voted(&self) -> bool {
        self.ballot.is_some() || self.counted.is_some() || self.failed
    }

    /// The member's name, or the first digits of the id.
    pub fn who(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.member.short())
    }
}

impl Votes {
    /// How many members have voted.
    pub fn voted(&self) -> usize {
        self.each.iter().filter(|v| v.voted()).count()
    }

    /// The active members that have not.
    pub fn missing(&self) -> impl Iterator<Item = &Vote> {
        self.each.iter().filter(|v| v.active && !v.voted())
    }

    /// "1 of 3 members has voted; missing: bob, carol".
    pub fn describe(&self) -> String {
        let (voted, all) = (self.voted(), self.each.len());
        let verb = if voted == 1 { "has" } else { "have" };
        let missing: Vec<String> = self.missing().map(Vote::who).collect();
        let missing = match missing.is_empty() {
            true => ", and no other member can vote: its proposer can withdraw it".to_owned(),
            false => format!("; missing: {}", missing.join(", ")),
        };
        format!("{voted} of {all} members {verb} voted{missing}")
    }
}

impl Service {
    /// Who has voted on `proposal`: one read for the members, and one for each member's ballot.
    pub async fn votes(&self, proposal: &Proposal) -> Result<Votes, ServiceError> {
        let listed: BTreeMap<MemberId, Member> =
            self.members().await?.value.into_iter().map(|m| (m.member_id, m)).collect();
        let mut members: BTreeSet<MemberId> = listed.keys().copied().collect();
        // The service lists no removed members; those whose ballots it judged stand in its result.
        members.extend(proposal.final_votes.iter().flatten().map(|(member, _)| *member));
        members.extend(proposal.vote_failures.iter().flatten().map(|(member, _)| *member));
        let mut each = Vec::new();
        for member in members {
            let known = listed.get(&member);
            let vote = Vote {
                member,
                name: known.and_then(Member::name).map(|name| visible(&name)),
                ballot: self.ballot(proposal.proposal_id, member).await?,
                counted: proposal.final_votes.as_ref().and_then(|v| v.get(&member).copied()),
                failed: proposal.vote_failures.as_ref().is_some_and(|v| v.contains_key(&member)),
                active: known.is_some_and(|m| m.status == MemberStatus::Active),
            };
            if vote.active || vote.voted() {
                each.push(vote);
            }
        }
        each.sort_by_key(|vote| (vote.name.is_none(), vote.name.clone(), vote.member));
        let known = each.iter().filter(|v| v.voted()).count() as u64;
        Ok(Votes { each, by_nobody_listed: proposal.ballot_count.saturating_sub(known) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_missing_is_named() {
        let vote = |n: u8, name: Option<&str>, ballot: Option<&str>, active| Vote {
            member: MemberId::from_bytes([n; 32]),
            name: name.map(str::to_owned),
            ballot: ballot.map(str::to_owned),
            counted: None,
            failed: false,
            active,
        };
        let each = vec![
            vote(1, Some("alice"), Some("x"), true),
            vote(2, Some("bob"), None, true),
            vote(3, None, None, true),
            vote(4, None, Some("x"), false),
        ];
        let votes = Votes { each, by_nobody_listed: 0 };
        assert_eq!(votes.describe(), "2 of 4 members have voted; missing: bob, 03030303");
    }
}
