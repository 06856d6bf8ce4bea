//! Hostile files for every file argument, and outputs that cannot be written: an error that names the file, the
//! documented exit code, nothing left behind.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::consortium::keys;
use crate::support::skip::skip;

const ID: &str = "7777777777777777777777777777777777777777777777777777777777777777";

/// Commands that read a file at `{}`, which no bad file satisfies. KEY and CERT are an example member's.
const READERS: &[&str] = &[
    "measure snp --policy {}",
    "measure snp --uvm {}",
    "measure snp --context {}",
    "measure snp --ovmf {} --vcpus 1 --vcpu-type EPYC-Milan",
    "measure snp --igvm {}",
    "measure sgx {}",
    "measure layers {}",
    "policy show {}",
    "verify attestation {}",
    "verify proposal {} --evidence good.json",
    "keys show --key {}",
    "keys show --cert {}",
    "proposal merge good.json {}",
    "proposal new set_member --set cert=@{}",
    "proposal new set_js_app --set bundle=@{}",
    "ballot new exact --proposal {}",
    "sign --type proposal --content {} --key KEY --cert CERT",
    "sign --type ballot --proposal-id ID --content {} --key KEY --cert CERT",
    "sign --type ack --content {} --key KEY --cert CERT",
    "sign --type recovery_share --content {} --key KEY --cert CERT",
    "sign --type proposal --content good.json --key {} --cert CERT",
    "sign --type proposal --content good.json --key KEY --cert {}",
    "sign --request {} --key KEY --cert CERT",
    "prepare --type proposal --content {} --cert CERT",
    "prepare --type proposal --content good.json --cert {}",
    "finish {} --signature good.json",
    "finish --type proposal --content good.json --created-at 1 --cert CERT --signature {}",
    "inspect {}",
    "submit {} --service https://127.0.0.1:1 --service-cert CERT",
    "member list --service https://127.0.0.1:1 --service-cert {}",
    "proposal submit {} --service https://127.0.0.1:1 --service-cert CERT --key KEY --cert CERT -y",
    "ballot submit ID --ballot {} --service https://127.0.0.1:1 --service-cert CERT --key KEY --cert CERT -y",
    "sandbox serve --constitution {} --listen 127.0.0.1:0",
    "sandbox serve --members {} --listen 127.0.0.1:0",
    "upgrade rehearse --member-key {} --member-cert CERT",
    "upgrade rehearse --member-key KEY --member-cert {}",
];

/// Commands that write to the folder `{}`.
const WRITERS: &[&str] = &[
    "proposal new trigger_ledger_chunk -o {}/new.json",
    "proposal merge good.json -o {}/merged.json",
    "ballot new accept -o {}/ballot.json",
    "sign --type proposal --content good.json --key KEY --cert CERT -o {}/envelope.cose",
    "prepare --type proposal --content good.json --cert CERT -o {}/request.json",
    "measure virtual good.json --proposal {}/register.json",
    "keys generate bob --out {} --encryption",
    "sandbox serve --service-cert-out {}/cert.pem --listen 127.0.0.1:0",
];

/// Makes the bad files; gives the names of all.
fn bad_files(folder: &Path) -> Vec<String> {
    let repeated = |text: &[u8]| text.repeat(100_000);
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("empty", vec![]),
        ("truncated.json", br#"{"actions": [{"name": "x", "args"#.to_vec()),
        ("nested.json", repeated(br#"{"actions":"#)),
        ("nested.yaml", repeated(b"[ ")),
        ("nested.cbor", repeated(b"\x81")),
        ("tags.cbor", repeated(b"\xd2")),
        ("endless.cbor", b"\xd2\x84\x5b\x7f\xff\xff\xff\xff\xff\xff\xff".to_vec()),
        ("twice.json", br#"{"actions": [{"name": "x"}], "actions": [{"name": "y"}]}"#.to_vec()),
        ("twice.yaml", b"kind: a\nkind: b\n".to_vec()),
        ("bytes.bin", b"\xff\xfe\xfa\x80abc".to_vec()),
        ("cut.pem", b"-----BEGIN PRIVATE KEY-----\nAAAA".to_vec()),
        ("garbage.pem", b"-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n".to_vec()),
        ("garbage.elf", [&b"\x7fELF\x02\x01\x01"[..], &[0xff; 5000]].concat()),
    ];
    let mut names: Vec<String> = Vec::new();
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).unwrap();
        names.push(name.into());
    }
    std::fs::create_dir(folder.join("folder")).unwrap();
    // Nobody writes to it: who reads it waits for ever.
    rustix::fs::mknodat(rustix::fs::CWD, folder.join("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    names.extend(["folder", "pipe", "missing", "missing/file", "empty/file"].map(Into::into));
    names
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("good.json"), r#"{"actions": [{"name": "trigger_ledger_chunk"}]}"#).unwrap();
    folder
}

fn command(folder: &Path, line: &str, file: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ccf-gov"));
    command.current_dir(folder).stdin(Stdio::null()).env("CCF_GOV_PASSPHRASE", "correct-horse");
    command.args(line.split(' ').map(|word| match word {
        "KEY" => keys().join("member0_privk.pem"),
        "CERT" => keys().join("member0_cert.pem"),
        "ID" => ID.into(),
        word => PathBuf::from(word.replace("{}", file)),
    }));
    command
}

fn entries(folder: &Path) -> BTreeSet<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect()
}

/// The error of a command that must have failed with one of these codes, as `--output json` gives it.
#[track_caller]
fn error(what: &str, output: &Output, codes: &[i32]) -> serde_json::Value {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| codes.contains(&code)), "{what}: {} {text}", output.status);
    assert!(!text.contains("panicked") && !text.contains("correct-horse"), "{what}: {text}");
    let last = text.lines().last().unwrap_or_default();
    let value: serde_json::Value = serde_json::from_str(last).unwrap_or_else(|e| panic!("{what}: {e}: {text}"));
    assert!(value["error"]["message"].is_string(), "{what}: {text}");
    value["error"].clone()
}

#[test]
fn a_bad_file_gives_an_error_that_names_it() {
    let folder = folder();
    let bad = bad_files(folder.path());
    let before = entries(folder.path());
    // Two at a time: most of the time is a process's start.
    std::thread::scope(|scope| {
        for half in READERS.chunks(READERS.len().div_ceil(2)) {
            let (folder, bad) = (folder.path(), &bad);
            scope.spawn(move || half.iter().for_each(|line| bad.iter().for_each(|file| refused(folder, line, file))));
        }
    });
    assert_eq!(entries(folder.path()), before, "nothing is written");
}

fn refused(folder: &Path, line: &str, file: &str) {
    let what = format!("{line} with {file}");
    let output = command(folder, line, file).args(["--output", "json"]).output().unwrap();
    let error = error(&what, &output, &[2, 3]);
    // What can be told only of all files together names none.
    let together = line.starts_with("verify attestation") && file.ends_with(".pem");
    assert!(together || error.to_string().contains(file), "{what}: {error}");
}

#[test]
fn an_endless_file_ends_in_an_error() {
    if !Path::new("/dev/zero").exists() {
        return skip("there is no /dev/zero");
    }
    let folder = folder();
    let bounded = [
        "policy show {}",
        "measure virtual {}",
        "measure layers {}",
        "inspect {}",
        "keys show --key {}",
        "proposal lint {}",
    ];
    for line in bounded {
        let output = command(folder.path(), line, "/dev/zero").args(["--output", "json"]).output().unwrap();
        assert!(error(line, &output, &[2]).to_string().contains("/dev/zero"), "{line}");
    }
}

#[test]
fn a_place_that_cannot_be_written_gives_an_error_and_keeps_what_was_there() {
    let folder = folder();
    // Not by mode, which an administrator may ignore: one is not there, one is a file, one takes no files.
    let mut places = vec!["missing", "good.json"];
    if Path::new("/proc/self").exists() {
        places.push("/proc/self");
    }
    let before = entries(folder.path());
    for line in WRITERS {
        for place in &places {
            let what = format!("{line} to {place}");
            let output = command(folder.path(), line, place).args(["--output", "json"]).output().unwrap();
            let error = error(&what, &output, &[1]);
            assert!(error["message"].as_str().unwrap().contains(place), "{what}: {error}");
        }
    }
    assert_eq!(entries(folder.path()), before, "nothing is left");
}

/// A folder without room, in a mount namespace of its own. Needs the right to mount.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_gives_an_error_and_leaves_no_part_of_a_file() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("full")).unwrap();
    let mount = "mount -t tmpfs -o size=4k,nr_inodes=64 tmpfs full && head -c 4096 /dev/zero > full/filler";
    let unshare = |script: String, line: &str| {
        let inner = command(folder.path(), line, "full");
        let mut outer = Command::new("unshare");
        outer.args(["-m", "sh", "-c", &script, "sh"]).arg(inner.get_program()).args(inner.get_args());
        outer.args(["--output", "json"]).current_dir(folder.path()).stdin(Stdio::null()).output()
    };
    if !unshare(mount.to_owned(), "man {}").is_ok_and(|output| output.status.success()) {
        return skip("this user may not mount a file system of its own");
    }
    for line in WRITERS {
        let output = unshare(format!(r#"{mount} && "$@"; code=$?; ls -A full > left; exit $code"#), line).unwrap();
        let error = error(line, &output, &[1]);
        assert!(error.to_string().contains("full"), "{line}: {error}");
        let left = std::fs::read_to_string(folder.path().join("left")).unwrap();
        assert_eq!(left.trim(), "filler", "{line}");
    }
}

#[cfg(unix)]
#[test]
fn standard_output_that_is_full_is_an_error_and_one_that_is_closed_is_none() {
    let folder = folder();
    let lines = ["proposal templates", "completions bash", "ballot new accept", "keys show --cert CERT"];
    for line in lines {
        match std::fs::OpenOptions::new().write(true).open("/dev/full") {
            Ok(full) => {
                let output = command(folder.path(), line, "").stdout(full).args(["--output", "json"]).output().unwrap();
                assert!(error(line, &output, &[1]).to_string().contains("standard output"), "{line}");
            }
            Err(_) => skip("there is no /dev/full"),
        }
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command(folder.path(), line, "").stdout(writer).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_wrong_configuration_file_says_where_and_does_not_repeat_what_is_in_it() {
    let folder = folder();
    for (text, part) in [
        ("output = \"json\"\npassphrase = \"correct-horse\"\n", "line 2: unknown field `passphrase`"),
        ("service = 31\n", "line 1: invalid type, expected a URL or a list of URLs"),
        ("yes = true\n", "`yes` is not taken from a file"),
        ("key = \"correct-horse\n", "line 1: "),
    ] {
        std::fs::write(folder.path().join("ccf-gov.toml"), text).unwrap();
        let output = command(folder.path(), "ballot new accept", "").args(["--output", "json"]).output().unwrap();
        let error = error(text, &output, &[2]).to_string();
        assert!(error.contains("ccf-gov.toml") && error.contains(part), "{text}: {error}");
    }
    std::fs::write(folder.path().join("ccf-gov.toml"), "output = \"json\"\n").unwrap();
    let output = command(folder.path(), "inspect {}", "missing").output().unwrap();
    error("JSON by configuration", &output, &[2]);
    let output = command(folder.path(), "inspect --no-such-option", "").args(["--output", "json"]).output().unwrap();
    error("a command line that cannot be parsed", &output, &[2]);
}
