//! Wherever an id is taken: its first digits, an address, a name, or nothing where only one can be meant.

use ccf_gov::cose::MemberCertificate;

use super::*;

/// A member's id and the name in its certificate.
fn member(n: usize) -> (String, String) {
    let pem = std::fs::read(keys().join(format!("member{n}_cert.pem"))).unwrap();
    let certificate = MemberCertificate::from_pem(&pem).unwrap();
    (certificate.member_id().to_string(), certificate.common_name().unwrap().to_owned())
}

impl Field {
    /// A proposal that does nothing much to the primary.
    async fn proposed(&self, n: usize) -> String {
        let node = self.sandbox.primary().unwrap();
        let action = serde_json::json!({"name": "set_node_data", "args": {"node_id": node, "node_data": {"n": n}}});
        let file = self.file("p.json", &serde_json::json!({"actions": [action]}).to_string()).display().to_string();
        let made = self.run_as(0, &["proposal", "submit", &file]).await.done();
        made["proposalId"].as_str().unwrap().to_owned()
    }

    /// The primary's id and address.
    fn first_node(&self) -> (String, String) {
        let id = self.sandbox.primary().unwrap();
        let node = self.sandbox.nodes().into_iter().find(|n| n.id == id).unwrap();
        (id.to_string(), node.url.strip_prefix("https://").unwrap().to_owned())
    }
}

#[tokio::test]
async fn a_proposal_is_meant_by_its_first_digits_or_by_being_the_only_open_one() {
    let field = Field::start().await;
    for command in [&["proposal", "show"][..], &["proposal", "wait"], &["ballot", "submit", "--accept"]] {
        assert!(field.run_as(0, command).await.error(4).contains("no open proposal"), "{command:?}");
    }
    let id = field.proposed(1).await;
    let (prefix, upper) = (&id[..8], id.to_uppercase());
    for given in [&[prefix][..], &[&upper], &[]] {
        let shown = field.run(&[&["proposal", "show"][..], given].concat()).await;
        assert_eq!(shown.done()["proposalId"], *id);
    }
    let waited = field.run(&["proposal", "wait", prefix, "--timeout", "0"]).await;
    assert_eq!((waited.code, waited.json()["proposalId"].as_str()), (6, Some(id.as_str())));
    let voted = field.run_as(0, &["ballot", "submit", prefix, "--accept"]).await;
    assert_eq!(voted.done()["ballotCount"], 1);
    field.file("yes.json", r#"{"ballot": "export function vote (p, id) { return true; }"}"#);
    let sign = ["sign", "--type", "ballot", "--content", "yes.json", "-o", "b.cose", "--proposal-id", prefix];
    assert_eq!(field.run_as(1, &sign).await.done()["proposal_id"], *id);
    let unknown = field.run(&["proposal", "show", "00000000"]).await.error(4);
    assert!(unknown.contains("no proposal 00000000") && unknown.contains(&id), "{unknown}");

    let second = field.proposed(2).await;
    let several = field.run_as(0, &["ballot", "submit", "--accept"]).await.error(2);
    assert!(several.contains(&id) && several.contains(&second), "{several}");
    assert_eq!(field.run_as(0, &["proposal", "withdraw", &second[..9]]).await.done()["proposalState"], "Withdrawn");
    let decided = field.run_as(1, &["ballot", "submit", "--accept"]).await.done();
    assert_eq!((decided["proposalId"].as_str(), &decided["proposalState"]), (Some(id.as_str()), &"Accepted".into()));
}

#[tokio::test]
async fn a_node_is_meant_by_its_first_digits_or_its_address() {
    let field = Field::start().await;
    let (id, address) = field.first_node();
    let (url, port) = (format!("https://{address}"), address.rsplit_once(':').unwrap().1.to_owned());
    for given in [&id[..8], &address, &url, &port] {
        assert_eq!(field.run(&["node", "show", given]).await.done()["nodeId"], *id, "{given}");
    }
    let refused = field.run(&["node", "delete", &address]).await.error(3);
    assert!(refused.contains(&id), "{refused}");
    let verified = field.run(&["verify", "node", &port]).await;
    assert_eq!(verified.json()["node_id"], *id, "{verified:?}");
    let unknown = field.run(&["node", "show", "127.0.0.1:1"]).await.error(4);
    assert!(unknown.contains("no node 127.0.0.1:1") && unknown.contains(&address), "{unknown}");
}

#[tokio::test]
async fn proposals_are_written_with_addresses_and_names_for_ids() {
    let field = Field::start().await;
    let ((node, address), (alice, name)) = (field.first_node(), member(0));
    let node_id = format!("node_id={address}");
    let made = field.run(&["proposal", "new", "remove_node", "--set", &node_id]).await;
    assert_eq!(made.done()["actions"][0]["args"]["node_id"], *node);
    assert_eq!(made.stderr, "");
    let told = field.run_human(&["proposal", "new", "remove_node", "--set", &node_id]).await.stderr;
    assert!(told.contains(&node) && told.contains("Trusted"), "{told}");
    for given in [&name, &alice[..10]] {
        let made = field.run(&["proposal", "new", "remove_member", "--set", &format!("member_id={given}")]).await;
        assert_eq!(made.done()["actions"][0]["args"]["member_id"], *alice, "{given}");
    }
    let unknown = field.run(&["proposal", "new", "remove_member", "--set", "member_id=nobody"]).await.error(4);
    assert!(unknown.contains("no member nobody") && unknown.contains(&name), "{unknown}");
}
