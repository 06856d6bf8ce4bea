//! Ballots are run before they are signed.

use super::*;
use serde_json::json;

const DATA: &str = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

impl Field {
    /// Member 0 proposes to register host data; the id.
    async fn registration(&self) -> String {
        let actions = json!([{"name": "add_virtual_host_data", "args": {"host_data": DATA}}]);
        let file = self.file("p.json", &json!({ "actions": actions }).to_string()).display().to_string();
        self.run_as(0, &["proposal", "submit", &file]).await.done()["proposalId"].as_str().unwrap().to_owned()
    }

    /// A ballot of one's own.
    fn ballot(&self, name: &str, body: &str) -> String {
        let script = format!("export function vote(proposal, proposerId) {{\n  {body}\n}}");
        self.file(name, &json!({ "ballot": script }).to_string()).display().to_string()
    }

    async fn ballots_held(&self, id: &str) -> u64 {
        self.run(&["proposal", "show", id]).await.done()["ballotCount"].as_u64().unwrap()
    }
}

#[tokio::test]
async fn a_ballot_that_would_not_count_is_not_signed_unless_anyway() {
    let field = Field::start().await;
    let id = field.registration().await;
    let throws = field.ballot("throws.json", "const x = null;\n  return x.y;");
    let error = field.run_as(0, &["ballot", "submit", &id, "--ballot", &throws]).await.error(3);
    assert!(error.contains("nothing was signed: the ballot throws, so it gives no vote: TypeError"), "{error}");
    let ran = field.run_for_people(0, &["ballot", "submit", &id, "--ballot", &throws]).await;
    assert!(ran.code == 3 && ran.stderr.contains(":3"), "the line: {}", ran.stderr);
    let broken = field.file("broken.json", &json!({"ballot": "export function vote( {"}).to_string());
    let error = field.run_as(0, &["ballot", "submit", &id, "--ballot", &broken.display().to_string()]).await.error(3);
    assert!(error.contains("does not load"), "{error}");
    let sign = ["sign", "--type", "ballot", "--content", &throws, "--proposal-id", &id, "-o", "ballot.cose"];
    field.run_as(0, &sign).await.error(3);
    assert!(!field.path("ballot.cose").exists());
    assert_eq!(field.ballots_held(&id).await, 0);

    assert_eq!(field.run_as(0, &[&sign[..], &["--anyway"]].concat()).await.code, 0);
    field.run_as(0, &["ballot", "submit", &id, "--ballot", &throws, "--anyway"]).await.done();
    assert_eq!(field.ballots_held(&id).await, 1);
}

#[tokio::test]
async fn what_a_ballot_answers_is_shown_before_it_is_signed() {
    let field = Field::start().await;
    let id = field.registration().await;
    let reads = "return ccf.kv['public:ccf.gov.members.info'].size === 3;";
    let yes = field.ballot("yes.json", reads);
    let no = field.ballot("no.json", &reads.replace("=== 3", "=== 4"));
    for (member, flag, file, answer) in
        [(0, "--ballot", Some(&no), "no"), (1, "--ballot", Some(&yes), "yes"), (2, "--accept", None, "yes")]
    {
        let arguments = ["ballot", "submit", &id, flag].into_iter().chain(file.map(String::as_str));
        let ran = field.run_for_people(member, &arguments.collect::<Vec<_>>()).await;
        assert!(ran.code == 0 && ran.stderr.contains(&format!("when run    {answer}\n")), "{}", ran.stderr);
    }
    let decided = field.run(&["proposal", "show", &id]).await.done();
    assert_eq!(decided["proposalState"], "Accepted", "{decided}");
}

#[tokio::test]
async fn a_guarded_ballot_whose_guard_no_longer_holds_is_not_signed() {
    let field = Field::start().await;
    let id = field.registration().await;
    let members = field.run(&["member", "list"]).await.json();
    let last = members["value"][2]["memberId"].as_str().unwrap().to_owned();
    let guard = format!("member={last}");
    let made =
        field.run(&["ballot", "new", "guarded", "--proposal", &id, "--guard", &guard, "-o", "guarded.json"]).await;
    assert_eq!(made.code, 0, "{}", made.stderr);
    let data = json!({"member_id": last, "member_data": {"role": "changed"}});
    let other = json!({"actions": [{"name": "set_member_data", "args": data}]});
    let other = field.file("q.json", &other.to_string()).display().to_string();
    let between = field.run_as(0, &["proposal", "submit", &other]).await.done()["proposalId"].clone();
    for voter in [0, 1] {
        field.run_as(voter, &["ballot", "submit", between.as_str().unwrap(), "--accept"]).await.done();
    }
    let submit = ["ballot", "submit", &id, "--ballot", "guarded.json"];
    let error = field.run_as(1, &submit).await.error(3);
    assert!(error.contains("it votes no on this proposal in this state of the service"), "{error}");
    field.run_as(1, &[&submit[..], &["--anyway"]].concat()).await.done();
}

#[tokio::test]
async fn a_ballot_is_tested_on_the_service() {
    let field = Field::start().await;
    let id = field.registration().await;
    let run = async |file: &str, more: &[&str]| {
        field.run_as(0, &[&["ballot", "test", file, "--proposal", &id[..8]], more].concat()).await
    };
    let yes = field.ballot("yes.json", "return ccf.kv['public:ccf.gov.members.info'].size === 3;");
    let tested = run(&yes, &[]).await.done();
    assert_eq!(
        (&tested["answer"], &tested["proposalId"], &tested["uncertain"]),
        (&json!("yes"), &json!(id), &json!([]))
    );
    let no = run(&field.ballot("no.json", "return false;"), &["--member", "member1"]).await;
    assert_eq!((no.code, &no.json()["answer"], &no.json()["kind"]), (3, &json!("no"), &json!("reject")));
    let throws = run(&field.ballot("throws.json", "const x = null;\n  return x.y;"), &[]).await;
    assert_eq!((throws.code, &throws.json()["answer"]), (1, &json!("throws")));
    assert!(throws.json()["trace"].as_str().unwrap().contains(":3"), "{throws:?}");
    let unknown = field.ballot("acks.json", "return ccf.kv['public:ccf.gov.members.acks'].size === 0;");
    let tested = run(&unknown, &[]).await.json();
    assert_eq!(tested["uncertain"][0]["what"], "public:ccf.gov.members.acks", "{tested}");
    let not_submitted = field.run_as(0, &["ballot", "test", &yes, "--proposal", "p.json"]).await.done();
    assert_eq!(not_submitted["proposalId"], Value::Null);
    field.run_as(0, &["ballot", "test", &yes, "--proposal", &"0".repeat(64)]).await.error(4);
    let error = run(&yes, &["--member", "nobody"]).await.error(2);
    assert!(error.contains(r#"no member "nobody""#), "{error}");
    assert_eq!(field.ballots_held(&id).await, 0);
}
