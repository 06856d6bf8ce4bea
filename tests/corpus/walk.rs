//! The walk: what is asked, what is expected, and what was recorded.

use std::collections::BTreeSet;

use ccf_gov::cose::MessageType;
use ccf_gov::id::NodeId;
use ccf_gov::sandbox::Sandbox;
use serde_json::{Value, json};

use super::EXCEPTIONS;
use super::recording::{Exchange, Shape, load};
use crate::support::consortium::{Client, Reply, options, path, wait};
use crate::support::signing::{Raw, Signatory};
use crate::support::skip::skip;

pub const YES: &str = "export function vote (rawProposal, proposerId) { return true; }";

/// A status, and an error's code or nothing.
#[derive(Clone, Copy)]
pub struct Expect(pub u16, pub &'static str);

pub struct Walk {
    pub sandbox: Sandbox,
    pub client: Client,
    pub members: Vec<Signatory>,
    url: String,
    recording: Option<Vec<Exchange>>,
    problems: Vec<String>,
    walked: BTreeSet<usize>,
}

impl Walk {
    /// A service that was just opened, as the recorded one was: by a proposal of its members.
    pub async fn start() -> Self {
        let mut options = options(3);
        options.open = false;
        let sandbox = Sandbox::start(options).await.unwrap();
        let client = Client::new(&sandbox);
        let members = ["member0", "member1", "member2"].map(Signatory::new).into();
        let url = client.first().to_owned();
        let recording = load();
        if recording.is_none() {
            skip("no recorded answers of real nodes (CCF_GOV_CORPUS): statuses and codes are compared, shapes are not");
        }
        let (problems, walked) = (Vec::new(), BTreeSet::new());
        let mut walk = Self { sandbox, client, members, url, recording, problems, walked };
        walk.settle().await;
        for member in 0..3 {
            walk.activate(member).await;
        }
        let args = json!({"next_service_identity": walk.sandbox.service_certificate()});
        let open = json!([{"name": "transition_service_to_open", "args": args}]);
        walk.propose(usize::MAX, &open).await;
        walk.settle().await;
        walk
    }

    async fn activate(&mut self, member: usize) {
        let id = self.members[member].id.clone();
        let update = self.members[member].sign(MessageType::StateDigest, None, "").await;
        let reply = self.client.post(&self.url, &path(MessageType::StateDigest, &id, ""), &update).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let ack = self.members[member].sign(MessageType::Ack, None, &reply.body.to_string()).await;
        let reply = self.client.post(&self.url, &path(MessageType::Ack, &id, ""), &ack).await;
        assert_eq!(reply.status, 204, "{reply:?}");
    }

    /// The node that is asked.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on node `id` is asked.
    pub fn ask(&mut self, id: NodeId) {
        self.url = self.sandbox.nodes().into_iter().find(|n| n.id == id).unwrap().url;
    }

    /// From now on one of `nodes` is asked that is not the primary.
    pub fn ask_backup(&mut self, nodes: &[NodeId]) {
        let primary = self.sandbox.primary();
        self.ask(*nodes.iter().find(|id| Some(**id) != primary).unwrap());
    }

    /// Asks, and compares the answer with what is expected and with what was recorded at `at`.
    pub async fn expect(
        &mut self,
        at: usize,
        method: &str,
        path: &str,
        body: Option<(&[u8], &str)>,
        expected: Expect,
    ) -> Reply {
        let reply = match (method, body) {
            ("POST", Some((body, content_type))) => self.client.post_as(&self.url, path, body, content_type).await,
            ("DELETE", _) => self.client.delete(&self.url, path).await,
            ("HEAD", _) => self.client.head(&self.url, path).await,
            _ => self.client.get(&self.url, path).await,
        };
        self.compare(at, method, path, expected, &reply);
        reply
    }

    fn compare(&mut self, at: usize, method: &str, path: &str, Expect(status, code): Expect, reply: &Reply) {
        let mut problem = |what: String| self.problems.push(format!("{at} {method} {path}: {what}"));
        if reply.status != status || reply.code() != code {
            problem(format!("expected {status} {code}, and it is {} {}", reply.status, reply.body));
        }
        self.walked.insert(at);
        let Some(recorded) = self.recording.as_ref().and_then(|r| r.get(at)) else { return };
        if EXCEPTIONS.contains(&at) {
            return;
        }
        let mut problem =
            |what: String| self.problems.push(format!("{at} {} ({method} {path}): {what}", recorded.step));
        if recorded.method != method {
            problem(format!("recorded is a {}", recorded.method));
        }
        let recorded_code = recorded.body["error"]["code"].as_str().unwrap_or_default();
        if (recorded.status, recorded_code) != (reply.status, reply.code()) {
            let here = format!("{} {}", reply.status, reply.code());
            problem(format!("recorded is {} {recorded_code}, and here it is {here}", recorded.status));
        }
        let (there, here) = (Shape::of(&recorded.body), Shape::of(&reply.body));
        if there != here {
            problem(format!("another shape:\n  recorded {there:?}\n  here     {here:?}"));
        }
        if recorded.content_type.as_deref() != reply.header("content-type") {
            problem(format!(
                "recorded content type {:?}, here {:?}",
                recorded.content_type,
                reply.header("content-type")
            ));
        }
        if recorded.transaction != reply.header("x-ms-ccf-transaction-id").is_some() {
            problem(format!("a transaction id in the answer: recorded {}", recorded.transaction));
        }
    }

    pub async fn get(&mut self, at: usize, path: &str, status: u16, code: &'static str) -> Reply {
        self.expect(at, "GET", path, None, Expect(status, code)).await
    }

    /// HEAD /node/primary, which the recording asked of the primary, following the redirect of a backup.
    pub async fn expect_primary(&mut self, at: usize) {
        let asked = self.url.clone();
        if let Some(primary) = self.sandbox.primary() {
            self.ask(primary);
        }
        self.expect(at, "HEAD", "/node/primary", None, Expect(200, "")).await;
        self.url = asked;
    }

    /// Sends a request that `member` signed.
    pub async fn signed(
        &mut self,
        at: usize,
        member: usize,
        kind: MessageType,
        proposal: Option<&str>,
        payload: &str,
        expected: Expect,
    ) -> Reply {
        let id = self.members[member].id.clone();
        // The library refuses to sign what is spoilt on purpose.
        let raw = Raw::new(&id, kind.name(), proposal, payload);
        let body = self.members[member].sign_raw(raw).await;
        let path = path(kind, &id, proposal.unwrap_or_default());
        self.expect(at, "POST", &path, Some((&body, "application/cose")), expected).await
    }

    /// Proposes, and lets two members accept.
    pub async fn propose(&mut self, at: usize, actions: &Value) -> String {
        let next = |offset: usize| at.saturating_add(offset);
        let proposal = json!({"actions": actions}).to_string();
        let reply = self.signed(at, 0, MessageType::Proposal, None, &proposal, Expect(200, "")).await;
        let id = reply.body["proposalId"].as_str().unwrap_or(&"0".repeat(64)).to_owned();
        let ballot = json!({"ballot": YES}).to_string();
        for member in 0..2 {
            let reply =
                self.signed(next(1 + member), member, MessageType::Ballot, Some(&id), &ballot, Expect(200, "")).await;
            let state = if member == 0 { "Open" } else { "Accepted" };
            assert_eq!(reply.body["proposalState"], state, "{at} {reply:?} {:?}", self.problems);
        }
        id
    }

    /// Waits until everything is committed and the node that is asked knows it.
    pub async fn settle(&self) {
        wait("everything is committed", async || {
            let primary = self.sandbox.nodes().into_iter().find(|n| Some(n.id) == self.sandbox.primary());
            let Some(primary) = primary else { return false };
            let commit = self.client.get(&primary.url, "/node/commit").await.body["transaction_id"].clone();
            let newest = self.client.get(&primary.url, "/node/state").await;
            let here = self.client.get(&self.url, "/node/commit").await.body["transaction_id"].clone();
            newest.header("x-ms-ccf-transaction-id") == commit.as_str() && here == commit
        })
        .await;
    }

    /// Waits until node `id` has everything that is committed.
    pub async fn caught_up(&self, id: &str) {
        wait("the new node has caught up", async || {
            let consensus = self.client.get(&self.url, "/node/consensus").await;
            let commit = self.client.get(&self.url, "/node/commit").await.body["transaction_id"].clone();
            let commit: u64 = commit.as_str().unwrap().split('.').next_back().unwrap().parse().unwrap();
            let details = &consensus.body["details"];
            details["acks"][id]["seqno"].as_u64().is_some_and(|seqno| seqno >= commit)
                && details["configs"].as_array().is_some_and(|configs| configs.len() == 1)
        })
        .await;
        self.settle().await;
    }

    /// Says what did not agree.
    pub fn finish(self) {
        assert!(self.problems.is_empty(), "{} problems:\n{}", self.problems.len(), self.problems.join("\n"));
        if let Some(recording) = &self.recording {
            let missing: Vec<usize> = (0..recording.len()).filter(|at| !self.walked.contains(at)).collect();
            assert!(missing.is_empty(), "these recorded exchanges were not walked: {missing:?}");
        }
    }
}
