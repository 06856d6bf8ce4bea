//! A code upgrade of a three-node service with sixty errors before it, walked on the sandbox: what was
//! recorded on real nodes of CCF 7.0.0-dev5. The expected statuses and codes are here; the recording itself
//! is compared too where it is present (`CCF_GOV_CORPUS`, or `../shared/corpus` beside the checkout).

mod errors;
mod recording;
mod walk;

use ccf_gov::cose::MessageType;
use ccf_gov::sandbox::NodeCode;
use serde_json::json;

use crate::support::consortium::wait;
use walk::{Expect, Walk};

/// Recorded exchanges to which the sandbox answers otherwise. The same list, with reasons, is in docs/sandbox.md.
pub const EXCEPTIONS: &[usize] = &[46, 47, 52, 220];

#[tokio::test]
async fn the_sandbox_answers_as_real_nodes_do() {
    let mut walk = Walk::start().await;
    reads(&mut walk, 0).await;
    errors::walk(&mut walk).await;

    // Register.
    let new = NodeCode::named("new");
    let NodeCode::Virtual { host_data, .. } = &new else { panic!() };
    walk.propose(98, &json!([{"name": "add_virtual_host_data", "args": {"host_data": host_data}}])).await;
    walk.get(101, "/gov/service/join-policy?api-version=2024-07-01", 200, "").await;

    // Join and trust, one by one.
    let old: Vec<_> = walk.sandbox.nodes();
    let mut joined = Vec::new();
    for index in 0..3 {
        let at = 102 + 4 * index;
        let id = walk.sandbox.join(new.clone()).await.unwrap();
        joined.push(id);
        walk.get(at, "/node/network/nodes", 200, "").await;
        let args = json!({"node_id": id, "valid_from": "261122132527Z", "validity_period_days": 90});
        walk.propose(at + 1, &json!([{"name": "transition_node_to_trusted", "args": args}])).await;
        walk.caught_up(&id.to_string()).await;
    }
    reads(&mut walk, 114).await;

    // Retire: backups first, the primary last. New nodes are asked from here on.
    let primary = walk.sandbox.primary().unwrap();
    let mut leaving: Vec<_> = old.iter().map(|n| n.id).filter(|id| *id != primary).collect();
    leaving.push(primary);
    walk.ask(joined[0]);
    for (index, id) in leaving.iter().enumerate() {
        let at = 142 + 5 * index;
        walk.propose(at, &json!([{"name": "remove_node", "args": {"node_id": id}}])).await;
        wait("the node can be removed", async || {
            let removable = walk.client.get(walk.url(), "/node/network/removable_nodes").await;
            removable.body.to_string().contains(&id.to_string()) && walk.sandbox.primary().is_some()
        })
        .await;
        walk.get(at + 3, "/node/network/nodes", 200, "").await;
        walk.get(at + 4, "/node/network/removable_nodes", 200, "").await;
    }
    walk.ask_backup(&joined);
    reads(&mut walk, 157).await;
    for (index, id) in leaving.iter().enumerate() {
        let path = format!("/node/network/nodes/{id}");
        walk.expect(185 + index, "DELETE", &path, None, Expect(200, "")).await;
    }
    walk.settle().await;
    reads(&mut walk, 188).await;

    // Constitution and application.
    let bad = json!([{"name": "set_constitution", "args": {"constitution": "export function validate(i) {}"}}]);
    walk.signed(
        216,
        0,
        MessageType::Proposal,
        None,
        &json!({"actions": bad}).to_string(),
        Expect(400, "ProposalFailedToValidate"),
    )
    .await;
    walk.propose(217, &json!([{"name": "set_js_app", "args": {"bundle": bundle()}}])).await;
    walk.settle().await;
    walk.get(220, "/gov/service/javascript-app?api-version=2024-07-01", 200, "").await;
    walk.get(221, "/gov/service/javascript-app?case=original&api-version=2024-07-01", 200, "").await;
    walk.get(222, "/gov/service/javascript-modules?api-version=2024-07-01", 200, "").await;
    walk.get(223, "/gov/service/javascript-modules/hello.js?api-version=2024-07-01", 404, "ResourceNotFound").await;
    walk.get(224, "/gov/service/javascript-modules/%2Fhello.js?api-version=2024-07-01", 200, "").await;
    walk.get(225, "/app/hello", 200, "").await;

    // Deregister.
    let NodeCode::Virtual { host_data, .. } = NodeCode::named("old") else { panic!() };
    walk.propose(226, &json!([{"name": "remove_virtual_host_data", "args": {"host_data": host_data}}])).await;
    walk.settle().await;
    reads(&mut walk, 229).await;
    walk.finish();
}

fn bundle() -> serde_json::Value {
    json!({
        "metadata": {"endpoints": {"/hello": {"get": {
            "js_module": "hello.js", "js_function": "hello", "forwarding_required": "never",
            "authn_policies": ["no_auth"], "mode": "readonly", "openapi": {},
        }}}},
        "modules": [{"name": "hello.js", "module": "export function hello(r) { return { body: { v: 2 } }; }"}],
    })
}

/// Everything that can be read, in the order of the recording.
async fn reads(walk: &mut Walk, at: usize) {
    const GOVERNANCE: [&str; 11] = [
        "/service/info",
        "/service/constitution",
        "/service/join-policy",
        "/service/nodes",
        "/service/members",
        "/service/users",
        "/service/javascript-app",
        "/service/javascript-modules",
        "/service/jwk",
        "/members/proposals",
        "/service/transactions/commit",
    ];
    const NODE: [(&str, u16); 16] = [
        ("/version", 200),
        ("/state", 200),
        ("/network", 200),
        ("/network/nodes", 200),
        ("/network/nodes/primary", 200),
        ("/network/nodes/self", 200),
        ("/network/removable_nodes", 200),
        ("/consensus", 200),
        ("/commit", 200),
        ("/ready/gov", 204),
        ("/ready/app", 204),
        ("/service/configuration", 200),
        ("/attestations", 200),
        ("/attestations/self", 200),
        ("/quotes", 200),
        ("/js_metrics", 200),
    ];
    for (index, path) in GOVERNANCE.iter().enumerate() {
        walk.get(at + index, &format!("/gov{path}?api-version=2024-07-01"), 200, "").await;
    }
    for (index, (path, status)) in NODE.iter().enumerate() {
        walk.get(at + 11 + index, &format!("/node{path}"), *status, "").await;
    }
    walk.expect_primary(at + 27).await;
}
