//! What a person at a terminal sees and is asked. The terminal is Python's `pty`.

use std::path::Path;
use std::process::Command;

use ccf_gov::cose::{Algorithm, CreatedAt, MemberCertificate, Message, MessageType, SigningRequest};
use ccf_gov::id::ProposalId;
use serde_json::json;

use crate::signers::{keys, proposal};
use crate::support::consortium;
use crate::support::server::{Authority, Reply, Server};
use crate::support::skip::missing;
use crate::support::softhsm::{PIN, PLAIN, TOKEN, Token, in_child};

/// Runs its arguments at a terminal; answers each prompt of the pairs in `ANSWERS`, once; writes what the terminal showed,
/// and ends as the program did.
const TERMINAL: &str = r#"
import json, os, pty, sys, termios, time
answers = json.loads(os.environ.pop("ANSWERS"))
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
shown = b""
seen = 0
while True:
    try:
        chunk = os.read(terminal, 4096)
    except OSError:
        break
    if not chunk:
        break
    shown += chunk
    if answers and answers[0][0].encode() in shown[seen:]:
        seen = len(shown)
        # A secret is not typed before the terminal stops showing what is typed.
        while answers[0][0].endswith(": ") and termios.tcgetattr(terminal)[3] & termios.ECHO:
            time.sleep(0.01)
        os.write(terminal, (answers.pop(0)[1] + "\n").encode())
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

/// The binary at a terminal in `folder`: its exit code and what was to be seen. `None` without Python.
fn at_terminal(folder: &Path, arguments: &[&str], answers: &[(&str, &str)]) -> Option<(i32, String)> {
    if Command::new("python3").arg("-c").arg("import pty").output().map_or(true, |o| !o.status.success()) {
        missing("python3");
        return None;
    }
    let output = Command::new("python3")
        .args(["-c", TERMINAL, env!("CARGO_BIN_EXE_ccf-gov")])
        .args(arguments)
        .current_dir(folder)
        .env("ANSWERS", json!(answers).to_string())
        .env("TERM", "xterm")
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    Some((output.status.code().unwrap(), shown))
}

/// A folder with a proposal in it, and the arguments that sign it with an example key.
fn folder() -> (tempfile::TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("proposal.json"), proposal("x")).unwrap();
    let file = |name: &str| consortium::keys().join(name).to_str().unwrap().to_owned();
    let mut arguments: Vec<_> = ["sign", "--type", "proposal", "--content", "proposal.json"].map(Into::into).into();
    arguments.extend(["--key".into(), file("member0_privk.pem"), "--cert".into(), file("member0_cert.pem")]);
    (folder, arguments)
}

#[test]
fn a_person_is_asked_before_anything_is_signed() {
    let (folder, arguments) = folder();
    let mut arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    arguments.extend(["-o", "out.cose"]);
    let question = "Sign this? [y/N] ";
    for (answer, code) in [("n", 7), ("", 7), ("yes", 0)] {
        let Some((status, shown)) = at_terminal(folder.path(), &arguments, &[(question, answer)]) else { return };
        assert_eq!(status, code, "{shown}");
        let to_be_signed = shown.find("remove_ca_cert_bundle").unwrap();
        assert!(to_be_signed < shown.find(question).unwrap(), "{shown}");
        assert_eq!(shown.contains("nothing was signed"), code == 7, "{shown}");
        assert_eq!(folder.path().join("out.cose").exists(), code == 0);
    }
}

#[test]
fn with_json_output_what_is_signed_is_shown_at_the_terminal() {
    let (folder, arguments) = folder();
    let mut arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    arguments.extend(["-o", "out.cose", "--output", "json"]);
    let question = "Sign this? [y/N] ";
    let Some((status, shown)) = at_terminal(folder.path(), &arguments, &[(question, "n")]) else { return };
    assert_eq!(status, 7, "{shown}");
    assert!(shown.find("remove_ca_cert_bundle").unwrap() < shown.find(question).unwrap(), "{shown}");
    assert!(shown.contains(r#""kind":"declined""#), "{shown}");
}

#[test]
fn what_left_the_screen_is_repeated_in_brief() {
    let (folder, arguments) = folder();
    let mut arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    arguments.extend(["-o", "out.cose"]);
    let question = "Sign this? [y/N] ";
    let Some((_, shown)) = at_terminal(folder.path(), &arguments, &[(question, "n")]) else { return };
    assert!(!shown.contains("In brief"), "{shown}");
    let actions: Vec<_> =
        (0..60).map(|n| json!({"name": "remove_ca_cert_bundle", "args": {"name": n.to_string()}})).collect();
    std::fs::write(folder.path().join("proposal.json"), json!({"actions": actions}).to_string()).unwrap();
    let Some((_, shown)) = at_terminal(folder.path(), &arguments, &[(question, "n")]) else { return };
    let brief = shown.split("In brief").nth(1).unwrap().split(question).next().unwrap();
    assert!(brief.contains("actions     60") && brief.contains("SHA-256") && brief.lines().count() < 8, "{brief}");
}

#[test]
fn an_envelope_is_not_written_to_a_terminal() {
    let (folder, arguments) = folder();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let Some((status, shown)) = at_terminal(folder.path(), &arguments, &[]) else { return };
    assert_eq!(status, 2, "{shown}");
    assert!(shown.contains("an envelope is binary, and standard output is a terminal"), "{shown}");
}

#[test]
fn a_passphrase_is_asked_for_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/keys/encrypted.pem");
    for (passphrase, code) in [("correct-horse", 0), ("wrong-horse", 2)] {
        let asked = at_terminal(folder.path(), &["keys", "show", "--key", key], &[("encrypted.pem: ", passphrase)]);
        let Some((status, shown)) = asked else { return };
        assert_eq!(status, code, "{shown}");
        assert!(shown.contains("Passphrase of ") && !shown.contains(passphrase), "{shown}");
    }
}

#[test]
fn a_batch_is_confirmed_once_and_shows_its_progress() {
    let (folder, arguments) = folder();
    let certificate = std::fs::read(consortium::keys().join("member0_cert.pem")).unwrap();
    let certificate = MemberCertificate::from_pem(&certificate).unwrap();
    let ballot = br#"{"ballot": "export function vote () { return true }"}"#;
    let request = |n: u8| {
        let (at, id) = (CreatedAt::from_seconds(1_795_356_000).unwrap(), ProposalId::from_bytes([n; 32]));
        let message = Message::new(MessageType::Ballot, at, Some(id), ballot.to_vec()).unwrap();
        SigningRequest::new(message, certificate.clone()).to_json()
    };
    let requests: Vec<_> = (0..100).map(request).collect();
    std::fs::write(folder.path().join("requests.json"), json!(requests).to_string()).unwrap();
    let sign = ["sign", "--request", "requests.json", "--key", &arguments[6], "-o"];
    let question = "Sign these 100? [y/N] ";
    let Some((status, shown)) = at_terminal(folder.path(), &[&sign[..], &["a"]].concat(), &[(question, "y")]) else {
        return;
    };
    assert_eq!(status, 0, "{shown}");
    assert!(shown.contains("To be signed, 100 of 100:") && shown.matches(question).count() == 1, "{shown}");
    assert!(shown.contains("100/100") && shown.contains("100 envelopes in a"), "{shown}");
    // Nobody looks at a bar in a pipe.
    let output = Command::new(env!("CARGO_BIN_EXE_ccf-gov")).args(sign).arg("b").current_dir(&folder).output().unwrap();
    assert!(output.status.success());
    assert!(!String::from_utf8_lossy(&output.stderr).contains("100/100"));
    assert_eq!(std::fs::read_dir(folder.path().join("b")).unwrap().count(), 100);
}

#[test]
fn a_pin_is_asked_for_and_not_shown() {
    in_child("terminal::a_pin_is_asked_for_and_not_shown", &[], |place| {
        let token = Token::new(TOKEN);
        token.add(&keys("one", Algorithm::ES384), "member", 1, &PLAIN);
        token.log_out();
        let proposal = |name: &str| std::fs::write(place.join(name), proposal("x")).unwrap();
        proposal("proposal.json");
        let sign = ["sign", "--yes", "--type", "proposal", "--content", "proposal.json", "-o", "out.cose", "--key"];
        let sign = [&sign[..], &["pkcs11:?module-name=softhsm2"]].concat();
        let plain = "PIN of token \"a token\": ";
        let Some((status, shown)) = at_terminal(place, &sign, &[(plain, "")]) else { return };
        assert!(status == 2 && shown.contains("an empty PIN was given, which was not tried"), "{shown}");
        let wrong = "0000";
        let Some((status, shown)) = at_terminal(place, &sign, &[(plain, wrong)]) else { return };
        assert!(status == 1 && shown.contains("the PIN is wrong; some tries are left"), "{shown}");
        // Now the token warns.
        let prompt = "PIN of token \"a token\" (it was wrong before): ";
        let Some((status, shown)) = at_terminal(place, &sign, &[(prompt, PIN)]) else { return };
        assert!(status == 0 && !shown.contains(PIN), "{shown}");
    });
}

#[tokio::test]
async fn what_others_wrote_does_not_steer_the_terminal() {
    const HOSTILE: &str = "a\tb\n\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}2J\u{202e}c\n";
    let authority = Authority::new();
    let server = Server::start(&authority, |asked| match asked.path() {
        "/gov/service/constitution" => Reply::text(200, HOSTILE),
        p if p.starts_with("/gov/service/javascript-modules/") => Reply::text(200, HOSTILE),
        _ => Reply::error(404, "ResourceNotFound", "none"),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cert.pem"), &authority.pem).unwrap();
    for command in [&["service", "constitution"][..], &["service", "app", "--module", "/x"]] {
        let url = server.url();
        let arguments = [command, &["--service", &url, "--service-cert", "cert.pem"]].concat();
        let owned: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let place = folder.path().to_owned();
        let run = move || {
            let arguments: Vec<&str> = owned.iter().map(String::as_str).collect();
            let shown = at_terminal(&place, &arguments, &[]);
            let output = Command::new(env!("CARGO_BIN_EXE_ccf-gov")).args(&arguments).current_dir(&place).output();
            (shown, String::from_utf8(output.unwrap().stdout).unwrap())
        };
        let (shown, piped) = tokio::task::spawn_blocking(run).await.unwrap();
        let Some((status, shown)) = shown else { return };
        assert_eq!(status, 0, "{shown}");
        assert!(shown.ends_with("a\tb\n\\u{1b}]0;owned\\u{7}\\u{1b}[2J\\u{9b}2J\\u{202e}c\n"), "{shown:?}");
        // A file gets the bytes as they are.
        assert_eq!(piped, HOSTILE);
    }
}
