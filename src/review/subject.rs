//! A proposal that the service holds: what is read before a ballot on it or its withdrawal is signed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::service_view::ServiceView;
use super::vain::{self, Effect, Vain};
use crate::id::{MemberId, ProposalId};
use crate::json;
use crate::proposal::ballot;
use crate::service::{Answer, Member, MemberStatus, Proposal, ProposalState, Service, ServiceError};
use crate::text::visible;

/// A proposal, the votes on it, and how the service stands.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Where it stands.
    pub proposal: Answer<Proposal>,
    /// What its proposer signed.
    pub content: Answer<Value>,
    /// The members of the service.
    pub members: Vec<Member>,
    /// The scripts of the ballots by members who are listed.
    pub ballots: BTreeMap<MemberId, String>,
    /// The service, as far as the actions refer to it.
    pub view: ServiceView,
}

impl Subject {
    /// Reads all of it; `None` if the service holds no such proposal.
    ///
    /// # Errors
    /// No answer, or one that is not understood.
    pub async fn read(service: &Service, id: ProposalId) -> Result<Option<Self>, ServiceError> {
        let Some(proposal) = service.find_proposal(id).await? else { return Ok(None) };
        let Some(content) = service.actions(id).await? else { return Ok(None) };
        let members = service.members().await?.value;
        let mut ballots = BTreeMap::new();
        for member in &members {
            if ballots.len() as u64 == proposal.ballot_count {
                break;
            }
            if let Some(script) = service.ballot(id, member.member_id).await? {
                ballots.insert(member.member_id, script);
            }
        }
        let view = ServiceView::read(service, &content.raw).await?;
        Ok(Some(Self { proposal, content, members, ballots, view }))
    }

    /// What a ballot with this script by `member` would do.
    ///
    /// # Errors
    /// Why it would be in vain.
    pub fn ballot(&self, member: MemberId, script: &str) -> Result<Effect, Vain> {
        vain::active(&self.members, member)?;
        vain::ballot(&self.proposal, member, self.ballots.get(&member).map(String::as_str), script)
    }

    /// What a withdrawal by `member` would do.
    ///
    /// # Errors
    /// Why it would be in vain.
    pub fn withdrawal(&self, member: MemberId) -> Result<Effect, Vain> {
        vain::active(&self.members, member)?;
        vain::withdrawal(&self.proposal, member)
    }

    /// Where it stands, who made it, and who voted how, in lines that begin with a word; `me` is who asks.
    pub fn lines(&self, me: MemberId) -> Vec<String> {
        let who = |member: MemberId| {
            let name = self.members.iter().find(|m| m.member_id == member).and_then(Member::name);
            let words = [name.map(|name| visible(&name)), (member == me).then(|| "you".to_owned())];
            let words: Vec<_> = words.into_iter().flatten().collect();
            if words.is_empty() { member.to_string() } else { format!("{member} ({})", words.join(", ")) }
        };
        let proposer = self.proposal.proposer_id;
        let active = self.members.iter().filter(|m| m.status == MemberStatus::Active).count();
        let mut lines = vec![
            format!("state       {}", self.proposal.proposal_state),
            format!("proposer    {}", who(proposer)),
            format!("votes       {} so far, of {active} active members", self.proposal.ballot_count),
        ];
        let vote =
            |(member, script): (&MemberId, &String)| format!("            {} {}", who(*member), self.vote(script));
        lines.extend(self.ballots.iter().map(vote));
        let others = self.proposal.ballot_count.saturating_sub(self.ballots.len() as u64);
        if others > 0 {
            lines.push(format!("            {others} by members who are not listed: they have been removed since"));
        }
        lines
    }

    /// How a ballot votes on this proposal.
    fn vote(&self, script: &str) -> &'static str {
        match ballot::kind(script) {
            ballot::BallotKind::Accept => "yes",
            ballot::BallotKind::Reject => "no",
            ballot::BallotKind::Exact if self.is_for_these(script) => "yes, on exactly these actions",
            ballot::BallotKind::Guarded if self.is_for_these(script) => {
                "yes, on exactly these actions while the service is as it was seen"
            }
            ballot::BallotKind::Exact | ballot::BallotKind::Guarded => "no: yes on other actions only",
            ballot::BallotKind::Other => "by its own script",
        }
    }

    fn is_for_these(&self, script: &str) -> bool {
        ballot::one_proposal(script).is_some_and(|expected| json::same(expected.value(), &self.content.raw))
    }
}

/// Whether a proposal waits for a member's vote: it is open, the member is active, and the service holds no ballot of theirs.
///
/// # Errors
/// Whatever is no answer.
pub async fn waits_for(
    service: &Service,
    members: &[Member],
    proposal: &Proposal,
    member: MemberId,
) -> Result<bool, ServiceError> {
    let may_vote = members.iter().any(|m| m.member_id == member && m.status == MemberStatus::Active);
    if proposal.proposal_state != ProposalState::Open || !may_vote {
        return Ok(false);
    }
    Ok(service.ballot(proposal.proposal_id, member).await?.is_none())
}

/// More proposals than a consortium has open at a time.
const MAX_PROPOSALS: usize = 1000;

/// The proposals that are open or were accepted, each with its content: those of which the same again may be a mistake.
///
/// # Errors
/// No answer, or one that is not understood.
pub async fn proposed(service: &Service) -> Result<Vec<(Proposal, Value)>, ServiceError> {
    let mut proposed = Vec::new();
    for proposal in service.proposals().await?.value.into_iter().filter(vain::may_repeat).take(MAX_PROPOSALS) {
        if let Some(content) = service.actions(proposal.proposal_id).await? {
            proposed.push((proposal, content.raw));
        }
    }
    Ok(proposed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::proposal::Proposal as Content;

    fn answer<T>(value: T, raw: Value) -> Answer<T> {
        Answer { value, raw, transaction: None, length: 0, sha256: [0; 32] }
    }

    #[test]
    fn the_votes_so_far_and_whose_they_are_is_said() {
        let id = |digit: &str| digit.repeat(64);
        let content = json!({"actions": [{"name": "x"}]});
        let exact = |content: &Value| {
            let content = Content::parse(content.to_string().as_bytes()).unwrap();
            ballot::exact(&content).unwrap().script().to_owned()
        };
        let member =
            |n: &str| serde_json::from_value(json!({"memberId": id(n), "status": "Active", "certificate": ""}));
        let raw = json!({"proposalId": id("a"), "proposerId": id("1"), "proposalState": "Open", "ballotCount": 4});
        let scripts = [exact(&content), exact(&json!({"actions": [{"name": "y"}]})), ballot::accept().script().into()];
        let subject = Subject {
            proposal: answer(serde_json::from_value(raw.clone()).unwrap(), raw),
            content: answer(content.clone(), content),
            members: ["1", "2", "3"].map(|n| member(n).unwrap()).into(),
            ballots: ["1", "2", "3"].into_iter().map(|n| id(n).parse().unwrap()).zip(scripts).collect(),
            view: ServiceView::default(),
        };
        let lines = subject.lines(id("3").parse().unwrap());
        assert_eq!(lines[0], "state       Open");
        assert_eq!(lines[2], "votes       4 so far, of 3 active members");
        assert!(lines[3].ends_with("1 yes, on exactly these actions"), "{lines:?}");
        assert!(lines[4].ends_with("2 no: yes on other actions only"), "{lines:?}");
        assert!(lines[5].ends_with("3 (you) yes"), "{lines:?}");
        assert!(lines[6].contains("1 by members who are not listed"), "{lines:?}");
    }
}
