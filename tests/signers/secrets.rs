//! What the binary says and writes about keys: transcripts of a token's errors, and a search for secrets in everything.

use std::path::Path;
use std::process::{Command, Output};

use ccf_gov::cose::Algorithm;
use ccf_gov::signer::{AzureCredential, KeyUri, PemSigner, Proof};
use zeroize::Zeroizing;

use super::{keys, pem};
use crate::support::softhsm::{Kind, PIN, PLAIN, TOKEN, Token, in_child};

#[test]
fn a_tokens_errors_as_people_see_them() {
    in_child("signers::secrets::a_tokens_errors_as_people_see_them", &[], |_| {
        let token = Token::new(TOKEN);
        let one = keys("one", Algorithm::ES384);
        token.add(&one, "member", 1, &PLAIN);
        token.add(&keys("two", Algorithm::ES256), "member", 2, &PLAIN);
        token.add(&one, "mute", 3, &Kind { sign: false, ..PLAIN });
        token.add(&one, "bare", 4, &Kind { certificate: false, ..PLAIN });
        token.log_out();
        trycmd::TestCases::new().case("tests/tokens/*.trycmd");
    });
}

/// The binary as chatty as it can be, in `folder`.
fn run(folder: &Path, key: &str, environment: &[(&str, &str)]) -> (Output, Vec<String>) {
    let arguments: Vec<_> = ["sign", "-vvv", "--yes", "--type", "proposal", "--content", "proposal.json", "--key", key]
        .into_iter()
        .map(ToOwned::to_owned)
        .collect();
    let output = Command::new(env!("CARGO_BIN_EXE_ccf-gov"))
        .args(&arguments)
        .current_dir(folder)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    (output, arguments)
}

#[test]
fn no_secret_is_shown_anywhere() {
    in_child("signers::secrets::no_secret_is_shown_anywhere", &[], |folder| {
        let token = Token::new(TOKEN);
        let one = keys("one", Algorithm::ES384);
        token.add(&one, "member", 1, &PLAIN);
        token.add(&one, "careful", 2, &Kind { always_authenticate: true, ..PLAIN });
        token.log_out();
        let files = one.write(folder, false).unwrap();
        std::fs::rename(&files.certificate, folder.join("cert.pem")).unwrap();
        std::fs::write(folder.join("ccf-gov.toml"), "cert = \"cert.pem\"\n").unwrap();
        std::fs::write(folder.join("proposal.json"), super::proposal("x")).unwrap();
        std::fs::write(folder.join("pin.txt"), PIN).unwrap();
        std::fs::write(folder.join("wrong.txt"), "wrong-44b1e7").unwrap();
        let key = pem(&one);
        let body = key.lines().nth(1).unwrap().to_owned();
        let scalar = {
            use p384::pkcs8::DecodePrivateKey;
            p384::SecretKey::from_pkcs8_pem(&key).unwrap().to_bytes().to_vec()
        };
        // Damaged, so that what reads it has something to say.
        std::fs::write(folder.join("damaged.pem"), key.replacen(&body, &format!("{body}!"), 1)).unwrap();
        let secrets = [PIN, "wrong-44b1e7", "azure-2d90c1", &body, &hex::encode(&scalar), &format!("{scalar:?}")];

        let module = "module-name=softhsm2";
        let azure = [("AZURE_CLIENT_SECRET", "azure-2d90c1"), ("AZURE_CLIENT_ID", "app")];
        let runs = [
            run(folder, files.private_key.to_str().unwrap(), &[]),
            run(folder, "damaged.pem", &[]),
            run(folder, &format!("pkcs11:object=member?{module}&pin-source=pin.txt"), &[]),
            run(folder, &format!("pkcs11:object=careful?{module}"), &[("CCF_GOV_PIN", PIN)]),
            run(folder, &format!("pkcs11:object=careful?{module}"), &[("CCF_GOV_PIN", "wrong-44b1e7")]),
            run(folder, &format!("pkcs11:object=member?{module}&pin-source=wrong.txt"), &[]),
            run(folder, "azurekms://consortium/member", &azure),
            run(folder, "azurekms://consortium/member", &[("CCF_GOV_AZURE_TOKEN", "azure-2d90c1\nx")]),
            run(folder, "exec:cat", &[("CCF_GOV_PIN", PIN), ("CCF_GOV_AZURE_TOKEN", "azure-2d90c1")]),
        ];
        let succeeded = runs.iter().filter(|(output, _)| output.status.success()).count();
        assert_eq!(succeeded, 3, "{runs:?}");
        let mut shown: Vec<_> =
            runs.iter().map(|run| format!("{run:?} {}", String::from_utf8_lossy(&run.0.stderr))).collect();

        // What Debug prints of the structures that hold secrets.
        let secret = || Zeroizing::new("azure-2d90c1".to_owned());
        let (tenant, client) = ("t".to_owned(), "c".to_owned());
        shown.push(format!("{:?}", PemSigner::new(&key, one.certificate().clone()).unwrap()));
        shown.push(format!("{:?}", AzureCredential::Token(secret())));
        shown.push(format!(
            "{:?}",
            AzureCredential::Client { authority: None, tenant, client, proof: Proof::Secret(secret()) }
        ));
        let refused = format!("pkcs11:?pin-value={PIN}").parse::<KeyUri>();
        shown.push(format!("{refused:?} {}", refused.as_ref().unwrap_err()));
        for text in &shown {
            for secret in secrets {
                assert!(!text.contains(secret), "{secret} is shown: {text}");
            }
        }
    });
}
