//! SNP nodes: what they show, who is let in, and that they stay who they are.

use ccf_gov::digest::HostData;
use ccf_gov::evidence::node::{Attestation, Expected, Trust};
use ccf_gov::sandbox::{NodeCode, Sandbox, SandboxError, SnpCode};
use serde_json::json;
use time::OffsetDateTime;

use crate::support::consortium::{Client, options, wait};

fn snp(nodes: usize) -> ccf_gov::sandbox::Options {
    let mut options = options(nodes);
    options.nodes = vec![NodeCode::Snp(SnpCode::named("old")); nodes];
    options
}

/// The verdict on a file that the service or an operator gave.
fn verdict(file: &serde_json::Value, trust: &Trust) -> &'static str {
    let mut attestation = Attestation::of(None);
    attestation.add(file.to_string().as_bytes()).unwrap();
    attestation.verify(&Expected::default(), trust).unwrap().checks.verdict().as_str()
}

#[tokio::test]
async fn snp_nodes_attest_under_the_sandboxs_roots_and_no_others() {
    let sandbox = Sandbox::start(snp(2)).await.unwrap();
    let other = Sandbox::start(options(1)).await.unwrap();
    let client = Client::new(&sandbox);
    let now = OffsetDateTime::now_utc();
    let own = Trust::rehearsal(sandbox.roots().unwrap(), now);
    let attestations = client.get(client.first(), "/node/attestations").await.body["attestations"].clone();
    assert_eq!(attestations.as_array().unwrap().len(), 2);
    for attestation in attestations.as_array().unwrap() {
        assert_eq!(attestation["format"], "AMD_SEV_SNP_v1");
        assert_eq!(verdict(attestation, &own), "pass");
        assert_eq!(verdict(attestation, &Trust::pinned(now)), "fail");
        assert_eq!(verdict(attestation, &Trust::rehearsal(other.roots().unwrap(), now)), "fail");
    }
    // The governance API shows no report.
    let node = client.gov(&format!("/service/nodes/{}", sandbox.primary().unwrap())).await.body;
    let shown = node["quoteInfo"].as_object().unwrap();
    assert_eq!(shown.keys().collect::<Vec<_>>(), ["format", "endorsedTcb", "uvmEndorsements"]);
    assert_eq!(shown["endorsedTcb"], "2xgAAAAAAAQ=");
    let policy = client.gov("/service/join-policy").await.body["snp"].clone();
    assert_eq!(policy["tcbVersions"]["00a00f11"]["microcode"], 219);
    assert_eq!(
        policy["uvmEndorsements"],
        json!({sandbox.uvm_issuer().unwrap(): {"ContainerPlat-AMD-UVM": {"svn": "100"}}})
    );
}

#[tokio::test]
async fn an_snp_node_joins_if_the_policy_admits_it() {
    let sandbox = Sandbox::start(snp(1)).await.unwrap();
    let pending = sandbox.join(NodeCode::Snp(SnpCode::named("old"))).await.unwrap();
    // What its operator reads off the machine is the whole evidence.
    let own = Trust::rehearsal(sandbox.roots().unwrap(), OffsetDateTime::now_utc());
    let shown = json!({"nodeId": pending, "quote_info": sandbox.attestation(pending)});
    assert_eq!(verdict(&shown, &own), "pass");
    let other = SnpCode { host_data: HostData([1; 32]), ..SnpCode::named("old") };
    let refused = sandbox.join(NodeCode::Snp(other)).await.unwrap_err();
    let SandboxError::Refused(refused) = refused else { panic!("{refused}") };
    assert_eq!(
        (refused.status, refused.code, &*refused.message),
        (401, "InvalidQuote", "Quote host data is not authorised")
    );
    // A service that has had no SNP node admits none.
    let virtual_service = Sandbox::start(options(1)).await.unwrap();
    assert!(matches!(
        virtual_service.join(NodeCode::Snp(SnpCode::named("old"))).await.unwrap_err(),
        SandboxError::Refused(_)
    ));
}

#[tokio::test]
async fn a_request_starts_an_snp_node_and_tells_what_it_shows() {
    let sandbox = Sandbox::start(snp(1)).await.unwrap();
    let client = Client::new(&sandbox);
    let start = async |code: serde_json::Value| {
        client.post_as(client.first(), "/sandbox/nodes", code.to_string().as_bytes(), "application/json").await
    };
    let host_data = SnpCode::named("old").host_data;
    let started = start(json!({"platform": "snp", "host_data": host_data})).await;
    assert_eq!(started.status, 200);
    let own = Trust::rehearsal(sandbox.roots().unwrap(), OffsetDateTime::now_utc());
    assert_eq!(verdict(&started.body, &own), "pass");
    let refused = start(json!({"platform": "snp", "host_data": host_data, "tcb": "0000000000000000"})).await;
    assert_eq!((refused.status, refused.code()), (500, "InvalidQuote"));
    let wrong = start(json!({"platform": "snp", "host_data": host_data, "cpuid": "milan"})).await;
    assert_eq!((wrong.status, wrong.code()), (400, "InvalidInput"));
}

#[tokio::test]
async fn after_a_restart_the_roots_and_the_nodes_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = snp(1);
    options.state = Some(folder.path().join("state"));
    let sandbox = Sandbox::start(options.clone()).await.unwrap();
    let (nodes, issuer) = (sandbox.nodes(), sandbox.uvm_issuer().unwrap());
    let shown = sandbox.attestation(nodes[0].id);
    wait("the first transactions are committed", async || {
        Client::new(&sandbox).gov("/service/transactions/commit").await.body["transactionId"] == "2.2"
    })
    .await;
    drop(sandbox);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let sandbox = Sandbox::start(options).await.unwrap();
    assert_eq!((sandbox.nodes(), sandbox.uvm_issuer().unwrap()), (nodes.clone(), issuer));
    assert_eq!(sandbox.attestation(nodes[0].id), shown);
    wait("a primary is elected", async || sandbox.primary().is_some()).await;
    sandbox.join(NodeCode::Snp(SnpCode::named("old"))).await.unwrap();
    let own = Trust::rehearsal(sandbox.roots().unwrap(), OffsetDateTime::now_utc());
    assert_eq!(verdict(&json!({"quote_info": shown}), &own), "pass");
}
