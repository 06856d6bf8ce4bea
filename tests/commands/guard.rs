//! The quorum guard on what is proposed, signed and voted on by hand.

use std::time::Duration;

use serde_json::json;

use super::*;

/// Past which a node that was stopped is not counted as live.
const SILENT: Duration = Duration::from_millis(1300);
const ALTHOUGH: &str = "--although-it-stops-the-service";

impl Field {
    fn on_node(&self, file: &str, action: &str, node: &str) -> String {
        let proposal = json!({"actions": [{"name": action, "args": {"node_id": node}}]});
        self.file(file, &proposal.to_string()).display().to_string()
    }

    /// Two backups.
    fn backups(&self) -> [String; 2] {
        let primary = self.sandbox.primary().unwrap();
        let others = self.sandbox.nodes().into_iter().map(|n| n.id).filter(|id| *id != primary);
        others.map(|id| id.to_string()).collect::<Vec<_>>().try_into().unwrap()
    }

    async fn kill(&self, node: &str) {
        self.sandbox.stop(node.parse().unwrap()).unwrap();
        tokio::time::sleep(SILENT).await;
    }
}

fn id(made: &Value) -> &str {
    made["proposalId"].as_str().unwrap()
}

/// The first cause of an error.
fn cause(ran: &Ran) -> String {
    let line = ran.stderr.lines().rfind(|l| l.starts_with("{\"error\"")).expect("an error as JSON");
    let error: Value = serde_json::from_str(line).unwrap();
    error["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_vote_after_which_nothing_could_be_committed_is_refused() {
    let field = Field::start().await;
    let [dead, live] = field.backups();
    let file = field.on_node("live.json", "remove_node", &live);
    let made = field.run_as(0, &["proposal", "submit", &file]).await.done();
    let guard = &made["guard"];
    assert_eq!((&guard["verdict"], &guard["network"]["after"]["n"]), (&json!("pass"), &json!(2)), "{guard}");
    assert_eq!((&guard["nodes"][0]["effect"], &guard["nodes"][0]["node_id"]), (&json!("removed"), &json!(live)));
    let sign = ["sign", "--type", "ballot", "--content", "yes.json", "--proposal-id", id(&made), "-o"];
    assert_eq!(field.run(&["ballot", "new", "accept", "-o", "yes.json"]).await.code, 0);
    let signed = field.run_as(1, &[&sign[..], &["early.cose"]].concat()).await.done();
    assert_eq!(signed["guard"]["network"]["live_after"], 2, "{signed}");

    field.kill(&dead).await;
    let again = field.on_node("again.json", "remove_node", &live);
    let vote = ["ballot", "submit", id(&made), "--accept"];
    let exact = ["ballot", "submit", id(&made), "--exact", &file];
    let propose = ["proposal", "submit", &again, "--again"];
    for refused in [&vote[..], &exact, &propose, &[&sign[..], &["late.cose"]].concat()] {
        let ran = field.run_as(1, refused).await;
        assert_eq!(ran.code, 3, "{refused:?}: {ran:?}");
        let why = cause(&ran);
        assert!(why.contains("nothing was signed") && why.contains("nothing could be committed"), "{why}");
    }
    assert!(!field.path("late.cose").exists());
    let early = field.run(&["submit", "early.cose"]).await;
    assert_eq!(early.code, 3, "{early:?}");
    assert!(cause(&early).contains("it was not sent"), "{early:?}");
    assert_eq!(field.run(&["proposal", "show", id(&made)]).await.done()["ballotCount"], 0);

    let people = field.run_for_people(1, &vote).await;
    assert!(people.stderr.contains("now: n 3, majority 2, live 2, f 1"), "{}", people.stderr);
    assert!(people.stderr.contains("afterwards: n 2, majority 2, live 1, f 0"), "{}", people.stderr);
    // A no is always taken, and a yes if it is insisted on.
    field.run_as(2, &["ballot", "submit", id(&made), "--reject"]).await.done();
    let voted = field.run_as(0, &[&vote[..], &[ALTHOUGH]].concat()).await.done();
    assert_eq!(voted["guard"]["verdict"], "fail");
    // To remove the node that has failed is no loss.
    let file = field.on_node("dead.json", "remove_node", &dead);
    let made = field.run_as(0, &["proposal", "submit", &file]).await.done();
    for member in [0, 1] {
        let voted = field.run_as(member, &["ballot", "submit", id(&made), "--accept"]).await.done();
        assert_eq!(voted["guard"]["verdict"], "pass", "{voted}");
    }
}

#[tokio::test]
async fn what_was_signed_on_insistence_is_sent_on_insistence_only() {
    let field = Field::start().await;
    let [dead, live] = field.backups();
    let file = field.on_node("live.json", "remove_node", &live);
    let made = field.run_as(0, &["proposal", "submit", &file]).await.done();
    field.run_as(0, &["ballot", "submit", id(&made), "--accept"]).await.done();
    assert_eq!(field.run(&["ballot", "new", "accept", "-o", "yes.json"]).await.code, 0);
    field.kill(&dead).await;
    let sign = ["sign", "--type", "ballot", "--content", "yes.json", "--proposal-id", id(&made), "-o", "b.cose"];
    assert_eq!(field.run_as(1, &sign).await.code, 3);
    let signed = field.run_as(1, &[&sign[..], &[ALTHOUGH]].concat()).await.done();
    assert_eq!(signed["guard"]["checks"][0]["verdict"], "fail", "{signed}");
    assert_eq!(field.run(&["submit", "b.cose"]).await.code, 3);
    assert_eq!(field.sandbox.nodes().len(), 3);
}

#[tokio::test]
async fn a_dead_service_is_said_to_be_one() {
    let field = Field::start().await;
    let file = field.on_node("p.json", "remove_node", &field.backups()[0]);
    for node in field.backups() {
        field.sandbox.stop(node.parse().unwrap()).unwrap();
    }
    crate::support::consortium::wait("the primary steps down", async || field.sandbox.primary().is_none()).await;
    let refused = field.run_as(0, &["proposal", "submit", &file]).await;
    assert_eq!(refused.code, 3, "{refused:?}");
    assert!(cause(&refused).contains("disaster recovery"), "{refused:?}");
}

#[tokio::test]
async fn what_touches_no_node_is_not_judged() {
    let field = Field::start().await;
    let file = field.node_data("p.json", 7);
    let made = field.run_as(0, &["proposal", "submit", &file]).await.done();
    assert_eq!(made.get("guard"), None);
    let voted = field.run_as(0, &["ballot", "submit", id(&made), "--accept"]).await.done();
    assert_eq!(voted.get("guard"), None);
    let file = field.on_node("none.json", "transition_node_to_trusted", &"ab".repeat(32));
    let ran = field.run_for_people(0, &["proposal", "submit", &file, "--although-lint-fails"]).await;
    assert!(ran.stderr.contains("the service has no node abababab"), "{}{}", ran.stdout, ran.stderr);
}
