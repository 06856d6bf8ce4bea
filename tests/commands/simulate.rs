//! `simulate`, `state export` and `constitution check`, as a person uses them.

use serde_json::json;

use super::*;

impl Field {
    fn actions(&self, name: &str, list: Value) -> String {
        self.file(name, &json!({ "actions": list }).to_string()).display().to_string()
    }
}

#[tokio::test]
async fn a_proposal_is_simulated_on_the_service_and_on_its_state_file_and_does_what_was_said() {
    let field = Field::start().await;
    let value = "ab".repeat(32);
    let file = field.actions("p.json", json!([{"name": "add_virtual_host_data", "args": {"host_data": value}}]));
    let live = field.run(&["simulate", &file]).await.done();
    assert_eq!((&live["valid"], &live["state"]), (&json!(true), &json!("Accepted")));
    assert_eq!(live["accepted_with"].as_array().unwrap().len(), 3);
    assert_eq!(live["changes"][0]["key"], json!(value));
    let state = field.path("state.json").display().to_string();
    let written = field.run(&["state", "export", "-o", &state]).await.done();
    assert!(written["rows"].as_u64().unwrap() > 10 && written["unknown"]["ledger secrets"].is_string());
    field.run(&["state", "export", "-o", &state]).await.error(2);
    let kept = field.run(&["simulate", &file, "--state", &state]).await.done();
    assert_eq!((&kept["changes"], &kept["accepted_with"]), (&live["changes"], &live["accepted_with"]));
    // What was said is what happens.
    let made = field.run_as(0, &["proposal", "submit", &file]).await.done();
    let id = made["proposalId"].as_str().unwrap();
    let open = field.run(&["simulate", &id[..12], "--votes", "member1=no"]).await.done();
    assert_eq!(open["accepted_with"].as_array().unwrap().len(), 1);
    for member in [0, 1] {
        field.run_as(member, &["ballot", "submit", id, "--accept"]).await.done();
    }
    let policy = field.run(&["service", "join-policy"]).await.done();
    assert!(policy["virtual"]["hostData"].to_string().contains(&value));
}

#[tokio::test]
async fn what_would_not_work_is_said_and_exits_with_3() {
    let field = Field::start().await;
    let invalid = field.actions("invalid.json", json!([{"name": "fly", "args": {}}]));
    let said = field.run(&["simulate", &invalid]).await.no();
    assert_eq!(said["valid"], json!(false));
    assert!(said["reason"].as_str().unwrap().contains("fly"), "{said}");
    let locked = "export function validate(input) { return {valid: true, description: ''}; }
export function resolve(proposal, proposerId, votes) { return 'Open'; }
export function apply(proposal, proposalId) {}";
    let file = field.actions("locked.json", json!([{"name": "set_constitution", "args": {"constitution": locked}}]));
    let said = field.run(&["simulate", &file]).await.no();
    assert_eq!((&said["state"], &said["rules"]["can_change_again"]), (&json!("Accepted"), &json!(false)));
    let rules = field.file("locked.js", locked).display().to_string();
    let said = field.run(&["constitution", "check", &rules]).await.no();
    assert_eq!(said["verdict"], json!("fail"));
    let several = field.run(&["simulate", &file, &invalid]).await.no();
    assert_eq!(several["simulations"].as_array().unwrap().len(), 2);
    for (arguments, part) in [
        (vec!["simulate", &file, "--votes", "nobody=yes"], "no member"),
        (vec!["simulate", &file, "--votes", "member0=perhaps"], "neither yes nor no"),
        (vec!["simulate", &file, "--votes", "member0"], "names no member and value"),
        (vec!["simulate", &file, "--state", &rules], "cannot use"),
        (vec!["simulate", &file, "--constitution", &file], "cannot judge"),
    ] {
        let error = field.run(&arguments).await.error(2);
        assert!(error.contains(part), "{error}");
    }
}
