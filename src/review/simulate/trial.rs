//! A proposal that is tried: what is proposed, by whom, and with which votes.

use std::collections::BTreeMap;

use crate::constitution::decide::ProposalInfo;
use crate::digest::sha256;
use crate::id::{MemberId, ProposalId};

/// A proposal that is tried.
#[derive(Clone, Debug)]
pub struct Trial {
    id: ProposalId,
    text: String,
    proposer: MemberId,
    held: bool,
    ballots: BTreeMap<MemberId, String>,
    votes: BTreeMap<MemberId, bool>,
}

impl Trial {
    /// One that is not submitted. Its id is made up: a service makes it when it is.
    pub fn new(text: &str, proposer: MemberId) -> Self {
        let id = ProposalId::from_bytes(sha256(text.as_bytes()));
        Self { id, text: text.into(), proposer, held: false, ballots: BTreeMap::new(), votes: BTreeMap::new() }
    }

    /// One that a service holds, without the ballots that it has.
    pub fn submitted(id: ProposalId, text: &str, proposer: MemberId) -> Self {
        Self { id, held: true, ..Self::new(text, proposer) }
    }

    /// One that a service holds, with the ballots that it has.
    pub(super) fn held(id: ProposalId, text: &str, info: ProposalInfo) -> Self {
        let ballots = info.ballots.into_iter().filter_map(|(member, script)| Some((member.parse().ok()?, script)));
        Self { ballots: ballots.collect(), ..Self::submitted(id, text, info.proposer) }
    }

    /// With this ballot by `member`, JavaScript; it takes the place of one that the service has.
    pub fn with_ballot(mut self, member: MemberId, script: &str) -> Self {
        self.ballots.insert(member, script.into());
        self
    }

    /// With this vote by `member`, whatever ballot would give it.
    pub fn with_vote(mut self, member: MemberId, vote: bool) -> Self {
        self.ballots.remove(&member);
        self.votes.insert(member, vote);
        self
    }

    /// Its id.
    pub fn id(&self) -> ProposalId {
        self.id
    }

    /// What is proposed; any text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Who proposes.
    pub fn proposer(&self) -> MemberId {
        self.proposer
    }

    /// Whether the service holds it already.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// The ballots, JavaScript.
    pub fn ballots(&self) -> &BTreeMap<MemberId, String> {
        &self.ballots
    }

    /// The votes that are simply given.
    pub fn votes(&self) -> &BTreeMap<MemberId, bool> {
        &self.votes
    }

    /// Its row, with the ballots.
    pub(super) fn info(&self) -> ProposalInfo {
        let ballots = self.ballots.iter().map(|(member, script)| (member.to_string(), script.clone())).collect();
        ProposalInfo { ballots, ..ProposalInfo::new(self.proposer) }
    }
}
