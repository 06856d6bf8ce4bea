//! The sandbox, from outside: real TLS, real requests, scripted nodes.

mod control;
mod faults;
mod pipeline;
mod snp;

use std::time::Duration;

use ccf_gov::sandbox::{NodeCode, Sandbox, SandboxError};
use serde_json::Value;

use crate::support::consortium::{Client, options, wait};

#[tokio::test]
async fn a_new_service_answers_on_every_node() {
    let sandbox = Sandbox::start(options(3)).await.unwrap();
    let client = Client::new(&sandbox);
    for node in sandbox.nodes() {
        let reply = client.get(&node.url, "/node/network").await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.body["primary_id"], sandbox.primary().unwrap().to_string());
        assert_eq!(reply.body["service_certificate"], sandbox.service_certificate());
        let own = client.get(&node.url, "/node/state").await;
        assert_eq!(own.body["node_id"], node.id.to_string());
    }
    let info = client.gov("/service/info").await;
    assert_eq!(info.body["status"], "Open");
    assert_eq!(client.gov("/service/members").await.body["value"].as_array().unwrap().len(), 3);
    wait("the first transactions are committed", async || {
        let commit = client.gov("/service/transactions/commit").await;
        commit.body["transactionId"] == "2.4"
    })
    .await;
}

#[tokio::test]
async fn code_that_is_not_registered_is_refused_and_registered_code_joins_as_pending() {
    let sandbox = Sandbox::start(options(1)).await.unwrap();
    let client = Client::new(&sandbox);
    let refused = sandbox.join(NodeCode::named("new")).await.unwrap_err();
    assert!(matches!(refused, SandboxError::Refused(r) if r.code == "InvalidQuote"));
    let id = sandbox.join(NodeCode::named("old")).await.unwrap();
    let node = client.gov(&format!("/service/nodes/{id}")).await.body;
    assert_eq!(node["status"], "Pending");
    assert_eq!(node.get("certificate"), None);
    let url = sandbox.nodes().into_iter().find(|n| n.id == id).unwrap().url;
    assert!(client.try_get(&url, "/node/version").await.is_err(), "a node that is not trusted speaks no TLS");
}

#[tokio::test]
async fn when_the_primary_dies_another_is_elected_in_a_later_view() {
    let sandbox = Sandbox::start(options(3)).await.unwrap();
    let client = Client::new(&sandbox);
    let old = sandbox.primary().unwrap();
    let other = sandbox.nodes().into_iter().find(|n| n.id != old).unwrap().url;
    wait("the first transactions are committed", async || {
        client.get(&other, "/node/commit").await.body["transaction_id"] == "2.4"
    })
    .await;
    sandbox.stop(old).unwrap();
    wait("another node leads", async || sandbox.primary().is_some_and(|id| id != old)).await;
    let network = client.get(&other, "/node/network").await;
    assert_eq!(network.body["current_view"], 3);
    assert_ne!(network.body["primary_id"], old.to_string());
    let gone = sandbox.nodes().into_iter().find(|n| n.id == old).unwrap().url;
    assert!(client.try_get(&gone, "/node/version").await.is_err());
}

#[tokio::test]
async fn without_a_majority_there_is_no_primary_and_reads_go_on() {
    let mut options = options(3);
    options.election_timeout = Duration::from_millis(100);
    let sandbox = Sandbox::start(options).await.unwrap();
    let client = Client::new(&sandbox);
    let primary = sandbox.primary().unwrap();
    let url = sandbox.nodes().into_iter().find(|n| n.id == primary).unwrap().url;
    for node in sandbox.nodes().into_iter().filter(|n| n.id != primary) {
        sandbox.pause(node.id).unwrap();
    }
    wait("the primary steps down", async || sandbox.primary().is_none()).await;
    let network = client.get(&url, "/node/network").await;
    assert_eq!((network.status, &network.body["primary_id"]), (200, &Value::Null));
    let write = client.post(&url, "/gov/members/proposals:create?api-version=2024-07-01", b"").await;
    assert_eq!((write.status, write.code()), (503, "InternalError"));
    assert_eq!(client.get(&url, "/node/ready/gov").await.status, 204);
    for node in sandbox.nodes().into_iter().filter(|n| n.id != primary) {
        sandbox.resume(node.id).unwrap();
    }
    wait("a primary is elected", async || sandbox.primary().is_some()).await;
}

#[tokio::test]
async fn a_backup_redirects_if_it_is_told_to() {
    let sandbox = Sandbox::start(options(2)).await.unwrap();
    let client = Client::new(&sandbox);
    let primary = sandbox.primary().unwrap();
    let backup = sandbox.nodes().into_iter().find(|n| n.id != primary).unwrap();
    sandbox.set_redirects(backup.id, true).unwrap();
    let path = "/gov/members/proposals:create?api-version=2024-07-01";
    let reply = client.post(&backup.url, path, b"").await;
    let leader = sandbox.nodes().into_iter().find(|n| n.id == primary).unwrap().url;
    assert_eq!((reply.status, reply.header("location")), (307, Some(format!("{leader}{path}").as_str())));
    let head = client.head(&backup.url, "/node/primary").await;
    assert_eq!((head.status, head.header("location")), (308, Some(format!("{leader}/node/primary").as_str())));
}

#[tokio::test]
async fn an_oversized_body_and_an_unknown_path_are_refused() {
    let sandbox = Sandbox::start(options(1)).await.unwrap();
    let client = Client::new(&sandbox);
    let url = sandbox.nodes()[0].url.clone();
    let big = client.post(&url, "/gov/members/proposals:create?api-version=2024-07-01", &vec![0; 2 << 20]).await;
    assert_eq!((big.status, big.code()), (413, "RequestBodyTooLarge"));
    let unknown = client.get(&url, "/gov/nothing").await;
    assert_eq!((unknown.status, unknown.code()), (404, "ResourceNotFound"));
    let put = client.post(&url, "/gov/service/info?api-version=2024-07-01", b"").await;
    assert_eq!((put.status, put.code(), put.header("allow")), (405, "UnsupportedHttpVerb", Some("OPTIONS, GET")));
}

#[tokio::test]
async fn a_service_goes_on_after_a_restart_with_the_same_identity() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(2);
    options.state = Some(folder.path().join("state"));
    let sandbox = Sandbox::start(options.clone()).await.unwrap();
    let (certificate, nodes) = (sandbox.service_certificate(), sandbox.nodes());
    wait("the first transactions are committed", async || {
        Client::new(&sandbox).gov("/service/transactions/commit").await.body["transactionId"] == "2.3"
    })
    .await;
    drop(sandbox);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let sandbox = Sandbox::start(options).await.unwrap();
    assert_eq!((sandbox.service_certificate(), sandbox.nodes()), (certificate, nodes));
    wait("a primary is elected", async || sandbox.primary().is_some()).await;
    let network = Client::new(&sandbox).get(&sandbox.nodes()[0].url, "/node/network").await;
    assert_eq!(network.body["current_view"], 3);
}
