//! Guarded ballots on a sandbox, in its engine: they count until what they rest on changes.

use super::*;
use serde_json::json;

const DATA: &str = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

impl Field {
    /// Member 0 proposes; the file and the id.
    async fn put_up(&self, name: &str, actions: &Value) -> (String, String) {
        let file = self.file(name, &json!({ "actions": actions }).to_string()).display().to_string();
        let made = self.run_as(0, &["proposal", "submit", &file]).await.done();
        (file, made["proposalId"].as_str().unwrap().to_owned())
    }

    async fn state(&self, id: &str) -> Value {
        self.run(&["proposal", "show", id]).await.done()["proposalState"].clone()
    }
}

fn registration(data: &str) -> Value {
    json!([{"name": "add_virtual_host_data", "args": {"host_data": data}}])
}

fn note(text: &str) -> Value {
    let member = "6eb66ff8f68ea555126fc20432e1efe937617b4a1d032d24ce59c9d9e7ede4bb";
    json!([{"name": "set_member_data", "args": {"member_id": member, "member_data": {"note": text}}}])
}

#[tokio::test]
async fn a_guarded_ballot_counts_while_the_service_is_as_it_was_seen() {
    let field = Field::start().await;
    let (file, id) = field.put_up("p.json", &registration(DATA)).await;
    field
        .run_as(0, &["ballot", "submit", &id, "--guarded", &file, "--guard", "nodes", "--guard", "members"])
        .await
        .done();
    let shown = field.run(&["ballot", "show", &id]).await.done();
    let ballot = &shown["ballots"][0];
    assert_eq!((&ballot["kind"], &ballot["forThisProposal"]), (&json!("guarded"), &json!(true)));
    let guards = ballot["guards"].as_array().unwrap();
    assert_eq!(guards.len(), 5, "{shown}");
    assert!(guards.iter().all(|guard| guard["holds"] == true), "{shown}");
    let decided = field.run_as(1, &["ballot", "submit", &id, "--guarded", &file]).await.done();
    assert_eq!(decided["proposalState"], "Accepted");
    assert!(decided["finalVotes"].as_object().unwrap().values().all(|vote| vote == true), "{decided}");
}

#[tokio::test]
async fn a_guarded_ballot_is_a_no_once_what_it_rests_on_has_changed() {
    let field = Field::start().await;
    let member = "6eb66ff8f68ea555126fc20432e1efe937617b4a1d032d24ce59c9d9e7ede4bb";
    let (file, id) = field.put_up("p.json", &note("first")).await;
    let guard = format!("member={member}");
    field.run_as(0, &["ballot", "submit", &id, "--guarded", &file, "--guard", &guard]).await.done();
    let (other, between) = field.put_up("q.json", &note("second")).await;
    for voter in [0, 1] {
        field.run_as(voter, &["ballot", "submit", &between, "--exact", &other]).await.done();
    }
    assert_eq!(field.state(&between).await, "Accepted");
    let shown = field.run(&["ballot", "show", &id]).await.done();
    let holding: Vec<_> =
        shown["ballots"][0]["guards"].as_array().unwrap().iter().map(|g| g["holds"].clone()).collect();
    assert_eq!(holding, [true, true, false], "{shown}");
    let decided = field.run_as(1, &["ballot", "submit", &id, "--guarded", &file]).await.done();
    assert_eq!(decided["proposalState"], "Open", "{decided}");
    let decided = field.run_as(2, &["ballot", "submit", &id, "--guarded", &file]).await.done();
    assert_eq!(decided["proposalState"], "Accepted");
    let votes: Vec<_> = decided["finalVotes"].as_object().unwrap().values().filter(|vote| **vote == true).collect();
    assert_eq!(votes.len(), 2, "{decided}");
}

#[tokio::test]
async fn what_cannot_be_guarded_or_is_another_proposal_is_refused() {
    let field = Field::start().await;
    let (file, id) = field.put_up("p.json", &registration(DATA)).await;
    let missing = format!("node={}", "c".repeat(64));
    let error = field.run_as(0, &["ballot", "submit", &id, "--guarded", &file, "--guard", &missing]).await.error(4);
    assert!(error.contains("cannot make a guarded ballot"), "{error}");
    let other = field.file("other.json", &json!({"actions": registration(&"0".repeat(64))}).to_string());
    let error = field.run_as(0, &["ballot", "submit", &id, "--guarded", &other.display().to_string()]).await.error(3);
    assert!(error.contains("is not the one that this ballot is for"), "{error}");
    field.run_as(0, &["ballot", "submit", &id, "--accept", "--guard", "nodes"]).await.error(2);
    assert_eq!(field.run(&["ballot", "show", &id]).await.done()["ballots"], json!([]));

    let made = field.run(&["ballot", "new", "guarded", "--proposal", &id, "-o", "ballot.json"]).await;
    assert_eq!(made.code, 0, "{}", made.stderr);
    let shown = field.run(&["ballot", "show", "ballot.json"]).await.done();
    assert_eq!(shown["ballots"][0]["actions"], registration(DATA));
    field.run_as(0, &["ballot", "submit", &id, "--ballot", "ballot.json"]).await.done();
}
