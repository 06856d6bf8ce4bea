//! The pipelines of CCF's documentation, with CCF's own signer and curl, against the sandbox.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ccf_gov::sandbox::Sandbox;
use serde_json::{Value, json};

use crate::support::consortium::{keys, options};
use crate::support::signing::Signatory;
use crate::support::skip::missing;

/// CCF's signer, where `scripts/test` puts it or on the path.
fn signer() -> Option<PathBuf> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/ccf_cose_sign1");
    let found = [ours, PathBuf::from("ccf_cose_sign1")]
        .into_iter()
        .find(|p| Command::new(p).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok());
    let curl = Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_ok();
    if found.is_none() || !curl {
        missing("ccf_cose_sign1 (Python package ccf; scripts/test installs it) or curl");
        return None;
    }
    found
}

/// `ccf_cose_sign1 … | curl … --data-binary @-`
fn send(signer: &Path, folder: &Path, name: &str, arguments: &[String], content: &str, url: &str) -> Value {
    std::fs::write(folder.join("content"), content).unwrap();
    let now = ccf_gov::cose::CreatedAt::now().unwrap().to_string().replace('Z', "+00:00");
    let key = |what: &str| keys().join(format!("{name}_{what}.pem"));
    let mut signing = Command::new(signer)
        .args(arguments)
        .args(["--ccf-gov-msg-created-at", &now, "--content"])
        .arg(folder.join("content"))
        .arg("--signing-key")
        .arg(key("privk"))
        .arg("--signing-cert")
        .arg(key("cert"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let curl = Command::new("curl")
        .args(["-sS", "--data-binary", "@-", "-H", "content-type: application/cose", "--cacert"])
        .arg(folder.join("service_cert.pem"))
        .arg(url)
        .stdin(signing.stdout.take().unwrap())
        .output()
        .unwrap();
    assert!(signing.wait().unwrap().success() && curl.status.success(), "{curl:?}");
    serde_json::from_slice(&curl.stdout).unwrap_or_default()
}

#[tokio::test]
async fn the_documented_pipelines_work_unchanged() {
    let Some(signer) = signer() else { return };
    let sandbox = Sandbox::start(options(3)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("service_cert.pem"), sandbox.service_certificate()).unwrap();
    let url = |path: &str| format!("{}/gov{path}?api-version=2024-07-01", sandbox.nodes()[1].url);
    // The sandbox answers on this thread; what waits for it runs on another.
    let run = async |name: &'static str, arguments: &[&str], content: &str, path: &str| {
        let (signer, folder) = (signer.clone(), folder.path().to_owned());
        let (content, url) = (content.to_owned(), url(path));
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        let sent = tokio::task::spawn_blocking(move || send(&signer, &folder, name, &arguments, &content, &url));
        sent.await.unwrap()
    };

    let ids = ["member0", "member1"].map(|name| Signatory::new(name).id);
    let args = json!({"member_id": ids[0], "member_data": {"note": "from a pipeline"}});
    let proposal = json!({"actions": [{"name": "set_member_data", "args": args}]}).to_string();
    let made = run("member0", &["--ccf-gov-msg-type", "proposal"], &proposal, "/members/proposals:create").await;
    let id = made["proposalId"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();

    let ballot = json!({"ballot": "export function vote (rawProposal, proposerId) { return true; }"}).to_string();
    let of = ["--ccf-gov-msg-type", "ballot", "--ccf-gov-msg-proposal-id", &id];
    let path = |member: &str| format!("/members/proposals/{id}/ballots/{member}:submit");
    assert_eq!(run("member0", &of, &ballot, &path(&ids[0])).await["proposalState"], "Open");
    assert_eq!(run("member1", &of, &ballot, &path(&ids[1])).await["proposalState"], "Accepted");

    let digests = format!("/members/state-digests/{}", ids[0]);
    let update = ["--ccf-gov-msg-type", "state_digest"];
    let digest = run("member0", &update, "", &format!("{digests}:update")).await;
    assert_eq!(digest["memberId"], ids[0]);
    let done = run("member0", &["--ccf-gov-msg-type", "ack"], &digest.to_string(), &format!("{digests}:ack")).await;
    assert_eq!(done, Value::Null);
}
