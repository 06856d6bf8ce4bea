//! Proposals and ballots, from submission to the end.

use super::*;

const DATA: &str = r#"{"actions": [{"name": "set_node_data", "args": {"node_id": "NODE", "node_data": {"n": 1}}}]}"#;

fn id(json: &Value) -> String {
    json["proposalId"].as_str().expect("a proposal's id").to_owned()
}

impl Field {
    pub fn node_data(&self, name: &str, n: usize) -> String {
        let node = self.sandbox.primary().unwrap().to_string();
        self.file(name, &DATA.replace("NODE", &node).replace("\"n\": 1", &format!("\"n\": {n}"))).display().to_string()
    }
}

#[tokio::test]
async fn a_proposal_is_made_voted_on_and_accepted() {
    let field = Field::start().await;
    let file = field.node_data("p.json", 1);
    let made = field.run_as(0, &["proposal", "submit", &file]).await.done();
    assert_eq!((&made["proposalState"], &made["ballotCount"]), (&"Open".into(), &0.into()));
    assert!(made["transactionId"].is_string());
    let id = id(&made);
    let open = field.run(&["proposal", "wait", &id, "--timeout", "0"]).await;
    assert_eq!((open.code, &open.json()["proposalState"]), (6, &"Open".into()));

    let voted = field.run_as(0, &["ballot", "submit", &id, "--accept"]).await.done();
    assert_eq!((&voted["proposalState"], &voted["ballotCount"]), (&"Open".into(), &1.into()));
    let again = field.run_as(0, &["ballot", "submit", &id, "--accept"]).await.done();
    assert_eq!(again["ballotCount"], 1);
    assert!(field.run_as(0, &["ballot", "submit", &id, "--reject"]).await.error(4).contains("cannot be changed"));

    let shown = field.run(&["proposal", "show", &id, "--votes"]).await.done();
    let votes = shown["votes"].as_array().unwrap();
    let kinds: Vec<_> = votes.iter().map(|v| v["kind"].as_str().unwrap_or("-")).collect();
    assert_eq!(votes.len(), 3);
    assert_eq!(kinds.iter().filter(|k| **k == "-").count(), 2, "{votes:?}");
    assert!(kinds.contains(&"accept"), "{votes:?}");
    assert_eq!(shown["actions"][0]["name"], "set_node_data");

    let decided = field.run_as(1, &["ballot", "submit", &id, "--accept"]).await.done();
    assert_eq!(decided["proposalState"], "Accepted");
    assert_eq!(field.run(&["proposal", "wait", &id]).await.done()["proposalState"], "Accepted");
    assert!(field.run_as(2, &["ballot", "submit", &id, "--accept"]).await.error(4).contains("proposal show"));
    // The one who voted in time may still send the same ballot again: it is held.
    assert_eq!(field.run_as(1, &["ballot", "submit", &id, "--accept"]).await.done()["proposalState"], "Accepted");
}

#[tokio::test]
async fn what_fails_is_sent_only_where_it_is_asked_for_and_an_application_that_does_not_compile_fails() {
    let field = Field::start().await;
    let app = include_str!("../vectors/proposals/application-syntax-error.json");
    let file = field.file("app.json", app).display().to_string();
    let refused = field.run_as(0, &["proposal", "submit", &file]).await.error(3);
    assert!(refused.contains("neither signed nor sent") && refused.contains("--although-lint-fails"), "{refused}");
    let made = field.run_as(0, &["proposal", "submit", &file, "--although-lint-fails"]).await.done();
    let id = id(&made);
    field.run_as(0, &["ballot", "submit", &id, "--accept"]).await.done();
    // As on a node, the ballot with which it would be applied is refused, with the reason.
    let decided = field.run_as(1, &["ballot", "submit", &id, "--accept"]).await;
    assert!(decided.code != 0 && decided.stderr.contains("Failed to compile module"), "{decided:?}");
    assert_eq!(field.run(&["proposal", "show", &id]).await.done()["proposalState"], "Open");
    let private = include_str!("../vectors/proposals/jwks-private-member.json");
    let file = field.file("private.json", private).display().to_string();
    let refused = field.run_as(0, &["proposal", "submit", &file, "--although-lint-fails"]).await.error(3);
    assert!(refused.contains("neither signed nor sent"), "{refused}");
}

#[tokio::test]
async fn withdrawn_dropped_and_purged_proposals_are_told_apart() {
    let field = Field::start().await;
    let (first, second) = (field.node_data("1.json", 1), field.node_data("2.json", 2));
    let one = id(&field.run_as(0, &["proposal", "submit", &first]).await.done());
    assert!(field.run_as(1, &["proposal", "withdraw", &one]).await.error(4).contains("by its proposer only"));
    assert_eq!(field.run_as(0, &["proposal", "withdraw", &one]).await.done()["proposalState"], "Withdrawn");
    let withdrawn = field.run(&["proposal", "wait", &one]).await;
    assert_eq!((withdrawn.code, &withdrawn.json()["proposalState"]), (3, &"Withdrawn".into()));

    let two = id(&field.run_as(0, &["proposal", "submit", &second]).await.done());
    let host_data = "ab".repeat(32);
    let register =
        format!(r#"{{"actions": [{{"name": "add_virtual_host_data", "args": {{"host_data": "{host_data}"}}}}]}}"#);
    let register = field.file("3.json", &register).display().to_string();
    let three = id(&field.run_as(0, &["proposal", "submit", &register]).await.done());
    for member in [0, 1] {
        field.run_as(member, &["ballot", "submit", &three, "--accept"]).await.done();
    }
    let dropped = field.run(&["proposal", "wait", &two]).await;
    assert_eq!((dropped.code, &dropped.json()["proposalState"]), (3, &"Dropped".into()));
    // The one that was withdrawn before is gone since.
    assert!(field.run(&["proposal", "show", &one]).await.error(4).contains("removed when another proposal"));
}

#[tokio::test]
async fn what_is_signed_and_what_is_voted_on_is_shown() {
    let field = Field::start().await;
    let file = field.node_data("p.json", 7);
    let made = field.run_for_people(0, &["proposal", "submit", &file]).await;
    assert!(made.stderr.contains("set_node_data"), "{}", made.stderr);
    let list = field.run(&["proposal", "list"]).await.done();
    let voted = field.run_for_people(1, &["ballot", "submit", &id(&list["value"][0]), "--accept"]).await;
    assert!(voted.stderr.contains("set_node_data") && voted.stderr.contains("yes"), "{}", voted.stderr);
}

#[tokio::test]
async fn an_exact_ballot_is_for_that_proposal_and_no_other() {
    let field = Field::start().await;
    let (one, two) = (field.node_data("1.json", 1), field.node_data("2.json", 2));
    let made = id(&field.run_as(0, &["proposal", "submit", &one]).await.done());
    let refused = field.run_as(0, &["ballot", "submit", &made, "--exact", &two]).await;
    assert!(refused.error(3).contains("is not the one that this ballot is for"));
    field.run_as(0, &["ballot", "submit", &made, "--exact", &one]).await.done();
    let shown = field.run(&["proposal", "show", &made, "--votes"]).await.done();
    assert!(shown["votes"].as_array().unwrap().iter().any(|v| v["kind"] == "exact"), "{shown}");
    let decided = field.run_as(1, &["ballot", "submit", &made, "--exact", &one]).await.done();
    assert_eq!(decided["proposalState"], "Accepted");
}

#[tokio::test]
async fn envelopes_are_carried_by_their_own_headers_as_often_as_one_likes() {
    let field = Field::start().await;
    let file = field.node_data("p.json", 1);
    let sign = ["sign", "--type", "proposal", "--content", &file, "-o", "p.cose"];
    assert_eq!(field.run_as(2, &sign).await.code, 0);
    let first = field.run(&["submit", "p.cose"]).await.done();
    let second = field.run(&["submit", "p.cose"]).await.done();
    assert_eq!(first["proposalId"], second["proposalId"]);
    assert_eq!(field.run(&["proposal", "list"]).await.done()["value"].as_array().unwrap().len(), 1);
    field.file("yes.json", r#"{"ballot": "export function vote (p, id) { return true; }"}"#);
    for member in [0, 1, 2] {
        let (out, made) = (format!("b{member}.cose"), id(&first));
        let sign = ["sign", "--type", "ballot", "--content", "yes.json", "--proposal-id", &made, "-o", &out];
        assert_eq!(field.run_as(member, &sign).await.code, 0);
    }
    let both = field.run(&["submit", "b0.cose", "b1.cose"]).await.done();
    assert_eq!(both["submitted"][1]["proposalState"], "Accepted");
    let again = field.run(&["submit", "p.cose", "b0.cose", "b1.cose"]).await.done();
    assert_eq!(again["submitted"].as_array().unwrap().len(), 3);
    field.file("not.cose", "hello");
    assert!(field.run(&["submit", "b0.cose", "not.cose"]).await.error(2).contains("not a signed governance request"));

    // One that is refused takes nothing back: what was taken before it is printed.
    let file = field.node_data("q.json", 2);
    assert_eq!(field.run_as(2, &["sign", "--type", "proposal", "--content", &file, "-o", "q.cose"]).await.code, 0);
    let ran = field.run(&["submit", "q.cose", "b2.cose", "p.cose"]).await;
    assert!(ran.code == 4 && ran.stderr.contains("1 earlier envelope was accepted"), "{ran:?}");
    let printed: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(printed["submitted"].as_array().unwrap().len(), 1);
    assert_eq!(printed["submitted"][0]["proposalState"], "Open");
}

#[tokio::test]
async fn a_proposal_that_the_constitution_refuses_and_a_stranger_are_refused() {
    let field = Field::start().await;
    let bad = field.file("bad.json", r#"{"actions": [{"name": "no_such_action", "args": {}}]}"#).display().to_string();
    assert!(field.run_as(0, &["proposal", "submit", &bad]).await.error(4).contains("ProposalFailedToValidate"));
    let keys = field.run(&["keys", "generate", "stranger"]).await;
    assert_eq!(keys.code, 0, "{keys:?}");
    let good = field.node_data("p.json", 1);
    let arguments = ["proposal", "submit", &good, "--key", "stranger_privk.pem", "--cert", "stranger_cert.pem"];
    assert!(field.run(&arguments).await.error(4).contains("is not a member of this service"));
}

#[tokio::test]
async fn a_dying_primary_is_waited_out() {
    let field = Field::start().await;
    let file = field.node_data("p.json", 1);
    let id = id(&field.run_as(0, &["proposal", "submit", &file]).await.done());
    field.sandbox.stop(field.sandbox.primary().unwrap()).unwrap();
    let voted = field.run_as(0, &["ballot", "submit", &id, "--accept"]).await.done();
    assert_eq!(voted["ballotCount"], 1);
    let view = voted["transactionId"].as_str().unwrap().split('.').next().unwrap().to_owned();
    assert_ne!(view, "2");
    // The same vote is there already: nothing is signed.
    let again = field.run_as(0, &["ballot", "submit", &id, "--accept"]).await;
    let json = again.done();
    assert_eq!((&json["repeated"], &json["transactionId"]), (&"same-ballot".into(), &serde_json::Value::Null));
    assert!(json["seenAt"].is_string() && again.stderr.is_empty(), "{again:?}");
}

#[tokio::test]
async fn the_ballot_of_a_removed_member_still_counts_and_is_shown() {
    let field = Field::start().await;
    let file = field.node_data("p.json", 1);
    let watched = id(&field.run_as(0, &["proposal", "submit", &file]).await.done());
    field.run_as(2, &["ballot", "submit", &watched, "--reject"]).await.done();
    let third = std::fs::read(keys().join("member2_cert.pem")).unwrap();
    let third = ccf_gov::cose::MemberCertificate::from_pem(&third).unwrap().member_id().to_string();
    let removal = serde_json::json!({"actions": [{"name": "remove_member", "args": {"member_id": third}}]});
    let removal = field.file("remove.json", &removal.to_string()).display().to_string();
    let removal = id(&field.run_as(0, &["proposal", "submit", &removal]).await.done());
    for member in [0, 1] {
        field.run_as(member, &["ballot", "submit", &removal, "--accept"]).await.done();
    }
    let shown = field.run(&["proposal", "show", &watched, "--votes"]).await.done();
    assert_eq!((&shown["proposalState"], &shown["ballotsByNobodyListed"]), (&"Open".into(), &1.into()), "{shown}");
    for member in [0, 1] {
        field.run_as(member, &["ballot", "submit", &watched, "--accept"]).await.done();
    }
    let shown = field.run(&["proposal", "show", &watched, "--votes"]).await.done();
    assert_eq!((&shown["proposalState"], &shown["ballotsByNobodyListed"]), (&"Accepted".into(), &0.into()), "{shown}");
    let vote = shown["votes"].as_array().unwrap().iter().find(|v| v["memberId"] == third).unwrap();
    assert_eq!((&vote["voted"], &vote["vote"], &vote["active"]), (&true.into(), &false.into(), &false.into()));
}
