//! What an operator does to the machines of a sandbox, over HTTP.

use ccf_gov::digest::{HostData, sha256};
use ccf_gov::sandbox::Sandbox;
use serde_json::{Value, json};

use crate::support::consortium::{Client, options, wait};

#[tokio::test]
async fn nodes_are_started_paused_resumed_and_stopped_by_request() {
    let sandbox = Sandbox::start(options(3)).await.unwrap();
    let client = Client::new(&sandbox);
    let url = client.first().to_owned();
    let list = client.get(&url, "/sandbox/nodes").await;
    assert_eq!(list.body["value"].as_array().unwrap().len(), 3);

    let start = async |name: &str| {
        let code = json!({"platform": "virtual", "host_data": HostData(sha256(name.as_bytes()))});
        client.post_as(&url, "/sandbox/nodes", code.to_string().as_bytes(), "application/json").await
    };
    let refused = start("new").await;
    assert_eq!((refused.status, refused.code()), (401, "InvalidQuote"));
    let started = start("old").await;
    assert_eq!(started.status, 200, "{started:?}");
    let id = started.body["nodeId"].as_str().unwrap().to_owned();
    assert_eq!(client.gov(&format!("/service/nodes/{id}")).await.body["status"], "Pending");
    let garbage = client.post_as(&url, "/sandbox/nodes", b"{\"platform\": \"tdx\"}", "application/json").await;
    assert_eq!((garbage.status, garbage.code()), (400, "InvalidInput"));

    let backup = sandbox.nodes().into_iter().find(|n| Some(n.id) != sandbox.primary()).unwrap();
    let act = async |action: &str| {
        let path = format!("/sandbox/nodes/{}:{action}", backup.id);
        client.post_as(&url, &path, b"", "application/json").await.body
    };
    let acknowledged = async || {
        let consensus = client.get(&url, "/node/consensus").await;
        consensus.body["details"]["acks"][backup.id.to_string()]["seqno"].clone()
    };
    assert_eq!(act("pause").await, Value::Bool(true));
    let before = acknowledged().await;
    assert_eq!(start("old").await.status, 200);
    assert_eq!(acknowledged().await, before, "a paused node does not keep up");
    assert_eq!(act("resume").await, Value::Bool(true));
    wait("the node keeps up again", async || acknowledged().await != before).await;
    assert_eq!(act("stop").await, Value::Bool(true));
    assert!(client.try_get(&backup.url, "/node/version").await.is_err());
    assert_eq!(act("resume").await["error"]["code"], "ResourceNotFound");
}
