//! No passphrase and no byte of a key is in what the command line prints, whatever is asked of it and however loudly.

use std::path::Path;
use std::process::Command;

use base64::prelude::{BASE64_STANDARD, Engine};

const PASSPHRASE: &str = "correct-horse";
const WRONG: &str = "battery-staple";

/// The forms in which a part of the vectors' P-256 key could show: 12 bytes of its number are enough to be a leak.
fn secrets() -> Vec<String> {
    let pem = std::fs::read_to_string(vector("sec1.pem")).unwrap();
    let body: String = pem.lines().filter(|l| !l.starts_with('-')).collect();
    let der = BASE64_STANDARD.decode(&body).unwrap();
    let number = &der[7..39];
    let mut secrets = vec![PASSPHRASE.to_owned(), WRONG.to_owned(), body[12..40].to_owned()];
    secrets.extend([&number[..12], &number[20..]].map(hex::encode));
    secrets.extend([&number[..12], &number[20..]].map(hex::encode_upper));
    secrets.extend([&number[..6], &number[26..]].map(|part| format!("{part:?}").trim_matches(['[', ']']).to_owned()));
    secrets
}

fn vector(name: &str) -> String {
    format!("{}/tests/vectors/keys/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn nothing_printed_at_any_level_holds_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("proposal.json"), r#"{"actions": [{"name": "x"}]}"#).unwrap();
    let damaged = std::fs::read_to_string(vector("sec1.pem")).unwrap().replacen("oAoGCCqG", "oAoGCCqH", 1);
    std::fs::write(folder.path().join("damaged.pem"), damaged).unwrap();
    let certificate = vector("certificate.pem");
    let secrets = secrets();
    let keys = [
        ("encrypted.pem", PASSPHRASE),
        ("encrypted-scrypt.pem", PASSPHRASE),
        ("encrypted.pem", WRONG),
        ("encrypted-des3.pem", PASSPHRASE),
        ("legacy-encrypted.pem", PASSPHRASE),
        ("sec1.pem", PASSPHRASE),
        ("pkcs8.pem", PASSPHRASE),
        ("two.pem", PASSPHRASE),
    ];
    let mut paths: Vec<_> = keys.map(|(name, passphrase)| (vector(name), passphrase)).into();
    paths.push(("damaged.pem".into(), PASSPHRASE));
    for (key, passphrase) in paths {
        for command in [&["sign", "--type", "proposal", "--content", "proposal.json"][..], &["keys", "show"]] {
            let output = Command::new(env!("CARGO_BIN_EXE_ccf-gov"))
                .args(command)
                .args(["--key", &key, "--cert", &certificate, "-vvv", "--output", "json"])
                .env("CCF_GOV_PASSPHRASE", passphrase)
                .env("RUST_LOG", "trace")
                .current_dir(folder.path())
                .output()
                .unwrap();
            let printed =
                String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            assert!(!printed.is_empty());
            for secret in &secrets {
                assert!(!printed.contains(secret), "{key}: {secret:?} is in {printed}");
            }
        }
    }
}

#[test]
fn debug_output_of_what_holds_secrets_shows_none() {
    use ccf_gov::cose::MemberCertificate;
    use ccf_gov::signer::{Passphrase, PemSigner, PrivateKey};

    let passphrase = Passphrase::from_file(Path::new(&vector("passphrase.txt"))).unwrap();
    let pem = std::fs::read_to_string(vector("encrypted.pem")).unwrap();
    let key = || PrivateKey::from_pem(&pem, "key", &passphrase).unwrap();
    let certificate = MemberCertificate::from_pem(&std::fs::read(vector("certificate.pem")).unwrap()).unwrap();
    let signer = PemSigner::with_key(key(), certificate).unwrap();
    let printed = format!("{passphrase:?} {:?} {signer:?}", key());
    for secret in secrets() {
        assert!(!printed.contains(&secret), "{secret:?} is in {printed}");
    }
}

#[test]
fn no_option_takes_a_secret() {
    for command in [&["sign"][..], &["prepare"], &["finish"], &["keys", "show"], &["proposal", "submit"]] {
        for option in ["--passphrase", "--pin", "--password"] {
            let output =
                Command::new(env!("CARGO_BIN_EXE_ccf-gov")).args(command).args([option, "x"]).output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(error.contains("unexpected argument"), "{command:?} {option}: {error}");
        }
    }
}
