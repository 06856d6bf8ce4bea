//! The governance API's reads.

use std::fmt::Display;
use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::client::{Service, refused};
use super::commit::CommitResult;
use super::error::ServiceError;
use super::http::Bounds;
use super::model::List;
use super::retry::Pause;
use super::{Answer, JoinPolicy, Member, Node, Outcome, Proposal, ServiceInfo, StateDigest};
use crate::id::{MemberId, NodeId, ProposalId};

/// What is escaped in a module's name: `/` above all.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// How long a proposal may take to be shown at first, when less time is given.
const FIRST_LOOK: Duration = Duration::from_secs(5);

/// How long the commit of what is resolved is asked for when the time is over already.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// How often, while a proposal is waited for, it is looked whether the nodes are still the same.
const LOOK_AROUND: Duration = Duration::from_secs(10);

/// Longer than anybody waits, and no end of time that can be told.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

impl Service {
    /// `GET /gov/service/info`.
    pub async fn info(&self) -> Result<Answer<ServiceInfo>, ServiceError> {
        self.read_json("describe the service", &self.gov("/service/info"), Bounds::LIST).await
    }

    /// `GET /gov/service/constitution`: JavaScript.
    pub async fn constitution(&self) -> Result<String, ServiceError> {
        self.text("show its constitution", &self.gov("/service/constitution")).await
    }

    /// `GET /gov/service/join-policy`.
    pub async fn join_policy(&self) -> Result<Answer<JoinPolicy>, ServiceError> {
        self.read_json("show its join policy", &self.gov("/service/join-policy"), Bounds::LIST).await
    }

    /// `GET /gov/service/members`.
    pub async fn members(&self) -> Result<Answer<Vec<Member>>, ServiceError> {
        Ok(list(self.read_json("list the members", &self.gov("/service/members"), Bounds::LIST).await?))
    }

    /// `GET /gov/service/users`: certificates and data.
    pub async fn users(&self) -> Result<Answer<Value>, ServiceError> {
        self.read_json("list the users", &self.gov("/service/users"), Bounds::DOCUMENT).await
    }

    /// `GET /gov/service/jwk`: token issuers and their keys.
    pub async fn jwk(&self) -> Result<Answer<Value>, ServiceError> {
        self.read_json("show the token issuers", &self.gov("/service/jwk"), Bounds::DOCUMENT).await
    }

    /// `GET /gov/service/nodes`: with attestations, and whether a retirement is committed.
    pub async fn nodes(&self) -> Result<Answer<Vec<Node>>, ServiceError> {
        Ok(list(self.read_json("list the nodes", &self.gov("/service/nodes"), Bounds::LIST).await?))
    }

    /// `GET /gov/service/nodes/{nodeId}`; `None` if there is no such node.
    pub async fn node(&self, id: NodeId) -> Result<Option<Answer<Node>>, ServiceError> {
        let path = self.gov(&format!("/service/nodes/{id}"));
        self.find_own("show a node", &path, id, |node: &Node| node.node_id).await
    }

    /// `GET /gov/service/javascript-app?case=original`: the application's endpoints, named as in its bundle.
    pub async fn application(&self) -> Result<Answer<Value>, ServiceError> {
        self.read_json("show the application", &self.gov("/service/javascript-app?case=original"), Bounds::DOCUMENT)
            .await
    }

    /// `GET /gov/service/javascript-modules`: their names.
    pub async fn modules(&self) -> Result<Vec<String>, ServiceError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Named {
            module_name: String,
        }
        let path = self.gov("/service/javascript-modules");
        let list: Answer<List<Named>> = self.read_json("list the application's modules", &path, Bounds::LIST).await?;
        Ok(list.value.value.into_iter().map(|m| m.module_name).collect())
    }

    /// `GET /gov/service/javascript-modules/{moduleName}`: JavaScript.
    pub async fn module(&self, name: &str) -> Result<String, ServiceError> {
        let path = format!("/service/javascript-modules/{}", utf8_percent_encode(name, SEGMENT));
        self.text("show a module", &self.gov(&path)).await
    }

    /// `GET /gov/members/proposals`.
    pub async fn proposals(&self) -> Result<Answer<Vec<Proposal>>, ServiceError> {
        Ok(list(self.read_json("list the proposals", &self.gov("/members/proposals"), Bounds::LIST).await?))
    }

    /// `GET /gov/members/proposals/{proposalId}`; `None` if the service holds no such proposal: it never was, or was purged.
    pub async fn find_proposal(&self, id: ProposalId) -> Result<Option<Answer<Proposal>>, ServiceError> {
        let path = self.gov(&format!("/members/proposals/{id}"));
        self.find_own("show a proposal", &path, id, |proposal: &Proposal| proposal.proposal_id).await
    }

    /// What has this id at a path; `None` if there is nothing. An answer about another id is not taken: whoever asked would
    /// judge one thing and decide on another.
    async fn find_own<T: DeserializeOwned, Id: PartialEq + Display>(
        &self,
        doing: &'static str,
        path: &str,
        id: Id,
        own: fn(&T) -> Id,
    ) -> Result<Option<Answer<T>>, ServiceError> {
        let reply = match self.read(doing, path, Bounds::LIST).await {
            Ok(reply) => reply,
            Err(ServiceError::Refused(refusal)) if refusal.status == 404 => return Ok(None),
            Err(error) => return Err(error),
        };
        let found = Answer::<T>::read(doing, &reply)?;
        let shown = own(&found.value);
        if shown == id {
            return Ok(Some(found));
        }
        let reason = format!("asked for {id}, it shows {shown}");
        Err(ServiceError::NotUnderstood { node: reply.node, what: doing.into(), reason })
    }

    /// `GET /gov/members/proposals/{proposalId}/actions`: the proposal as its proposer wrote it.
    pub async fn actions(&self, id: ProposalId) -> Result<Option<Answer<Value>>, ServiceError> {
        let path = self.gov(&format!("/members/proposals/{id}/actions"));
        let found: Option<Answer<Value>> = self.find("show a proposal's actions", &path, Bounds::DOCUMENT).await?;
        // What is read from JSON that was read before is not quite the same: -0 becomes 0.
        Ok(found.map(|answer| Answer { value: answer.raw.clone(), ..answer }))
    }

    /// The same as the bytes that its proposer signed.
    pub async fn proposal_text(&self, id: ProposalId) -> Result<Option<Vec<u8>>, ServiceError> {
        let path = self.gov(&format!("/members/proposals/{id}/actions"));
        match self.read("show a proposal's actions", &path, Bounds::DOCUMENT).await {
            Ok(reply) => Ok(Some(reply.body)),
            Err(ServiceError::Refused(refusal)) if refusal.status == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `GET /gov/members/proposals/{proposalId}/ballots/{memberId}`: the script, or `None` if there is no such ballot.
    pub async fn ballot(&self, id: ProposalId, member: MemberId) -> Result<Option<String>, ServiceError> {
        let path = self.gov(&format!("/members/proposals/{id}/ballots/{member}"));
        match self.text("show a ballot", &path).await {
            Ok(script) => Ok(Some(script)),
            Err(ServiceError::Refused(refusal)) if refusal.status == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `GET /gov/members/state-digests/{memberId}`.
    pub async fn state_digest(&self, member: MemberId) -> Result<Option<Answer<StateDigest>>, ServiceError> {
        self.find("show a member's state digest", &self.gov(&format!("/members/state-digests/{member}")), Bounds::WORDS)
            .await
    }

    /// Waits until proposal `id` is resolved and that is committed, at most `time` (and a year).
    ///
    /// `None` if the service does not hold it and did not while this waited: it never was, or was purged before.
    pub async fn wait_proposal(&self, id: ProposalId, time: Duration) -> Result<Option<Outcome>, ServiceError> {
        let end = Instant::now() + time.min(LONGEST);
        let mut last: Option<Answer<Proposal>> = None;
        let mut pause = Pause::until_resolved();
        let mut looked = Instant::now();
        loop {
            if looked.elapsed() > LOOK_AROUND {
                self.look_around(end).await;
                looked = Instant::now();
            }
            let found = match &last {
                None => match timeout_at(end.max(Instant::now() + FIRST_LOOK), self.find_proposal(id)).await {
                    Ok(found) => found?,
                    Err(_) => {
                        let doing = "show a proposal in that time".into();
                        return Err(ServiceError::Unreachable { doing, nodes: Vec::new(), quorum: self.lost_quorum() });
                    }
                },
                Some(seen) => match timeout_at(end, self.find_proposal(id)).await {
                    Ok(found) => found?,
                    Err(_) => return Ok(Some(Outcome::StillOpen(seen.clone()))),
                },
            };
            match (found, last.take()) {
                (None, None) => return Ok(None),
                (None, seen) => return Ok(Some(Outcome::Purged { last_seen: seen.map(Box::new) })),
                (Some(now), _) => {
                    if now.proposal_state.is_final() {
                        match now.transaction {
                            Some(t) => match self.result_until(t, end.max(Instant::now() + LAST_LOOK)).await? {
                                CommitResult::Committed => return Ok(Some(Outcome::Resolved(now))),
                                CommitResult::Lost(_) => {}
                                CommitResult::Open => return Ok(Some(Outcome::StillOpen(now))),
                            },
                            None => return Ok(Some(Outcome::Resolved(now))),
                        }
                    }
                    if !pause.ends_before(end) {
                        return Ok(Some(Outcome::StillOpen(now)));
                    }
                    last = Some(now);
                }
            }
            pause.wait().await;
        }
    }

    async fn text(&self, doing: &'static str, path: &str) -> Result<String, ServiceError> {
        let reply = self.read(doing, path, Bounds::DOCUMENT).await?;
        String::from_utf8(reply.body.clone()).map_err(|e| reply.not_understood(doing, &e))
    }

    /// Like `read_json`, with `None` for 404 of this API (a refusal with a code); any other 404 is no answer.
    async fn find<T: serde::de::DeserializeOwned>(
        &self,
        doing: &'static str,
        path: &str,
        bounds: Bounds,
    ) -> Result<Option<Answer<T>>, ServiceError> {
        match self.read(doing, path, bounds).await {
            Ok(reply) if reply.status.is_success() => Ok(Some(Answer::read(doing, &reply)?)),
            Ok(reply) => Err(refused(doing, &reply)),
            Err(ServiceError::Refused(refusal)) if refusal.status == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn list<T>(answer: Answer<List<T>>) -> Answer<Vec<T>> {
    answer.map(|list| list.value)
}
