//! What a new node is started with.

use std::path::Path;

use ccf_gov::platform::Platform;
use ccf_gov::service::NodeStatus;
use ccf_gov::upgrade::{Code, JoinConfiguration, Plan};
use serde_json::json;

use super::stage::Stage;

#[tokio::test]
async fn a_node_joins_through_the_primary_with_a_configuration_of_its_version() {
    let stage = Stage::registered().await;
    let seen = stage.operator().await.seen;
    let certificate = Path::new("/etc/service_cert.pem");
    let of = |plan: &Plan| JoinConfiguration::of(plan, &seen, certificate).unwrap();

    let unknown = of(&stage.plan);
    assert_eq!(Some(unknown.target), stage.sandbox.primary());
    assert!(unknown.assumed && unknown.major == 7, "the sandbox says no version");
    let command = &unknown.content["command"];
    assert_eq!(command["type"], "Join");
    assert_eq!(command["service_certificate_file"], "/etc/service_cert.pem");
    let primary = stage.sandbox.nodes().into_iter().find(|n| n.id == unknown.target).unwrap();
    assert_eq!(primary.url, format!("https://{}", command["join"]["target_rpc_address"].as_str().unwrap()));
    assert_eq!(unknown.content.get("enclave"), None, "CCF 7 refuses the key");

    let version = |text: &str| Plan { version: Some(text.parse().unwrap()), ..stage.plan.clone() };
    let seven = of(&version("7.0.5"));
    assert!(!seven.assumed && seven.content == unknown.content);
    let six = of(&version("6.0.28"));
    assert_eq!(six.content["enclave"], json!({"platform": "Virtual", "type": "Release"}));
    let interface = &six.content["network"]["rpc_interfaces"]["primary_rpc_interface"];
    assert_eq!(interface["endorsement"]["authority"], "Service", "CCF 6.0.18 ends at the first request without it");
    assert_eq!(six.content.get("attestation"), None);
    let snp = Code { platform: Platform::Snp, values: Vec::new() };
    let snp = of(&Plan { new: snp, ..version("6.0.28") });
    assert_eq!(snp.content["enclave"]["platform"], "SNP");
    assert!(snp.content["attestation"]["snp_security_policy_file"].is_string());
    let sgx = of(&Plan::of(Code { platform: Platform::Sgx, values: Vec::new() }, 3));
    assert_eq!((sgx.major, &sgx.content["enclave"]["platform"]), (5, &json!("SGX")));
}

#[tokio::test]
async fn snapshots_are_offered_only_where_every_node_knows_the_word() {
    let stage = Stage::registered().await;
    let mut seen = stage.operator().await.seen;
    let plan = Plan { version: Some("7.0.5".parse().unwrap()), ..stage.plan.clone() };
    let mut offered = |version: &str| {
        for node in &mut seen.nodes {
            node.version = version.parse().ok();
        }
        let written = JoinConfiguration::of(&plan, &seen, Path::new("cert.pem")).unwrap().content;
        !written["network"]["rpc_interfaces"]["primary_rpc_interface"]["enabled_operator_features"].is_null()
    };
    assert!(offered("6.0.21"));
    assert!(!offered("6.0.16"));
    assert!(!offered("not told"));
}

#[tokio::test]
async fn without_a_node_that_is_heard_of_there_is_none() {
    let stage = Stage::registered().await;
    let mut seen = stage.operator().await.seen;
    for node in seen.nodes.iter_mut().filter(|node| node.status == NodeStatus::Trusted) {
        node.address = None;
    }
    assert_eq!(JoinConfiguration::of(&stage.plan, &seen, Path::new("cert.pem")), None);
}
