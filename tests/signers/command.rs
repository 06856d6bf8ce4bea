//! `exec:`: programs that sign, that sign wrongly, and that do not sign.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ccf_gov::cose::{Algorithm, Message, MessageType, SigningRequest};
use ccf_gov::signer::{CommandOptions, CommandSigner, NewKeys, PemSigner, Signer, sign};

use super::{chain, keeps_contract, keys, pem, proposal, time};
use crate::support::skip::missing;

/// A shell script as the program.
fn script(folder: &Path, text: &str) -> String {
    let path = folder.join("signer.sh");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn signer(program: &str, arguments: &[&str], keys: &NewKeys) -> CommandSigner {
    let options = CommandOptions {
        arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
        timeout: Some(Duration::from_secs(20)),
    };
    CommandSigner::new(program, options, keys.certificate().clone())
}

/// What a script that ignores its input leads to.
async fn outcome(text: &str, timeout: Option<Duration>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let keys = keys("member", Algorithm::ES256);
    let options = CommandOptions { arguments: Vec::new(), timeout };
    let signer = CommandSigner::new(&script(folder.path(), text), options, keys.certificate().clone());
    let message = Message::new(MessageType::Proposal, time(), None, proposal("x"));
    chain(&sign(&signer, message.unwrap()).await.unwrap_err())
}

#[tokio::test]
async fn openssl_keeps_the_contract() {
    if std::process::Command::new("openssl").arg("version").output().is_err() {
        return missing("openssl");
    }
    for (algorithm, hash) in [(Algorithm::ES256, "sha256"), (Algorithm::ES384, "sha384"), (Algorithm::ES512, "sha512")]
    {
        let folder = tempfile::tempdir().unwrap();
        let keys = keys("member", algorithm);
        let key = keys.write(folder.path(), false).unwrap().private_key;
        let text = format!(
            "sed 's/.*\"to_be_signed\":\"\\([^\"]*\\)\".*/\\1/' | tr '_-' '/+' | base64 -d 2>/dev/null | openssl dgst -{hash} -sign \"$1\""
        );
        let program = script(folder.path(), &text);
        keeps_contract(&signer(&program, &[key.to_str().unwrap()], &keys), &keys).await;
    }
}

#[tokio::test]
async fn the_request_says_what_is_signed() {
    let folder = tempfile::tempdir().unwrap();
    let keys = keys("member", Algorithm::ES384);
    let file = folder.path().join("request.json");
    let program = script(folder.path(), &format!("cat > {}; exit 1", file.display()));
    let _ = signer(&program, &[], &keys).sign(b"bytes").await;
    let read = || serde_json::from_slice::<serde_json::Value>(&std::fs::read(&file).unwrap()).unwrap();
    let request = read();
    assert_eq!(request["alg"], "ES384");
    assert_eq!(request["value"], URL_SAFE_NO_PAD.encode(Algorithm::ES384.digest(b"bytes")));
    assert_eq!(request["to_be_signed"], URL_SAFE_NO_PAD.encode(b"bytes"));
    assert_eq!(request["member_id"], keys.certificate().member_id().to_string());
    // For a governance request it is the whole of what `prepare` writes.
    let message = Message::new(MessageType::Proposal, time(), None, proposal("x")).unwrap();
    let _ = sign(&signer(&program, &[], &keys), message.clone()).await;
    assert_eq!(read(), SigningRequest::new(message, keys.certificate().clone()).to_json());
}

#[tokio::test]
async fn text_forms_of_a_signature_are_taken() {
    let keys = keys("member", Algorithm::ES384);
    let pem = PemSigner::new(&pem(&keys), keys.certificate().clone()).unwrap();
    let expected = pem.sign(b"bytes").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    for text in [
        format!("echo {}", STANDARD.encode(expected.as_bytes())),
        format!("echo {}", URL_SAFE_NO_PAD.encode(expected.as_bytes())),
        format!("echo {}", hex::encode(expected.as_bytes())),
        format!("echo '{{\"kid\":\"k\",\"value\":\"{}\"}}'", URL_SAFE_NO_PAD.encode(expected.as_bytes())),
    ] {
        let program = script(folder.path(), &text);
        assert_eq!(signer(&program, &[], &keys).sign(b"bytes").await.unwrap(), expected, "{text}");
    }
}

#[tokio::test]
async fn what_a_program_leaves_running_is_not_waited_for() {
    let keys = keys("member", Algorithm::ES384);
    let signature = PemSigner::new(&pem(&keys), keys.certificate().clone()).unwrap().sign(b"bytes").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = script(folder.path(), &format!("sleep 5 & echo {}", hex::encode(signature.as_bytes())));
    let options = CommandOptions { arguments: Vec::new(), timeout: Some(Duration::from_secs(4)) };
    let signer = CommandSigner::new(&program, options, keys.certificate().clone());
    assert_eq!(signer.sign(b"bytes").await.unwrap(), signature);
    // The same with a program that never reads what it is given, and ends with a failure.
    let failed = outcome("sleep 5 & exit 7", Some(Duration::from_secs(4))).await;
    assert!(failed.contains("exit status: 7"), "{failed}");
}

#[tokio::test]
async fn what_is_no_signature_is_told() {
    let rubbish = outcome("echo rubbish", None).await;
    assert!(rubbish.contains("signature"), "{rubbish}");
    let other = outcome("head -c 64 /dev/zero | tr '\\0' '\\1'", None).await;
    assert!(other.contains("not made by the certificate's key"), "{other}");
    let nothing = outcome("true", None).await;
    assert!(nothing.contains("signature"), "{nothing}");
    let failed = outcome("exit 7", None).await;
    assert!(failed.contains("exit status: 7"), "{failed}");
    let endless = outcome("cat /dev/zero", None).await;
    assert!(endless.contains("wrote more than"), "{endless}");
    let hanging = outcome("exec sleep 1000", Some(Duration::from_millis(200))).await;
    assert!(hanging.contains("within 0.2 seconds and was killed"), "{hanging}");
    let keys = keys("member", Algorithm::ES256);
    let missing = chain(&signer("/nowhere/signer", &[], &keys).sign(b"x").await.unwrap_err());
    assert!(missing.contains("/nowhere/signer"), "{missing}");
}

#[test]
fn an_interrupted_batch_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let keys = keys("member", Algorithm::ES256);
    let request = |n: &str| {
        let message = Message::new(MessageType::Proposal, time(), None, proposal(n)).unwrap();
        SigningRequest::new(message, keys.certificate().clone()).to_json()
    };
    // The program itself interrupts its caller, which has its folder by then.
    script(folder.path(), "ls -d .ccf-gov-* > seen; kill -TERM $PPID; exec sleep 10");
    std::fs::write(folder.path().join("requests.json"), serde_json::json!([request("x"), request("y")]).to_string())
        .unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_ccf-gov"))
        .args(["sign", "--yes", "--request", "requests.json", "--key", "exec:./signer.sh", "-o", "envelopes"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.ends_with("Error: interrupted: nothing was written\n"), "{error}");
    assert!(std::fs::read_to_string(folder.path().join("seen")).unwrap().starts_with(".ccf-gov-"));
    let mut left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["requests.json", "seen", "signer.sh"]);
}
