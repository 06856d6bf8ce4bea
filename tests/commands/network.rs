//! Services that are partly gone, contradict themselves, or are somebody else's.

use std::process::Stdio;
use std::time::{Duration, Instant};

use ccf_gov::service::ShownCertificate;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use super::*;
use crate::support::server::{Asked, Authority, NodeKey, Reply, Server};

/// A node that lists itself alone, at this transaction.
async fn alone(authority: &Authority, at: &'static str) -> Server {
    let key = NodeKey::new();
    let id = key.id();
    let answer = move |asked: &Asked| match asked.path() {
        "/node/network/nodes" => {
            Reply::at(at, &json!({"nodes": [{"node_id": id, "status": "Trusted", "primary": true}]}))
        }
        "/node/consensus" => Reply::json(200, &json!({"details": {"leadership_state": "Leader"}})),
        _ => Reply::at(
            at,
            &json!({"proposalId": "1".repeat(64), "proposerId": "a".repeat(64),
            "proposalState": "Accepted", "ballotCount": 3}),
        ),
    };
    Server::start_node(authority, &key, answer).await
}

#[tokio::test]
async fn nodes_that_contradict_each_other_are_both_named_and_nothing_is_told_of_their_words() {
    let authority = Authority::new();
    let (honest, rogue) = tokio::join!(alone(&authority, "2.9"), alone(&authority, "999999.999999"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cert.pem"), &authority.pem).unwrap();
    let proposal = "1".repeat(64);
    for command in [&["proposal", "wait", &proposal][..], &["proposal", "show", &proposal]] {
        let urls =
            ["--service", &honest.url(), "--service", &rogue.url(), "--service-cert", "cert.pem"].map(String::from);
        let command = command.iter().map(ToString::to_string).chain(urls).chain(["--output".into(), "json".into()]);
        let ran = run(folder.path(), command.collect()).await;
        let error = ran.error(5);
        assert!(error.contains(&honest.url()) && error.contains(&rogue.url()), "{error}");
        assert!(error.contains("at transaction 999999.999999") && error.contains("at transaction 2.9"), "{error}");
        assert_eq!(ran.stdout, "");
        serde_json::from_str::<Value>(&ran.stderr).unwrap();
    }
}

#[tokio::test]
async fn a_wrong_service_certificate_is_shown_beside_the_one_that_the_node_has() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = Server::start(&theirs, |_| Reply::close()).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("old_cert.pem"), &ours.pem).unwrap();
    let arguments =
        ["service", "info", "--service", &server.url(), "--service-cert", "old_cert.pem", "--output", "json"];
    let error = run(folder.path(), arguments.map(String::from).to_vec()).await.error(5);
    let file = ShownCertificate::from_pem(ours.pem.as_bytes()).unwrap();
    assert!(error.contains(&format!("old_cert.pem holds the certificate with {file}")), "{error}");
    assert!(error.contains("it is not signed by the service certificate (it shows subject CN="), "{error}");
    assert_eq!(error.matches("SHA-256 ").count(), 2, "{error}");
}

#[tokio::test]
async fn addresses_that_went_away_are_warned_of_while_the_others_are_known() {
    let field = Field::start().await;
    let ran = field.run(&["service", "info", "--service", "https://127.0.0.1:1"]).await;
    let info = ran.done();
    let warning = info["warnings"][0].as_str().unwrap();
    let addresses: Vec<&str> = info["addresses"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
    let paste = format!("service = [\"{}\"]", addresses.join("\", \""));
    assert!(warning.contains("https://127.0.0.1:1") && warning.ends_with(&paste), "{warning}");
    assert_eq!((addresses.len(), ran.stderr.as_str()), (3, ""));
    assert_eq!(field.run(&["service", "info"]).await.done().get("warnings"), None);
}

#[tokio::test]
async fn a_lost_quorum_is_reported_by_numbers_and_an_interrupted_sending_is_kept() {
    let field = Field::start().await;
    let file = field.node_data("p.json", 7);
    let primary = field.sandbox.primary().unwrap();
    let others: Vec<_> = field.sandbox.nodes().into_iter().map(|n| n.id).filter(|id| *id != primary).collect();
    others.iter().for_each(|id| field.sandbox.stop(*id).unwrap());
    crate::support::consortium::wait("the primary steps down", async || field.sandbox.primary().is_none()).await;
    let began = Instant::now();
    let info = field.run(&["service", "info"]).await.done();
    assert_eq!(info["lostQuorum"], json!({"trusted": 3, "answering": 1, "needed": 2}));
    let shown = field.run_human(&["service", "info"]).await;
    assert!(shown.stdout.contains("none: 1 of 3 trusted nodes answers, 2 are needed"), "{shown:?}");
    field.run(&["node", "show", &primary.to_string()]).await.done();
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());

    let key = |kind: &str| keys().join(format!("member0_{kind}.pem")).display().to_string();
    let url = &field.sandbox.nodes().into_iter().find(|n| n.id == primary).unwrap().url;
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_ccf-gov"))
        .args(["proposal", "submit", &file, "--yes", "--key", &key("privk"), "--cert", &key("cert")])
        .args(["--service", url, "--service-cert", "service_cert.pem"])
        .current_dir(field.path(""))
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("it answered 503") {
        assert_ne!(stderr.read_line(&mut said).await.unwrap(), 0, "{said}");
    }
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    stderr.read_to_string(&mut said).await.unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(5), "{said}");
    assert!(said.contains("the service may have taken it") && said.contains("do not sign again"), "{said}");
    let kept = said.split("what was signed is kept in ").nth(1).unwrap().split(": send").next().unwrap();
    let inspected = field.run(&["inspect", kept]).await.done();
    assert_eq!(inspected["type"], "proposal");
}

#[tokio::test]
async fn an_application_that_is_too_large_for_the_nodes_is_refused_with_what_to_do() {
    let field = Field::start().await;
    let module = json!({"name": "/big.js", "module": format!("export const x = '{}';", "x".repeat(1 << 20))});
    let bundle = json!({"metadata": {"endpoints": {}}, "modules": [module]});
    let proposal = json!({"actions": [{"name": "set_js_app", "args": {"bundle": bundle}}]});
    let file = field.file("big.json", &proposal.to_string()).display().to_string();
    let error = field.run_as(0, &["proposal", "submit", &file]).await.error(4);
    assert!(error.contains("413") && error.contains("max_body_size"), "{error}");
}
