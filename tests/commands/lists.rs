//! What there is, by names that people use.

use super::*;

impl Field {
    /// A proposal by the first member.
    async fn proposal_of(&self, action: &str, arguments: Value) -> String {
        let proposal = serde_json::json!({"actions": [{"name": action, "args": arguments}]});
        let file = self.file("made.json", &proposal.to_string()).display().to_string();
        let made = self.run_as(0, &["proposal", "submit", &file]).await.done();
        made["proposalId"].as_str().unwrap().to_owned()
    }

    /// The titles and states that `proposal list` shows a member.
    async fn titles(&self, member: usize, options: &[&str]) -> Vec<(String, String)> {
        let listed = self.run_as(member, &[&["proposal", "list"][..], options].concat()).await.done();
        let text = |p: &Value, name: &str| p[name].as_str().unwrap().to_owned();
        listed["value"].as_array().unwrap().iter().map(|p| (text(p, "title"), text(p, "proposalState"))).collect()
    }
}

#[tokio::test]
async fn proposals_are_listed_by_what_they_would_do_and_for_whom_they_wait() {
    let field = Field::start().await;
    let node = field.run(&["node", "list"]).await.done()["value"][1].clone();
    let address = node["rpcInterfaces"].as_object().unwrap().values().next().unwrap()["publishedAddress"].clone();
    let data = serde_json::json!({"node_id": node["nodeId"], "node_data": {}});
    let first = field.proposal_of("set_node_data", data).await;
    let remove = field.proposal_of("remove_node", serde_json::json!({"node_id": node["nodeId"]})).await;
    field.run_as(0, &["ballot", "submit", &remove, "--accept"]).await.done();
    field.run_as(1, &["ballot", "submit", &remove, "--accept"]).await.done();
    let (data, removed) = (
        (format!("set the data of node {}", address.as_str().unwrap()), "Open".to_owned()),
        (format!("remove node {}", address.as_str().unwrap()), "Accepted".to_owned()),
    );
    assert_eq!(field.titles(0, &[]).await, [data.clone(), removed]);
    assert_eq!(field.titles(0, &["--open"]).await, std::slice::from_ref(&data));
    assert_eq!(field.titles(0, &["--mine"]).await, [data]);
    field.run_as(0, &["ballot", "submit", &first, "--accept"]).await.done();
    assert_eq!(field.titles(0, &["--mine"]).await, []);
    assert_eq!(field.titles(1, &["--mine"]).await.len(), 1);
    let listed = field.run(&["proposal", "list"]).await.done();
    assert!(listed["transactionId"].is_string(), "{listed}");
    assert_eq!(
        (&listed["value"][0]["waitsForYou"], &listed["value"][0]["proposerName"]),
        (&Value::Null, &"member0".into())
    );

    let shown = field.run_as(1, &["proposal", "show", &remove, "--votes"]).await.done();
    let votes: Vec<_> =
        shown["votes"].as_array().unwrap().iter().map(|v| (&v["name"], &v["you"], &v["voted"])).collect();
    let vote = |n: usize, you, voted| (Value::from(format!("member{n}")), Value::from(you), Value::from(voted));
    let expected = [vote(0, false, true), vote(1, true, true), vote(2, false, false)];
    assert_eq!(votes, expected.iter().map(|(a, b, c)| (a, b, c)).collect::<Vec<_>>());

    let waited = field.run(&["proposal", "wait", &first, "--timeout", "1"]).await;
    assert_eq!(waited.code, 6);
    let missing: Vec<_> = waited.json()["missing"].as_array().unwrap().iter().map(|m| m["name"].clone()).collect();
    assert_eq!(missing, ["member1", "member2"]);
}

#[tokio::test]
async fn members_are_listed_by_name() {
    let field = Field::start().await;
    let listed = field.run_as(2, &["member", "list"]).await.done();
    let members = listed["value"].as_array().unwrap();
    let names: Vec<_> = members.iter().map(|m| (m["name"].as_str().unwrap(), m["you"].as_bool().unwrap())).collect();
    assert_eq!(names, [("member0", false), ("member1", false), ("member2", true)]);
    assert!(members.iter().all(|m| m["certificateValidity"]["notAfter"].is_string()), "{listed}");
    assert!(listed["transactionId"].is_string());
}

#[tokio::test]
async fn tables_fit_sixty_columns() {
    let field = Field::start().await;
    let node = field.run(&["node", "list"]).await.done()["value"][1]["nodeId"].clone();
    let id = field.proposal_of("remove_node", serde_json::json!({"node_id": node})).await;
    for command in [&["node", "list"][..], &["member", "list"], &["proposal", "list"]] {
        let ran = field.run_human(command).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stdout.lines().all(|line| line.chars().count() <= 60), "{}", ran.stdout);
    }
    let votes = field.run_human(&["proposal", "show", "--votes"]).await.stdout;
    let (_, votes) = votes.split_once("Votes     0 of 3 members\n").unwrap();
    assert!(votes.lines().all(|line| line.chars().count() <= 60), "{votes}");
    // What is printed is taken back.
    let listed = field.run_human(&["proposal", "list"]).await.stdout;
    let short = listed.lines().nth(1).unwrap().split_whitespace().next().unwrap();
    assert_eq!(field.run(&["proposal", "show", short]).await.done()["proposalId"], *id);
}

#[tokio::test]
async fn a_module_is_shown_with_and_without_its_slash() {
    let field = Field::start().await;
    let endpoint = serde_json::json!({"js_module": "hello.js", "js_function": "hi", "mode": "readonly",
        "forwarding_required": "sometimes", "authn_policies": [], "openapi": {}});
    let module = serde_json::json!({"name": "hello.js", "module": "export function hi() { return {}; }"});
    let bundle = serde_json::json!({"metadata": {"endpoints": {"/hi": {"get": endpoint}}}, "modules": [module]});
    let id = field.proposal_of("set_js_app", serde_json::json!({"bundle": bundle})).await;
    for member in [0, 1] {
        field.run_as(member, &["ballot", "submit", &id, "--accept"]).await.done();
    }
    for name in ["hello.js", "/hello.js"] {
        let shown = field.run(&["service", "app", "--module", name]).await.done();
        assert!(shown["module"].as_str().unwrap().contains("hi()"), "{shown}");
        assert!(shown["transactionId"].is_string(), "{shown}");
    }
    let unknown = field.run(&["service", "app", "--module", "bye.js"]).await.error(4);
    assert!(unknown.contains("no module bye.js") && unknown.contains("hello.js"), "{unknown}");
}
