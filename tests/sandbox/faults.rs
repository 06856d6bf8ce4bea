//! What a network does when things go wrong, as reference networks were seen to do it.

use std::sync::Arc;
use std::time::Duration;

use ccf_gov::cose::MessageType;
use ccf_gov::id::NodeId;
use ccf_gov::sandbox::{NodeCode, Sandbox};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::support::consortium::{Client, Reply, options, path, wait};
use crate::support::signing::Signatory;

const LONG: Duration = Duration::from_secs(3600);

async fn propose(client: &Client, url: &str, member: &Signatory, note: &str) -> Reply {
    let args = json!({"member_id": member.id, "member_data": {"note": note}});
    let proposal = json!({"actions": [{"name": "set_member_data", "args": args}]}).to_string();
    let body = member.sign(MessageType::Proposal, None, &proposal).await;
    client.post(url, &path(MessageType::Proposal, "", ""), &body).await
}

async fn accept(client: &Client, url: &str, members: &[Signatory], actions: Value) {
    let proposal = json!({"actions": actions}).to_string();
    let body = members[0].sign(MessageType::Proposal, None, &proposal).await;
    let reply = client.post(url, &path(MessageType::Proposal, "", ""), &body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let id = reply.body["proposalId"].as_str().unwrap().to_owned();
    let ballot = json!({"ballot": "export function vote () { return true; }"}).to_string();
    for member in &members[..2] {
        let body = member.sign(MessageType::Ballot, Some(&id), &ballot).await;
        let reply = client.post(url, &path(MessageType::Ballot, &member.id, &id), &body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
}

fn url(sandbox: &Sandbox, id: NodeId) -> String {
    sandbox.nodes().into_iter().find(|n| n.id == id).unwrap().url
}

fn backups(sandbox: &Sandbox) -> Vec<NodeId> {
    sandbox.nodes().into_iter().map(|n| n.id).filter(|id| Some(*id) != sandbox.primary()).collect()
}

fn members() -> Vec<Signatory> {
    ["member0", "member1", "member2"].map(Signatory::new).into()
}

async fn status(client: &Client, url: &str, transaction: &str) -> Value {
    let path = format!("/gov/service/transactions/{transaction}?api-version=2024-07-01");
    client.get(url, &path).await.body["status"].clone()
}

#[tokio::test]
async fn a_write_forwarded_to_a_dead_primary_times_out_in_plain_text() {
    let mut options = options(3);
    (options.election_timeout, options.forwarding_timeout) = (LONG, Duration::from_millis(50));
    let sandbox = Sandbox::start(options).await.unwrap();
    let client = Client::new(&sandbox);
    let (backup, primary) = (backups(&sandbox)[0], sandbox.primary().unwrap());
    sandbox.stop(primary).unwrap();
    let reply = propose(&client, &url(&sandbox, backup), &members()[0], "lost").await;
    assert_eq!((reply.status, reply.header("content-type")), (504, Some("text/plain")));
    assert!(reply.body.as_str().unwrap().contains(&primary.to_string()));
}

#[tokio::test]
async fn what_was_answered_without_a_majority_is_lost_when_the_primary_steps_down() {
    let mut options = options(3);
    options.election_timeout = Duration::from_secs(2);
    let sandbox = Sandbox::start(options).await.unwrap();
    let client = Client::new(&sandbox);
    let primary = url(&sandbox, sandbox.primary().unwrap());
    for id in backups(&sandbox) {
        sandbox.stop(id).unwrap();
    }
    let reply = propose(&client, &primary, &members()[0], "lost").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let transaction = reply.header("x-ms-ccf-transaction-id").unwrap().to_owned();
    assert_eq!(status(&client, &primary, &transaction).await, "Pending");
    wait("the primary steps down", async || sandbox.primary().is_none()).await;
    assert_eq!(status(&client, &primary, &transaction).await, "Unknown");
    let reply = propose(&client, &primary, &members()[0], "refused").await;
    assert_eq!((reply.status, reply.code()), (503, "InternalError"));
}

#[tokio::test]
async fn as_many_new_nodes_as_old_ones_trusted_at_once_stall_commits() {
    let mut options = options(3);
    (options.election_timeout, options.catch_up) = (LONG, LONG);
    let sandbox = Sandbox::start(options).await.unwrap();
    let (client, members) = (Client::new(&sandbox), members());
    let primary = url(&sandbox, sandbox.primary().unwrap());
    let mut trust = Vec::new();
    for _ in 0..3 {
        let id = sandbox.join(NodeCode::named("old")).await.unwrap();
        let args = json!({"node_id": id, "valid_from": "2026-11-22T00:00:00Z"});
        trust.push(json!({"name": "transition_node_to_trusted", "args": args}));
    }
    accept(&client, &primary, &members, trust.into()).await;
    let reply = propose(&client, &primary, &members[0], "stalled").await;
    let transaction = reply.header("x-ms-ccf-transaction-id").unwrap().to_owned();
    wait("the primary has signed it", async || {
        let state = client.get(&primary, "/node/state").await;
        state.body["last_signed_seqno"].as_u64() > transaction[2..].parse().ok()
    })
    .await;
    assert_eq!(status(&client, &primary, &transaction).await, "Pending");
    let consensus = client.get(&primary, "/node/consensus").await;
    assert_eq!(consensus.body["details"]["configs"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_connection_does_not_outlive_an_election() {
    let sandbox = Sandbox::start(options(3)).await.unwrap();
    let client = Client::keeping_connections(&sandbox);
    let old = sandbox.primary().unwrap();
    let other = url(&sandbox, backups(&sandbox)[0]);
    assert_eq!(client.get(&other, "/node/network").await.body["current_view"], 2);
    sandbox.stop(old).unwrap();
    wait("another node leads", async || sandbox.primary().is_some_and(|id| id != old)).await;
    let reply = client.get(&other, "/node/network").await;
    assert_eq!((reply.status, reply.code()), (500, "SessionConsistencyLost"));
    assert_eq!(client.get(&other, "/node/network").await.body["current_view"], 3);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let mut options = options(1);
    options.idle_timeout = Duration::from_millis(50);
    let sandbox = Sandbox::start(options).await.unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(sandbox.service_certificate().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let address = sandbox.nodes()[0].url.strip_prefix("https://").unwrap().to_owned();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let mut bytes = Vec::new();
    // Closed with or without TLS's own goodbye: nothing came either way.
    let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await.unwrap();
    assert!(bytes.is_empty());
}

#[tokio::test]
async fn a_deleted_node_still_answers_what_it_knew_last() {
    let sandbox = Sandbox::start(options(3)).await.unwrap();
    let (client, members) = (Client::new(&sandbox), members());
    let primary = url(&sandbox, sandbox.primary().unwrap());
    let retired = backups(&sandbox)[0];
    accept(&client, &primary, &members, json!([{"name": "remove_node", "args": {"node_id": retired}}])).await;
    wait("the node can be removed", async || {
        let removable = client.get(&primary, "/node/network/removable_nodes").await;
        removable.body["nodes"][0]["node_id"] == retired.to_string()
    })
    .await;
    let deleted = client.delete(&primary, &format!("/node/network/nodes/{retired}")).await;
    assert_eq!((deleted.status, &deleted.body), (200, &Value::Bool(true)));
    assert_eq!(client.gov(&format!("/service/nodes/{retired}")).await.status, 404);
    let own = client.get(&url(&sandbox, retired), "/node/state").await;
    assert_eq!((own.status, &own.body["state"]), (200, &json!("PartOfNetwork")));
    let path = format!("/gov/service/nodes/{retired}?api-version=2024-07-01");
    assert_eq!(client.get(&url(&sandbox, retired), &path).await.body["status"], "Retired");
}
