//! Exact ballots against the proposals that a service holds, in every form in which one can be given.

use super::*;

const FLOAT: &str = include_str!("../vectors/exact/float.json");
const OTHER: &str = include_str!("../vectors/exact/float_other.json");

impl Field {
    fn path_of(&self, name: &str, content: &str) -> String {
        self.file(name, content).display().to_string()
    }

    /// A proposal of member 0's; its id.
    async fn propose(&self, name: &str, content: &str) -> String {
        let file = self.path_of(name, content);
        let made = self.run_as(0, &["proposal", "submit", &file]).await.done();
        made["proposalId"].as_str().unwrap().to_owned()
    }

    /// Runs a command as a member, where no service is named.
    async fn run_offline_as(&self, member: usize, arguments: &[&str]) -> Ran {
        let file = |kind: &str| keys().join(format!("member{member}_{kind}.pem")).display().to_string();
        let options =
            ["--output".into(), "json".into(), "--yes".into(), "--key".into(), file("privk"), "--cert".into()];
        let all = arguments.iter().map(ToString::to_string).chain(options).chain([file("cert")]);
        self.run_plain(all.collect()).await
    }

    /// The whole error, as text.
    fn all(ran: &Ran) -> String {
        let line = ran.stderr.lines().rfind(|l| l.starts_with("{\"error\"")).expect("an error as JSON");
        let error: Value = serde_json::from_str(line).unwrap();
        error["error"].to_string()
    }
}

/// The sandbox's node data with a number.
fn data(number: &str, more: &str) -> String {
    let member = "6eb66ff8f68ea555126fc20432e1efe937617b4a1d032d24ce59c9d9e7ede4bb";
    format!(
        r#"{{"actions": [{{"name": "set_member_data", "args": {{"member_id": "{member}", "member_data": {{"n": {number}}}}}}}{more}]}}"#
    )
}

#[tokio::test]
async fn a_fraction_is_voted_on_as_it_is_written() {
    let field = Field::start().await;
    let id = field.propose("float.json", FLOAT).await;
    let other = field.path_of("other.json", OTHER);
    let refused = field.run_as(0, &["ballot", "submit", &id, "--exact", &other]).await;
    assert_eq!(refused.code, 3);
    let line = "actions[0].args.member_data.joined: 0.9382359288434664 / 0.9382359288434663";
    assert!(Field::all(&refused).contains(line), "{}", refused.stderr);
    assert!(field.run(&["proposal", "show", &id]).await.stdout.contains("0.9382359288434663"));
    let file = field.path("float.json").display().to_string();
    field.run_as(0, &["ballot", "submit", &id, "--exact", &file]).await.done();
    let decided = field.run_as(1, &["ballot", "submit", &id, "--exact", &file]).await.done();
    assert_eq!(decided["proposalState"], "Accepted");
}

#[tokio::test]
async fn a_number_written_otherwise_is_the_same_proposal() {
    let field = Field::start().await;
    let id = field.propose("one.json", &data("1.0", "")).await;
    let file = field.path_of("other.json", &data("1", ""));
    field.run_as(0, &["ballot", "submit", &id, "--exact", &file]).await.done();
    let decided = field.run_as(1, &["ballot", "submit", &id, "--exact", &file]).await.done();
    assert_eq!(decided["proposalState"], "Accepted");
}

#[tokio::test]
async fn what_show_prints_and_writes_and_an_id_are_taken_for_the_proposal() {
    let field = Field::start().await;
    let id = field.propose("p.json", &data("0.5", "")).await;
    let shown = field.run(&["proposal", "show", &id, "-o", "written.json"]).await;
    field.file("shown.json", &shown.stdout);
    for source in ["shown.json", "written.json", &id, "p.json"] {
        let out = format!("{}.ballot", &source[..5]);
        let made = field.run(&["ballot", "new", "exact", "--proposal", source, "-o", &out]).await;
        assert_eq!(made.code, 0, "{}", made.stderr);
        let lint = field.run(&["proposal", "lint", source]).await;
        assert!(lint.json()["checks"].as_array().unwrap().iter().any(|c| c["name"] == "arguments"), "{}", lint.stdout);
        let merged = field.run(&["proposal", "merge", source, "p.json"]).await;
        assert_eq!(merged.json()["actions"].as_array().unwrap().len(), 1, "{}", merged.stdout);
    }
    let content = field.run_as(0, &["sign", "--type", "proposal", "--content", "shown.json", "-o", "no.cose"]).await;
    assert!(content.error(2).contains("writes only the proposal"));
    let vote = ["ballot", "submit", &id, "--exact", "shown.json"];
    field.run_as(0, &vote).await.done();
    let sign = ["sign", "--type", "ballot", "--content", "shown.ballot", "--proposal-id", &id, "-o", "b.cose"];
    assert_eq!(field.run_as(1, &sign).await.code, 0);
    assert_eq!(field.run(&["submit", "b.cose"]).await.done()["proposalState"], "Accepted");
    assert_eq!(field.run(&["proposal", "show", &id, "-o", "written.json"]).await.code, 2);
}

#[tokio::test]
async fn an_exact_ballot_that_would_vote_no_is_neither_signed_nor_sent() {
    let field = Field::start().await;
    let id = field.propose("p.json", &data("1", r#", {"name": "trigger_snapshot"}"#)).await;
    let mine = field.path_of("mine.json", &data("1", ""));
    assert_eq!(field.run(&["ballot", "new", "exact", "--proposal", &mine, "-o", "b.json"]).await.code, 0);
    let more = "the service's has one action more: trigger_snapshot";
    let sign = ["sign", "--type", "ballot", "--content", "b.json", "--proposal-id", &id, "-o", "b.cose"];
    let refused = field.run_as(1, &sign).await;
    assert!(refused.code == 3 && Field::all(&refused).contains(more), "{}", refused.stderr);
    assert!(!field.path("b.cose").exists());
    let mut prepare = sign.to_vec();
    prepare[0] = "prepare";
    let refused = field.run_as(1, &prepare).await;
    assert!(refused.code == 3 && Field::all(&refused).contains(more), "{}", refused.stderr);
    let whole = field.run_as(1, &["ballot", "submit", &id, "--ballot", "b.json"]).await;
    assert!(whole.code == 3 && Field::all(&whole).contains(more), "{}", whole.stderr);
    // Signed where there is no service, it is refused where it is sent.
    assert_eq!(field.run_offline_as(1, &sign).await.code, 0);
    let refused = field.run(&["submit", "b.cose"]).await;
    assert!(refused.code == 3 && Field::all(&refused).contains(more), "{}", refused.stderr);
    assert_eq!(field.run(&["proposal", "show", &id]).await.done()["ballotCount"], 0);
}

#[tokio::test]
async fn what_the_evidence_backs_is_voted_on_in_one_step_and_nothing_else_is() {
    let field = Field::start().await;
    let code = field.path_of("code", "an executable");
    let other = field.path_of("other", "another executable");
    let host_data = hex::encode(ccf_gov::digest::sha256(b"an executable"));
    let add = format!(r#"{{"name": "add_virtual_host_data", "args": {{"host_data": "{host_data}"}}}}"#);
    let id = field.propose("p.json", &format!(r#"{{"actions": [{add}, {{"name": "trigger_snapshot"}}]}}"#)).await;
    let vote = |more: &'static str| {
        let arguments = ["ballot", "submit", &id, "--verified", "--also", more, "--evidence", &code];
        arguments.map(String::from).to_vec()
    };
    let refused = field.run_as(0, &["ballot", "submit", &id, "--verified", "--evidence", &code]).await;
    assert!(refused.error(3).contains("nothing was signed"));
    assert_eq!(refused.json()["verdict"], "incomplete");
    let arguments = ["ballot", "submit", &id, "--verified", "--also", "trigger_snapshot", "--evidence", &other];
    let wrong = field.run_as(0, &arguments).await;
    assert!(wrong.error(3).contains("nothing was signed"));
    assert_eq!(wrong.json()["verdict"], "fail");
    assert_eq!(field.run(&["proposal", "show", &id]).await.done()["ballotCount"], 0);
    for member in [0, 1] {
        let vote = vote("trigger_snapshot");
        let voted = field.run_as(member, &vote.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert_eq!(voted.done()["ballotCount"], member as u64 + 1);
    }
    let shown = field.run(&["proposal", "show", &id, "--votes"]).await.done();
    let votes = shown["votes"].as_array().unwrap();
    assert_eq!(
        (&shown["proposalState"], votes.iter().filter(|v| v["kind"] == "exact").count()),
        (&"Accepted".into(), 2)
    );
}
