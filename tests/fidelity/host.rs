//! A service on which it is compared: a sandbox, or real nodes.

use std::path::Path;

use ccf_gov::cose::MessageType;
use ccf_gov::id::MemberId;
use ccf_gov::review::simulate::Outcome;
use ccf_gov::review::state::{Reading, State};
use ccf_gov::sandbox::Sandbox;
use ccf_gov::service::{Options, Service};
use serde_json::{Value, json};

use super::rules::Rules;
use crate::real_ccf::{Code, Network};
use crate::support::consortium::{Client, members, options, path};
use crate::support::signing::{Raw, Signatory};

pub const YES: &str = "export function vote() { return true; }";

/// A service of the three example members, under some rules.
pub struct Host {
    client: Client,
    service: Service,
    pub members: Vec<Signatory>,
    /// The service ends with it.
    _running: Running,
}

enum Running {
    Sandbox(#[allow(dead_code)] Sandbox),
    Nodes(#[allow(dead_code)] Network, #[allow(dead_code)] tempfile::TempDir),
}

/// How a proposal ended, and after how many votes.
#[derive(Debug, PartialEq)]
pub struct Ended {
    pub outcome: Outcome,
    pub votes: usize,
}

impl Host {
    pub async fn sandbox(rules: &Rules) -> Self {
        let mut options = options(1);
        options.constitution = rules.source();
        options.members = members();
        if rules.has_operator {
            options.members[0].data = operator();
            options.members[0].encryption_key = None;
        }
        let sandbox = Sandbox::start(options).await.unwrap();
        let client = Client::keeping_connections(&sandbox);
        let certificate = sandbox.service_certificate();
        Self::of(client, &certificate, Running::Sandbox(sandbox)).await
    }

    /// A real node, on which the members have activated themselves.
    pub async fn node(executable: &Path, rules: &Rules) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let operator = rules.has_operator.then(operator);
        let network = Network::start_under(folder.path(), &Code::new(executable), rules.files.clone(), operator);
        network.activate();
        let certificate = std::fs::read_to_string(network.certificate()).unwrap();
        let client = Client::of(&network.url(), &certificate);
        Self::of(client, &certificate, Running::Nodes(network, folder)).await
    }

    async fn of(client: Client, certificate: &str, running: Running) -> Self {
        let address = client.first().parse().unwrap();
        let service = Service::connect(Options::new(vec![address], certificate.as_bytes().to_vec())).await.unwrap();
        let members = ["member0", "member1", "member2"].map(Signatory::new).into();
        Self { client, service, members, _running: running }
    }

    pub async fn state(&self) -> State {
        State::read(&self.service, &Reading::new(&|_, _| ())).await.unwrap()
    }

    pub fn id(&self, member: usize) -> MemberId {
        self.members[member].id.parse().unwrap()
    }

    /// Sends what nobody checked; the status and the answer.
    pub async fn send(&self, kind: MessageType, member: usize, proposal: Option<&str>, payload: &str) -> (u16, Value) {
        let signatory = &self.members[member];
        let name = if kind == MessageType::Ballot { "ballot" } else { "proposal" };
        let envelope = signatory.sign_raw(Raw::new(&signatory.id, name, proposal, payload)).await;
        let path = path(kind, &signatory.id, proposal.unwrap_or_default());
        let reply = self.client.post(self.client.first(), &path, &envelope).await;
        (reply.status, reply.body)
    }

    pub async fn vote(&self, member: usize, proposal: &str, script: &str) -> (u16, Value) {
        self.send(MessageType::Ballot, member, Some(proposal), &json!({ "ballot": script }).to_string()).await
    }

    /// What the service does with a proposal when every member votes yes in turn.
    pub async fn put(&self, text: &str) -> Ended {
        let (status, body) = self.send(MessageType::Proposal, 0, None, text).await;
        if status != 200 {
            return Ended { outcome: Outcome::NotValid, votes: 0 };
        }
        let id = body["proposalId"].as_str().unwrap().to_owned();
        let mut state = body["proposalState"].as_str().unwrap().to_owned();
        let mut votes = 0;
        while state == "Open" && votes < 3 {
            let (status, body) = self.vote(votes, &id, YES).await;
            votes += 1;
            if status != 200 {
                return Ended { outcome: Outcome::Failed, votes };
            }
            state = body["proposalState"].as_str().unwrap().into();
        }
        let outcome = match state.as_str() {
            "Accepted" => Outcome::Accepted,
            "Failed" => Outcome::Failed,
            "Rejected" => Outcome::Rejected,
            _ => Outcome::Open,
        };
        Ended { outcome, votes }
    }
}

/// What every public constitution takes for an operator's data.
fn operator() -> Value {
    json!({"is_operator": true, "isOperator": true, "cgsRoles": {"cgsOperator": "true", "contractOperator": "true"}})
}
