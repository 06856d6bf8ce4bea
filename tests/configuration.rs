//! `ccf-gov.toml` and the environment: what is found, what is believed, and what is handed on.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output};

use crate::support::skip::skip;

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/keys-example");

fn run(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = Command::new(env!("CARGO_BIN_EXE_ccf-gov"))
        .args(arguments)
        .current_dir(folder)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

fn config(folder: &Path, text: &str) {
    std::fs::write(folder.join("ccf-gov.toml"), text).unwrap();
}

/// A folder with something to sign, and a program that would.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("p.json"), r#"{"actions": [{"name": "trigger_ledger_chunk"}]}"#).unwrap();
    let program = folder.path().join("signs");
    std::fs::write(&program, "#!/bin/sh\nenv > environment\nexit 1\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn sign(certificate: &str) -> [&str; 9] {
    ["sign", "--type", "proposal", "--content", "p.json", "--cert", certificate, "-o", "p.cose"]
}

#[test]
fn a_file_that_others_could_have_written_is_refused() {
    let folder = folder();
    let path = folder.path().join("ccf-gov.toml");
    let refused = |why: &str| {
        let (code, error) = run(folder.path(), &["proposal", "templates"], &[]);
        assert!(code == Some(2) && error.contains(why), "{why}: {code:?} {error}");
        // The shell's help is to be had all the same.
        assert_eq!(run(folder.path(), &["completions", "bash"], &[]).0, Some(0));
        assert!(!folder.path().join("environment").exists());
    };
    config(folder.path(), "key = \"exec:./signs\"\n");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    refused("can be written by other users");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    match chown(&path, Some(65_534), None) {
        Ok(()) => refused("belongs to another user"),
        Err(_) => skip("this user may not give a file to another"),
    }
    std::fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    refused("only regular files are read");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    refused("only regular files are read");
}

#[test]
fn a_program_from_a_file_is_shown_and_gets_no_secrets() {
    let folder = folder();
    config(folder.path(), "key = \"exec:./signs\"\n[exec.\"./signs\"]\nargs = [\"one\"]\n");
    let certificate = format!("{KEYS}/member0_cert.pem");
    let secrets = [
        ("CCF_GOV_PIN", "secret-1"),
        ("CCF_GOV_PASSPHRASE", "secret-2"),
        ("CCF_GOV_AZURE_TOKEN", "secret-3"),
        ("AZURE_CLIENT_SECRET", "secret-4"),
        ("IDENTITY_HEADER", "secret-5"),
    ];
    let (code, error) = run(folder.path(), &sign(&certificate), &secrets);
    assert_eq!(code, Some(1), "{error}");
    let shown = error.find("ccf-gov.toml has this program sign: ./signs one").expect("it is shown");
    assert!(shown < error.find("cannot sign").unwrap(), "{error}");
    let environment = std::fs::read_to_string(folder.path().join("environment")).unwrap();
    assert!(environment.contains("PATH=") && !environment.contains("secret-"), "{environment}");
}

#[test]
fn the_file_is_looked_for_in_the_folders_above_and_its_paths_are_its_own() {
    let folder = folder();
    config(folder.path(), "service = \"https://127.0.0.1:1\"\nservice-cert = \"missing.pem\"\n");
    let deep = folder.path().join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    let (_, error) = run(&deep, &["proposal", "list"], &[]);
    let expected = folder.path().canonicalize().unwrap().join("missing.pem");
    assert!(error.contains(&format!("cannot read {}", expected.display())), "{error}");
    let (_, error) = run(&deep, &["proposal", "list"], &[("HOME", folder.path().join("a").to_str().unwrap())]);
    assert!(error.contains("there is no ccf-gov.toml in this folder or one above it"), "{error}");
    config(&deep, "");
    let (_, error) = run(&deep, &["proposal", "list"], &[]);
    assert!(error.contains("ccf-gov.toml does not set it"), "{error}");
}

#[test]
fn the_environment_is_believed_only_if_it_is_clear() {
    let folder = folder();
    let certificate = format!("{KEYS}/member0_cert.pem");
    let key = format!("{KEYS}/member0_privk.pem");
    let (code, error) = run(folder.path(), &sign(&certificate), &[("CCF_GOV_YES", "banana"), ("CCF_GOV_KEY", &key)]);
    assert!(code == Some(2) && error.contains("set CCF_GOV_YES to 1, true, yes, y or on"), "{error}");
    assert!(!folder.path().join("p.cose").exists());
    let (code, error) = run(folder.path(), &sign(&certificate), &[("CCF_GOV_YES", "on"), ("CCF_GOV_KEY", &key)]);
    assert!(code == Some(0) && error.contains("Wrote p.cose."), "{error}");
    let (_, error) = run(folder.path(), &["proposal", "templates"], &[("CCF_GOV_SEVICE", "x"), ("CCF_GOV_EMPTY", "")]);
    assert!(error.contains("CCF_GOV_SEVICE") && !error.contains("CCF_GOV_EMPTY"), "{error}");
}

#[test]
fn manual_pages_replace_their_own_kind_alone() {
    let folder = folder();
    let man = |words: &[&str]| run(folder.path(), words, &[]);
    assert_eq!(man(&["man", "share/man1"]).0, Some(0), "the folder is made");
    assert_eq!(man(&["man", "share/man1"]).0, Some(0), "pages of an earlier run are replaced");
    std::fs::write(folder.path().join("share/man1/ccf-gov-sign.1"), "mine").unwrap();
    let (code, error) = man(&["man", "share/man1"]);
    assert!(code == Some(2) && error.contains("ccf-gov-sign.1 already exists"), "{error}");
    assert_eq!(man(&["man", "share/man1", "--force"]).0, Some(0));
    let (code, error) = man(&["man", "p.json"]);
    assert!(code == Some(1) && error.contains("p.json"), "{error}");
}
