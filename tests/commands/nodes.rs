//! Nodes as their operator sees them.

use super::*;

impl Field {
    /// Lets the members accept a proposal of one action.
    async fn accepted(&self, action: &str, arguments: Value) {
        let proposal = serde_json::json!({"actions": [{"name": action, "args": arguments}]});
        let file = self.file("decided.json", &proposal.to_string()).display().to_string();
        let made = self.run_as(0, &["proposal", "submit", &file]).await.done();
        for member in [0, 1] {
            let id = made["proposalId"].as_str().unwrap();
            self.run_as(member, &["ballot", "submit", id, "--accept"]).await.done();
        }
    }
}

#[tokio::test]
async fn the_list_is_sorted_and_says_what_each_node_runs() {
    let field = Field::start().await;
    let listed = field.run(&["node", "list"]).await.done();
    assert!(listed["transactionId"].is_string() && listed["committed"] == true, "{listed}");
    let nodes = listed["value"].as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    let addresses: Vec<_> = nodes[1..].iter().map(|n| n["rpcInterfaces"].to_string()).collect();
    assert!(addresses.is_sorted(), "{addresses:?}");
    for (at, node) in nodes.iter().enumerate() {
        assert_eq!((&node["primary"], &node["answers"]), (&(at == 0).into(), &true.into()), "{node}");
        assert_eq!(node["code"]["platform"], "virtual");
        assert_eq!(node["code"]["hostData"], node["quoteInfo"]["details"]["hostData"]);
        assert!(node["certificateValidity"]["notAfter"].is_string(), "{node}");
        assert!(node["ccfVersion"].is_string(), "{node}");
    }
    let shown = field.run(&["node", "show", nodes[0]["nodeId"].as_str().unwrap()]).await.done();
    assert_eq!((&shown["primary"], &shown["code"]), (&true.into(), &nodes[0]["code"]));
    assert!(shown["transactionId"].is_string());
}

#[tokio::test]
async fn a_node_is_waited_for_until_it_can_be_stopped() {
    let field = Field::start().await;
    let listed = field.run(&["node", "list"]).await.done();
    let backup = listed["value"][2]["nodeId"].as_str().unwrap().to_owned();
    let caught_up = field.run(&["node", "wait", &backup, "--caught-up"]).await;
    assert_eq!(caught_up.done()["caughtUp"], true);
    let early = field.run(&["node", "wait", &backup, "--removable", "--timeout", "0"]).await;
    assert_eq!((early.code, early.json()["status"].as_str()), (6, Some("Trusted")), "{early:?}");
    field.accepted("remove_node", serde_json::json!({"node_id": backup})).await;
    for goal in ["--retired", "--removable"] {
        assert_eq!(field.run(&["node", "wait", &backup, goal]).await.done()["status"], "Retired", "{goal}");
    }
    assert!(field.run(&["node", "wait", &backup, "--caught-up"]).await.error(3).contains("it is Retired"));
    let running = field.run(&["node", "delete", &backup]).await;
    assert_eq!((&running.done()["deleted"], &running.done()["answers"]), (&true.into(), &true.into()));
    assert!(field.run(&["node", "wait", &backup, "--removable"]).await.error(4).contains("no node"));
    let none = field.run(&["node", "wait", &backup]).await;
    assert_eq!(none.code, 2);
}
