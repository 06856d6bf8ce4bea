//! Nodes that are added and stopped without a plan: `node trust`, `node can-stop`.

use std::time::Duration;

use ccf_gov::sandbox::NodeCode;
use serde_json::json;

use super::*;

/// A program that is none: its host data is its SHA-256.
const PROGRAM: &str = "\u{7f}ELF old";
const TRUST: [&str; 5] = ["node", "trust", "--pending", "--evidence", "program"];

impl Field {
    /// A service whose nodes run the program, and so many that wait.
    async fn with_waiting(nodes: usize, waiting: usize) -> (Self, Vec<String>) {
        let mut options = options(1);
        options.nodes = vec![NodeCode::named(PROGRAM); nodes];
        let field = Self::with(options).await;
        field.file("program", PROGRAM);
        field.file("other", "\u{7f}ELF other");
        let mut ids = Vec::new();
        for _ in 0..waiting {
            ids.push(field.sandbox.join(NodeCode::named(PROGRAM)).await.unwrap().to_string());
        }
        (field, ids)
    }

    async fn vote_for(&self, made: &Value) {
        for member in [0, 1] {
            self.run_as(member, &["ballot", "submit", made["proposalId"].as_str().unwrap(), "--accept"]).await.done();
        }
    }

    async fn propose_removal(&self, node: &str) -> Value {
        let proposal = json!({"actions": [{"name": "remove_node", "args": {"node_id": node}}]});
        let file = self.file("removal.json", &proposal.to_string()).display().to_string();
        self.run_as(0, &["proposal", "submit", &file]).await.done()
    }
}

fn length(json: &Value, name: &str) -> usize {
    json[name].as_array().unwrap_or_else(|| panic!("{name}: {json}")).len()
}

#[tokio::test]
async fn nodes_that_wait_are_trusted_as_many_at_once_as_the_network_can_take() {
    let (field, waiting) = Field::with_waiting(3, 3).await;
    let made = field.run_as(0, &TRUST).await.done();
    assert_eq!((length(&made, "candidates"), length(&made, "left")), (3, 1), "{made}");
    assert_eq!(made["proposalState"], "Open");
    assert_eq!((&made["guard"]["verdict"], &made["guard"]["network"]["after"]["n"]), (&json!("pass"), &json!(5)));
    assert_eq!(made["guard"]["nodes"][0]["verified"], "pass", "{made}");
    let again = field.run_as(1, &TRUST).await;
    assert_eq!(again.code, 6, "{again:?}");
    assert!(again.json()["waiting"].as_str().unwrap().contains("which is open, trusts node"), "{again:?}");
    field.vote_for(&made).await;
    for id in &waiting {
        let status = field.run(&["node", "show", id]).await.done()["status"].clone();
        if status == "Trusted" {
            field.run(&["node", "wait", id, "--caught-up"]).await.done();
        }
    }
    let rest = field.run_as(1, &TRUST).await.done();
    assert_eq!((length(&rest, "candidates"), length(&rest, "left")), (1, 0), "{rest}");
    field.vote_for(&rest).await;
    let people = field.run_for_people(0, &TRUST).await;
    assert_eq!((people.code, people.stdout.as_str()), (0, "No node waits to be trusted.\n"), "{people:?}");
    assert_eq!(field.run(&["node", "list"]).await.done()["value"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn a_node_that_does_not_pass_is_not_trusted() {
    let (field, waiting) = Field::with_waiting(3, 1).await;
    for nodes in ["--pending", &waiting[0]] {
        let refused = field.run_as(0, &["node", "trust", nodes, "--evidence", "other"]).await;
        assert!(refused.error(3).contains("does not pass verification here"), "{refused:?}");
        let checks = refused.json()["candidates"][0]["checks"].clone();
        let failed: Vec<_> = checks.as_array().unwrap().iter().filter(|c| c["verdict"] == "fail").collect();
        assert_eq!((failed.len(), &failed[0]["name"]), (1, &json!("artefact-host-data")));
    }
    let trusted = field.sandbox.primary().unwrap().to_string();
    let named = field.run_as(0, &["node", "trust", &trusted, "--evidence", "program"]).await.error(3);
    assert!(named.contains("is Trusted, and only a Pending node can be trusted"), "{named}");
    let named = field.run_as(0, &["node", "trust", &"ab".repeat(32), "--evidence", "program"]).await.error(4);
    assert!(named.contains("has no node"), "{named}");
    let report = field.run_as(0, &["node", "trust", "--pending", "--evidence", "program", "--report", "program"]).await;
    assert_eq!(report.code, 2, "{report:?}");
    assert_eq!(field.run(&["proposal", "list"]).await.done()["value"].as_array().unwrap().len(), 0);
    let people = field.run_for_people(0, &["node", "trust", &waiting[0], "--evidence", "program"]).await;
    assert_eq!(people.code, 0, "{people:?}");
    assert!(people.stderr.contains("artefact-host-data") && people.stderr.contains("afterwards: n 4"), "{people:?}");
}

#[tokio::test]
async fn a_service_of_one_node_grows_and_one_that_has_failed_nodes_waits() {
    let (field, waiting) = Field::with_waiting(1, 1).await;
    let made = field.run_as(0, &TRUST).await.done();
    assert_eq!(made["guard"]["checks"][0]["verdict"], "warn", "{made}");
    field.vote_for(&made).await;
    field.run(&["node", "wait", &waiting[0], "--caught-up"]).await.done();
    let (field, _) = Field::with_waiting(3, 1).await;
    let dead = field.sandbox.nodes().into_iter().map(|n| n.id).find(|id| Some(*id) != field.sandbox.primary()).unwrap();
    field.sandbox.stop(dead).unwrap();
    tokio::time::sleep(Duration::from_millis(1300)).await;
    let not_now = field.run_as(0, &TRUST).await;
    assert_eq!((not_now.code, length(&not_now.json(), "left")), (6, 1), "{not_now:?}");
}

#[tokio::test]
async fn a_node_can_be_stopped_when_nothing_depends_on_it() {
    let (field, waiting) = Field::with_waiting(3, 1).await;
    let backup = field.sandbox.nodes().into_iter().map(|n| n.id).find(|id| Some(*id) != field.sandbox.primary());
    let backup = backup.unwrap().to_string();
    let ask = async |id: &str, code: i32| {
        let ran = field.run(&["node", "can-stop", id]).await;
        assert_eq!(ran.code, code, "{ran:?}");
        ran.json()
    };
    let trusted = ask(&backup, 3).await;
    assert_eq!((&trusted["verdict"], &trusted["status"]), (&json!("fail"), &json!("Trusted")));
    assert!(trusted["checks"][1]["detail"].as_str().unwrap().ends_with("no other node could fail"), "{trusted}");
    assert_eq!(ask(&waiting[0], 0).await["status"], "Pending");
    assert_eq!(ask(&"ab".repeat(32), 0).await["status"], json!(null));
    let made = field.propose_removal(&backup).await;
    field.vote_for(&made).await;
    field.run(&["node", "wait", &backup, "--removable"]).await.done();
    assert_eq!(ask(&backup, 0).await["status"], "Retired");
    let people = field.run_human(&["node", "can-stop", &backup]).await;
    assert!(people.stdout.ends_with("Verdict: pass\n"), "{people:?}");
    field.run_as(0, &TRUST).await.done();
    let about_to_be = ask(&waiting[0], 0).await;
    assert_eq!(about_to_be["checks"][1]["name"], "open-proposals", "{about_to_be}");
}
