//! What a person sees before signing, and what is not signed because it would be in vain.

use serde_json::json;

use super::*;
use ccf_gov::cose::MemberCertificate;

fn id(json: &Value) -> String {
    json["proposalId"].as_str().expect("a proposal's id").to_owned()
}

fn member(n: usize) -> String {
    let pem = std::fs::read(keys().join(format!("member{n}_cert.pem"))).unwrap();
    MemberCertificate::from_pem(&pem).unwrap().member_id().to_string()
}

impl Field {
    fn proposal(&self, name: &str, action: &str, args: Value) -> String {
        let proposal = json!({"actions": [{"name": action, "args": args}]});
        self.file(name, &proposal.to_string()).display().to_string()
    }

    fn removal(&self) -> String {
        let node = self.sandbox.primary().unwrap().to_string();
        self.proposal("remove_node.json", "remove_node", json!({"node_id": node}))
    }

    async fn pass(&self, proposal: &str) {
        for member in [0, 1] {
            self.run_as(member, &["ballot", "submit", proposal, "--accept"]).await.done();
        }
    }
}

#[tokio::test]
async fn the_same_actions_are_proposed_once_unless_asked_for_again() {
    let field = Field::start().await;
    let file = field.proposal("p.json", "set_recovery_threshold", json!({"recovery_threshold": 2}));
    let made = id(&field.run_as(0, &["proposal", "submit", &file]).await.done());
    for member in [0, 1] {
        let refused = field.run_as(member, &["proposal", "submit", &file]).await.error(3);
        assert!(refused.contains(&made) && refused.contains("Open") && refused.contains("--again"), "{refused}");
    }
    let again = id(&field.run_as(1, &["proposal", "submit", &file, "--again"]).await.done());
    assert_ne!(made, again);
    field.run_as(1, &["proposal", "withdraw", &again]).await.done();
    field.pass(&made).await;
    let refused = field.run_as(0, &["proposal", "submit", &file]).await.error(3);
    assert!(refused.contains(&made) && refused.contains("Accepted"), "{refused}");
    assert_eq!(field.run(&["proposal", "list"]).await.done()["value"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn ballots_and_withdrawals_in_vain_are_not_signed() {
    let field = Field::start().await;
    let file = field.proposal("p.json", "set_recovery_threshold", json!({"recovery_threshold": 2}));
    let made = id(&field.run_as(0, &["proposal", "submit", &file]).await.done());
    let refused = field.run_as(1, &["proposal", "withdraw", &made]).await.error(4);
    assert!(refused.contains("nothing was signed") && refused.contains(&member(0)), "{refused}");

    field.run_as(1, &["ballot", "submit", &made, "--reject"]).await.done();
    let again = field.run_for_people(1, &["ballot", "submit", &made, "--reject"]).await;
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.stderr.contains("Nothing was signed: you have voted this way already"), "{again:?}");
    assert!(!again.stderr.contains("To be signed"), "{again:?}");
    let refused = field.run_as(1, &["ballot", "submit", &made, "--accept"]).await.error(4);
    assert!(refused.contains("nothing was signed") && refused.contains("(reject)"), "{refused}");

    field.run_as(0, &["proposal", "withdraw", &made]).await.done();
    let again = field.run_as(0, &["proposal", "withdraw", &made]).await.done();
    assert_eq!((&again["proposalState"], &again["transactionId"]), (&"Withdrawn".into(), &Value::Null));
    assert_eq!(again["repeated"], "withdrawn");
    let refused = field.run_as(2, &["ballot", "submit", &made, "--accept"]).await.error(4);
    assert!(refused.contains("no longer open") && refused.contains("Withdrawn"), "{refused}");

    // So too where the envelope is sent by somebody else.
    field.file("yes.json", r#"{"ballot": "export function vote (p, id) { return true; }"}"#);
    let ballot = ["--type", "ballot", "--content", "yes.json", "--proposal-id", &made];
    let sign = [&["sign"], &ballot[..], &["-o", "b.cose"]].concat();
    assert!(field.run_as(2, &sign).await.error(4).contains("no longer open"));
    assert!(!field.path("b.cose").exists());
    let prepare = [&["prepare"], &ballot[..], &["-o", "b.json"]].concat();
    assert!(field.run_as(2, &prepare).await.error(4).contains("no longer open"));
    let nothing = "0".repeat(64);
    let sign = ["sign", "--type", "withdrawal", "--proposal-id", &nothing, "-o", "w.cose"];
    assert!(field.run_as(0, &sign).await.error(4).contains("holds no proposal"));
}

#[tokio::test]
async fn nobody_but_an_active_member_signs() {
    let field = Field::start().await;
    let file = field.proposal("p.json", "set_recovery_threshold", json!({"recovery_threshold": 2}));
    assert_eq!(field.run(&["keys", "generate", "dora"]).await.code, 0);
    let dora = ["--key", "dora_privk.pem", "--cert", "dora_cert.pem"];
    let submit = [&["proposal", "submit", &file], &dora[..]].concat();
    assert!(field.run(&submit).await.error(4).contains("not a member"));
    let activate = [&["member", "activate"], &dora[..]].concat();
    assert!(field.run(&activate).await.error(4).contains("not a member"));

    let certificate = std::fs::read_to_string(field.path("dora_cert.pem")).unwrap();
    let join = field.proposal("join.json", "set_member", json!({"cert": certificate}));
    let made = id(&field.run_as(0, &["proposal", "submit", &join]).await.done());
    field.pass(&made).await;
    assert!(field.run(&submit).await.error(4).contains("ccf-gov member activate"));
    assert_eq!(field.run(&activate).await.code, 0);
    field.run(&submit).await.done();
}

#[tokio::test]
async fn nodes_and_votes_are_shown_next_to_the_question() {
    let field = Field::start().await;
    let file = field.removal();
    let made = field.run_for_people(0, &["proposal", "submit", &file]).await;
    let address = field.urls[0].strip_prefix("https://").unwrap().rsplit_once(':').unwrap().0.to_owned();
    assert!(made.stderr.contains(&format!("| {address}:")), "{}", made.stderr);
    assert!(made.stderr.contains("Trusted: primary; runs virtual host data "), "{}", made.stderr);
    let list = field.run(&["proposal", "list"]).await.done();
    let made = id(&list["value"][0]);
    field.run_as(0, &["ballot", "submit", &made, "--exact", &file]).await.done();
    let shown = field.run_for_people(1, &["ballot", "submit", &made, "--exact", &file]).await;
    let shown = shown.stderr.split("To be signed").nth(1).unwrap().to_owned();
    let at = |text: &str| shown.find(text).unwrap_or_else(|| panic!("{text}: {shown}"));
    assert!(at("algorithm") < at("votes       1 so far, of 3 active members"));
    assert!(
        at(&format!("{} (member0) yes, on exactly these actions", member(0))) < at("vote: yes on exactly this action")
    );
    assert!(at("vote: yes") < at("1. remove_node") && at("1. remove_node") < at("Trusted: primary"));
    assert!(!shown.contains("function same"), "{shown}");

    let nobody = field.proposal(
        "nobody.json",
        "transition_node_to_trusted",
        json!({"node_id": "0".repeat(64), "valid_from": "261125171738Z"}),
    );
    let shown = field.run_for_people(0, &["proposal", "submit", &nobody]).await.stderr;
    assert!(shown.contains("no such node"), "{shown}");
}

#[tokio::test]
async fn a_new_constitution_is_shown_as_a_difference() {
    let field = Field::start().await;
    let rules = ccf_gov::constitution::DEFAULT;
    let line = rules.lines().find(|l| l.contains("return")).unwrap();
    let changed = rules.replacen(line, &format!("{line} // evil"), 1);
    let file = field.proposal("c.json", "set_constitution", json!({"constitution": changed}));
    let shown = field.run_for_people(0, &["proposal", "submit", &file]).await.stderr;
    assert!(shown.contains("identical but for 1 line") && shown.contains("// evil"), "{shown}");
    assert!(shown.lines().count() < 30, "{shown}");
    let made = id(&field.run(&["proposal", "list"]).await.done()["value"][0]);
    let shown = field.run_for_people(0, &["proposal", "show", &made]).await.stdout;
    assert!(shown.contains("identical but for 1 line") && shown.contains("// evil"), "{shown}");
    // Without a service, that is said.
    let sign = ["sign", "--type", "proposal", "--content", "c.json", "-o", "c.cose"].map(String::from).to_vec();
    let keys = ["--key", "--cert"].into_iter().zip(["privk", "cert"]);
    let keys = keys.flat_map(|(flag, kind)| [flag.into(), keys_file(kind)]);
    let offline = field.run_plain(sign.into_iter().chain(keys).collect()).await;
    assert_eq!(offline.code, 0, "{offline:?}");
    assert!(offline.stderr.contains("not compared with the constitution in force"), "{offline:?}");
}

#[tokio::test]
async fn a_request_from_the_future_is_reported() {
    let field = Field::start().await;
    let file = field.proposal("p.json", "set_recovery_threshold", json!({"recovery_threshold": 2}));
    let made = id(&field.run_as(0, &["proposal", "submit", &file]).await.done());
    field.file("yes.json", r#"{"ballot": "export function vote (p, id) { return true; }"}"#);
    let sign = [
        "sign",
        "--type",
        "ballot",
        "--content",
        "yes.json",
        "--proposal-id",
        &made,
        "--created-at",
        "2100-01-01T00:00:00Z",
    ];
    let out = ["-o", "b.cose"];
    let ran = field.run_for_people(0, &[&sign[..], &out[..]].concat()).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("2100-01-01T00:00:00Z is ") && ran.stderr.contains("in the future"), "{ran:?}");
    let shown = field.run_for_people(0, &["inspect", "b.cose"]).await;
    assert!(shown.stdout.contains("in the future"), "{shown:?}");
    // What a ballot is about is fetched.
    assert!(
        shown
            .stdout
            .contains("vote: yes, whatever the proposal is\n  on the proposal to\n    1. set_recovery_threshold"),
        "{shown:?}"
    );
    assert!(shown.stdout.contains("| the threshold is ") && shown.stdout.contains("  state       Open"), "{shown:?}");
    let sent = field.run_for_people(0, &["submit", "b.cose"]).await;
    assert!(sent.stderr.contains("in the future"), "{sent:?}");
}

#[tokio::test]
async fn a_certificate_that_expires_soon_is_reported_with_the_way_out() {
    let field = Field::start().await;
    assert_eq!(field.run(&["keys", "generate", "dora", "--days", "20"]).await.code, 0);
    field.proposal("p.json", "set_recovery_threshold", json!({"recovery_threshold": 2}));
    let sign = ["sign", "--yes", "--type", "proposal", "--content", "p.json", "-o", "p.cose"];
    let key = ["--key", "dora_privk.pem", "--cert", "dora_cert.pem"];
    let ran = field.run_plain([&sign[..], &key[..]].concat().into_iter().map(String::from).collect()).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("expires in 19 days") || ran.stderr.contains("expires in 20 days"), "{ran:?}");
    assert!(ran.stderr.contains("proposal new set_member"), "{ran:?}");
}

fn keys_file(kind: &str) -> String {
    keys().join(format!("member0_{kind}.pem")).display().to_string()
}

#[tokio::test]
async fn signing_goes_on_without_the_service() {
    let field = Field::start().await;
    field.file("yes.json", r#"{"ballot": "export function vote (p, id) { return true; }"}"#);
    let mut arguments: Vec<String> =
        ["sign", "--type", "ballot", "--content", "yes.json", "-o", "b.cose", "--proposal-id"].map(String::from).into();
    arguments.extend(["7".repeat(64), "--service".into(), "https://127.0.0.1:1".into()]);
    arguments.extend(["--service-cert", "service_cert.pem", "--key"].map(String::from));
    arguments.extend([keys_file("privk"), "--cert".into(), keys_file("cert")]);
    let ran = field.run_plain(arguments).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("was not compared with what the service holds"), "{ran:?}");
}
