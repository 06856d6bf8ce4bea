//! What needs no proposal: reads, and refusals before anything is sent.

use ccf_gov::cose::MemberCertificate;

use super::*;
use crate::support::server::{Authority, Reply, Server};

#[tokio::test]
async fn the_service_is_shown() {
    let field = Field::start().await;
    let info = field.run(&["service", "info"]).await.done();
    assert_eq!(info["status"], "Open");
    assert!(info["certificateValidity"]["notAfter"].is_string(), "{info}");
    assert_eq!(info["primaryId"], field.sandbox.primary().unwrap().to_string());
    let policy = field.run(&["service", "join-policy"]).await.done();
    assert_eq!(policy["virtual"]["hostData"].as_array().unwrap().len(), 1);
    assert_eq!(field.run(&["service", "wait", "2.1"]).await.done()["status"], "Committed");
    let never = field.run(&["service", "wait", "9.99999"]).await;
    assert_eq!((never.code, &never.json()["status"]), (3, &"Unknown".into()));
    assert!(field.run(&["service", "app"]).await.done()["endpoints"].is_object());
    assert!(field.run(&["service", "constitution"]).await.done()["constitution"].is_string());
    assert_eq!(field.run(&["proposal", "list"]).await.done()["value"], serde_json::json!([]));
    for command in [
        &["service", "info"][..],
        &["service", "join-policy"],
        &["service", "constitution"],
        &["service", "app"],
        &["member", "list"],
        &["node", "list"],
        &["proposal", "list"],
    ] {
        let ran = field.run(command).await;
        assert_eq!((&ran.done()["committed"], ran.stderr.as_str()), (&true.into(), ""), "{command:?}");
        assert!(ran.done()["transactionId"].is_string(), "{command:?}");
    }
}

#[tokio::test]
async fn what_is_not_committed_is_said_to_be_so_and_verifies_nothing() {
    let authority = Authority::new();
    let server = Server::start(&authority, |asked| {
        let body = match asked.path() {
            "/gov/service/members" | "/gov/service/nodes" => serde_json::json!({"value": []}),
            "/node/attestations" => serde_json::json!({"attestations": []}),
            "/node/version" => serde_json::json!({"ccf_version": "ccf-7.0.0"}),
            path if path.starts_with("/gov/service/transactions/") => serde_json::json!({"status": "Pending"}),
            "/gov/service/join-policy" => serde_json::json!({}),
            _ => return Reply::error(404, "ResourceNotFound", "Unknown path"),
        };
        Reply::at("2.5", &body)
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cert.pem"), &authority.pem).unwrap();
    std::fs::write(folder.path().join("program"), "a program").unwrap();
    let ask = async |command: &[&str]| {
        let common = ["--service", &server.url(), "--service-cert", "cert.pem", "--output", "json"];
        run(folder.path(), command.iter().chain(&common).map(ToString::to_string).collect()).await
    };
    let (list, verified) = tokio::join!(ask(&["member", "list"]), ask(&["verify", "service", "--evidence", "program"]));
    assert_eq!(list.done()["committed"], false);
    let warning = list.json()["warnings"][0].as_str().unwrap().to_owned();
    assert!(warning.contains("transaction 2.5, which is not committed yet"), "{warning}");
    assert_eq!(list.stderr, "");
    assert_eq!((verified.code, &verified.json()["verdict"]), (3, &"incomplete".into()));
    assert_eq!(verified.json()["checks"][0]["name"], "committed");
}

#[tokio::test]
async fn members_and_nodes_are_listed() {
    let field = Field::start().await;
    let members = field.run(&["member", "list"]).await.done();
    assert_eq!(members["value"].as_array().unwrap().len(), 3);
    let nodes = field.run(&["node", "list"]).await.done();
    let primaries = nodes["value"].as_array().unwrap().iter().filter(|n| n["primary"] == true).count();
    assert_eq!((nodes["value"].as_array().unwrap().len(), primaries), (3, 1));
    let id = field.sandbox.primary().unwrap().to_string();
    let node = field.run(&["node", "show", &id]).await.done();
    assert_eq!((node["nodeId"].as_str(), &node["status"]), (Some(id.as_str()), &"Trusted".into()));
    let nobody = "c".repeat(64);
    assert!(field.run(&["node", "show", &nobody]).await.error(4).contains("no node"));
    assert!(field.run(&["node", "delete", &nobody]).await.error(4).contains("no node"));
    assert!(field.run(&["node", "delete", &id]).await.error(3).contains("trusted node"));
    assert!(field.run(&["proposal", "show", &nobody]).await.error(4).contains("holds no proposal"));
    assert!(field.run(&["proposal", "wait", &nobody]).await.error(4).contains("holds no proposal"));
}

#[tokio::test]
async fn members_activate_themselves() {
    let mut options = options(1);
    options.open = false;
    let field = Field::with(options).await;
    let file = std::fs::read(keys().join("member1_cert.pem")).unwrap();
    let member = MemberCertificate::from_pem(&file).unwrap().member_id().to_string();
    for _ in 0..2 {
        let done = field.run_as(1, &["member", "activate"]).await.done();
        assert_eq!((done["memberId"].as_str(), &done["status"]), (Some(member.as_str()), &"Active".into()));
    }
    let list = field.run(&["member", "list"]).await.done();
    let active: Vec<_> = list["value"].as_array().unwrap().iter().filter(|m| m["status"] == "Active").collect();
    assert_eq!(active.len(), 1);
    assert_eq!(active[0]["memberId"], member);
}

#[tokio::test]
async fn a_service_that_is_not_there_or_not_one_has_its_own_exit_code() {
    let (authority, other) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cert.pem"), &authority.pem).unwrap();
    let ask = async |server: &Server| {
        let arguments =
            ["service", "info", "--service", &server.url(), "--service-cert", "cert.pem", "--output", "json"];
        run(folder.path(), arguments.map(String::from).to_vec()).await
    };
    let stranger = Server::start(&other, |_| Reply::close()).await;
    assert!(ask(&stranger).await.error(5).contains("it is not signed by the service certificate (it shows subject "));
    let hasty = Server::start(&authority, |_| Reply::close()).await;
    assert!(ask(&hasty).await.error(5).contains("the connection ended before the answer did"));
    let mail = Server::start(&authority, |_| Reply::raw(b"220 mail.example ESMTP\r\n")).await;
    assert!(ask(&mail).await.error(5).contains("it does not answer in HTTP"));
    let mute = Server::start(&authority, |_| Reply::hang()).await;
    assert!(ask(&mute).await.error(5).contains("no answer within"));
    let elsewhere = stranger.url();
    let away = Server::start(&authority, move |_| Reply::redirect(307, &elsewhere)).await;
    assert!(
        ask(&away)
            .await
            .error(5)
            .contains("which is not a node of the service: it is not signed by the service certificate")
    );
    let web = Server::start(&authority, |_| Reply::text(200, "<html>It works!</html>")).await;
    assert!(ask(&web).await.error(1).contains("cannot understand the answer of"));
    let refusing = Server::start(&authority, |_| Reply::error(400, "UnsupportedApiVersionValue", "no")).await;
    assert!(ask(&refusing).await.error(4).contains("--api-version"));
}
