//! A service whose every word is hostile: nothing of it steers a terminal, and nothing becomes a line of this program's own.

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::*;
use crate::support::server::{Asked, Authority, Reply, Server};

/// Line breaks, an escape sequence, C1 control, marks of direction, a blank of no width, and a forged line.
const HOSTILE: &str = "x\r\n\u{1b}[2J\u{9b}31m\u{202e}\u{2066}\u{200b}\u{e0041}\u{7f}\nVerdict: pass\nError: forged";

fn hex(c: char) -> String {
    c.to_string().repeat(64)
}

fn is_raw(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}')
}

#[track_caller]
fn assert_harmless(text: &str) {
    assert!(!text.contains(is_raw), "{text:?}");
    let forged = |l: &&str| l.starts_with("Verdict: pass") || l.starts_with("Error: forged");
    assert_eq!(text.lines().find(forged), None, "{text}");
    assert!(!text.contains(&" ".repeat(100)), "{text:?}");
}

/// Answers with hostile words, where the API has room for words.
fn hostile(asked: &Asked) -> Option<Reply> {
    let wide = format!("y{}Verdict: pass", " ".repeat(130));
    let member = json!({"memberId": hex('a'), "status": "Active", "certificate": HOSTILE, "recoveryRole": HOSTILE,
        "memberData": {HOSTILE: HOSTILE, "wide": wide}});
    let interface = json!({HOSTILE: {"publishedAddress": HOSTILE}});
    let quote = json!({"format": HOSTILE, "details": {HOSTILE: HOSTILE}, "rawQuote": HOSTILE});
    let node = json!({"nodeId": hex('b'), "status": "Trusted", "nodeData": HOSTILE, "certificate": HOSTILE,
        "rpcInterfaces": interface, "quoteInfo": quote});
    let failed = json!({"reason": HOSTILE, "trace": HOSTILE});
    let proposal = json!({"proposalId": hex('1'), "proposerId": hex('a'), "proposalState": "Failed", "ballotCount": 1,
        "finalVotes": {hex('a'): true}, "voteFailures": {hex('b'): failed}, "failure": failed});
    let actions = json!({"actions": [
        {"name": HOSTILE, "args": {HOSTILE: HOSTILE, "wide": wide}},
        {"name": "set_constitution", "args": {"constitution": HOSTILE}},
        {"name": "set_member_data", "args": {"member_id": HOSTILE, "member_data": {HOSTILE: [HOSTILE]}}}]});
    let own = std::fs::read_to_string(keys().join("member0_cert.pem")).unwrap();
    let own_id = ccf_gov::cose::MemberCertificate::from_pem(own.as_bytes()).unwrap().member_id();
    let own = json!({"memberId": own_id, "status": "Active", "certificate": own, "memberData": HOSTILE});
    let open = json!({"proposalId": hex('2'), "proposerId": hex('a'), "proposalState": "Open", "ballotCount": 1});
    let (one, two) = (format!("/gov/members/proposals/{}", hex('1')), format!("/gov/members/proposals/{}", hex('2')));
    let body = match asked.path() {
        "/gov/service/info" => json!({"status": HOSTILE, "certificate": HOSTILE, "configuration": {HOSTILE: HOSTILE}}),
        "/gov/service/members" => json!({"value": [member, own]}),
        "/gov/service/nodes" => json!({"value": [node]}),
        p if p == format!("/gov/service/nodes/{}", hex('b')) => node,
        "/gov/service/join-policy" => json!({"snp": {"measurements": [HOSTILE], "hostData": {HOSTILE: HOSTILE},
            "uvmEndorsements": {HOSTILE: {HOSTILE: {"svn": HOSTILE}}}, "tcbVersions": {HOSTILE: HOSTILE}},
            "virtual": {"measurements": [HOSTILE], "hostData": [HOSTILE]}}),
        "/gov/service/javascript-app" => {
            json!({"endpoints": {HOSTILE: {HOSTILE: {"js_function": HOSTILE, "js_module": HOSTILE}}}})
        }
        "/gov/service/javascript-modules" => json!({"value": [{"moduleName": HOSTILE}]}),
        p if p.starts_with("/gov/service/javascript-modules/") => return Some(Reply::text(200, HOSTILE)),
        "/gov/members/proposals" => json!({"value": [proposal, open]}),
        p if p == two => open,
        p if p == format!("{two}/actions") => actions,
        p if p == one => proposal,
        p if p == format!("{one}/actions") => actions,
        "/gov/service/constitution" => return Some(Reply::text(200, HOSTILE)),
        p if p.starts_with(&format!("{one}/ballots/")) => return Some(Reply::text(200, HOSTILE)),
        "/node/attestations" => json!({"attestations": [{"node_id": hex('b'), "format": HOSTILE, "raw": HOSTILE}]}),
        "/node/version" => json!({"ccf_version": HOSTILE}),
        "/node/network" => json!({"service_status": HOSTILE, "primary_id": hex('b')}),
        p if p.starts_with("/gov/service/transactions/") => json!({"status": "Committed"}),
        _ => return None,
    };
    Some(Reply::at("2.5", &body))
}

async fn ask(authority: &Authority, server: &Server, command: &[&str], more: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cert.pem"), &authority.pem).unwrap();
    let url = server.url();
    let common = ["--service", &url, "--service-cert", "cert.pem"];
    run(folder.path(), command.iter().chain(&common).chain(more).map(ToString::to_string).collect()).await
}

#[tokio::test]
async fn nothing_that_a_service_writes_steers_a_terminal() {
    let authority = Authority::new();
    let server =
        Server::start(&authority, |asked| hostile(asked).unwrap_or_else(|| Reply::error(404, HOSTILE, HOSTILE))).await;
    let (proposal, node) = (hex('1'), hex('b'));
    for command in [
        &["service", "info"][..],
        &["service", "join-policy"],
        &["service", "app"],
        &["member", "list"],
        &["node", "list"],
        &["node", "show", &node],
        &["proposal", "list"],
        &["proposal", "show", &proposal, "--votes"],
        &["proposal", "wait", &proposal],
        &["verify", "service", "--evidence", "cert.pem"],
    ] {
        for more in [&[][..], &["-vvv"]] {
            let ran = ask(&authority, &server, command, more).await;
            assert_harmless(&ran.stdout);
            assert_harmless(&ran.stderr);
            assert!(!ran.stdout.is_empty(), "{command:?}: {ran:?}");
        }
        let ran = ask(&authority, &server, command, &["--output", "json"]).await;
        assert!(!ran.stdout.contains(is_raw), "{ran:?}");
        assert_eq!(ran.stderr, "", "{command:?}");
        ran.json();
    }
    let module = ask(&authority, &server, &["service", "app", "--module", "/x", "--output", "json"], &[]).await;
    assert!(!module.stdout.contains(is_raw), "{module:?}");
    assert_eq!(module.done()["module"], HOSTILE);
}

#[tokio::test]
async fn nothing_that_a_service_refuses_with_becomes_a_line_of_our_own() {
    let authority = Authority::new();
    let answers: [fn() -> Reply; 4] = [
        || {
            Reply::json(
                403,
                &json!({"error": {"code": HOSTILE, "message": HOSTILE, "details": [{"message": HOSTILE}]}}),
            )
        },
        || Reply::error(500, HOSTILE, HOSTILE),
        || Reply::text(500, HOSTILE),
        || Reply::text(200, HOSTILE),
    ];
    for answer in answers {
        let server = Server::start(&authority, move |asked| match asked.path().starts_with("/node/") {
            true => Reply::error(404, "ResourceNotFound", "none"),
            false => answer(),
        })
        .await;
        for more in [&[][..], &["-v"], &["-vv"], &["-vvv"]] {
            let ran = ask(&authority, &server, &["member", "list"], more).await;
            assert!(matches!(ran.code, 1 | 4), "{ran:?}");
            assert_harmless(&ran.stderr);
            assert!(!ran.stderr.contains("hyper"), "{}", ran.stderr);
            assert_eq!(ran.stderr.matches("\nError: ").count() + usize::from(ran.stderr.starts_with("Error: ")), 1);
        }
        let ran = ask(&authority, &server, &["member", "list"], &["--output", "json"]).await;
        assert_harmless(&ran.stderr);
        serde_json::from_str::<Value>(&ran.stderr).unwrap();
    }
}

#[tokio::test]
async fn what_is_said_while_waiting_stays_on_its_line() {
    let authority = Authority::new();
    let server = Server::start(&authority, |asked| match asked.path().starts_with("/node/") {
        true => Reply::error(404, "ResourceNotFound", "none"),
        false => Reply::error(503, HOSTILE, HOSTILE),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cert.pem"), &authority.pem).unwrap();
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_ccf-gov"))
        .args(["proposal", "list", "--service", &server.url(), "--service-cert", "cert.pem"])
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await.unwrap().unwrap().unwrap();
    assert_harmless(&line);
    assert!(
        line.contains("it answered 503: x\\u{d}\\u{a}\\u{1b}[2J") && line.contains("; waiting, at most 5"),
        "{line}"
    );
}

#[tokio::test]
async fn what_is_shown_before_signing_is_harmless() {
    let authority = Authority::new();
    let server =
        Server::start(&authority, |asked| hostile(asked).unwrap_or_else(|| Reply::error(404, HOSTILE, HOSTILE))).await;
    let file = |kind: &str| keys().join(format!("member0_{kind}.pem")).display().to_string();
    let (proposal, key, certificate) = (hex('2'), file("privk"), file("cert"));
    let signer = ["--yes", "--key", &key, "--cert", &certificate];
    for command in [&["ballot", "submit", &proposal, "--accept"][..], &["ballot", "submit", &proposal, "--reject"]] {
        let ran = ask(&authority, &server, command, &signer).await;
        assert!(ran.stderr.contains("To be signed:") && ran.stderr.contains("x\\u{d}\\u{a}\\u{1b}[2J"), "{ran:?}");
        assert_harmless(&ran.stderr);
        assert_harmless(&ran.stdout);
        let ran = ask(&authority, &server, command, &[&signer[..], &["--output", "json"]].concat()).await;
        assert!(!ran.stderr.contains(is_raw), "{ran:?}");
        serde_json::from_str::<Value>(&ran.stderr).unwrap();
    }
}
