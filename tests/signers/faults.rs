//! What a token may do that SoftHSM never does: it is told, and nothing wrong is signed.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ccf_gov::cose::{Algorithm, Message, MessageType};
use ccf_gov::signer::{KeyUri, Pkcs11Signer, SignerError, sign};

use super::pkcs11::{Pin, run};
use super::{batch, chain, keeps_contract, keys, proposal, time};
use crate::support::faulty_token::FaultyToken;
use crate::support::softhsm::{Kind, PIN, PLAIN, TOKEN, Token, in_child};

/// What the binary says when it signs with the key of this id while the token has this fault.
fn said(folder: &Path, token: &FaultyToken, id: u8, fault: &str, pin_source: &str) -> String {
    token.set(fault);
    let key = format!("pkcs11:id=%0{id}?module-path={}{pin_source}", token.module.display());
    let output = Command::new(env!("CARGO_BIN_EXE_ccf-gov"))
        .args(["sign", "--yes", "--type", "proposal", "--content", "proposal.json", "-o", "out.cose", "--force"])
        .args(["--key", &key])
        .current_dir(folder)
        .env("CCF_GOV_PIN", PIN)
        .output()
        .unwrap();
    token.set("");
    let text = String::from_utf8(output.stderr).unwrap().replace(token.module.to_str().unwrap(), "MODULE");
    let error = text.find("Error: ").map_or("", |at| &text[at..]);
    let member = error.find("as member ").map_or("MEMBER", |at| error[at + 10..].get(..64).unwrap());
    format!("{fault}: exit {}\n{}", output.status.code().unwrap_or(-1), error.replace(member, "MEMBER"))
}

#[test]
fn what_a_faulty_token_does_is_told() {
    in_child("signers::faults::what_a_faulty_token_does_is_told", &[], |folder| {
        let token = Token::new(TOKEN);
        token.add(&keys("one", Algorithm::ES384), "member", 1, &PLAIN);
        token.add(&keys("two", Algorithm::ES384), "careful", 2, &Kind { always_authenticate: true, ..PLAIN });
        token.log_out();
        let faulty = FaultyToken::new(folder);
        std::fs::write(folder.join("proposal.json"), proposal("x")).unwrap();
        std::fs::write(folder.join("pin"), PIN).unwrap();
        let mut all = String::new();
        for fault in [
            "C_Initialize 0x5",
            "C_GetSlotList 0x5",
            "C_GetTokenInfo 0xe1",
            "C_GetTokenInfo flags 0x10000",
            "C_GetTokenInfo flags 0x20000",
            "C_GetTokenInfo flags 0x40000",
            "C_OpenSession 0xe0",
            "C_Login 0xa0",
            "C_Login 0xa3",
            "C_Login 0xa4",
            "C_Login 0x102",
            "C_Login 0x5",
            "C_FindObjectsInit 0x5",
            "C_GetAttributeValue 0x32",
            "C_SignInit 0x68",
            "C_SignInit 0x70",
            "C_Sign 0x5",
            "C_Sign 0x32",
            "C_Sign 0xb3",
            "C_Sign 0x101",
            "C_Sign 0x80000123",
            "C_Sign room",
            "C_Sign short",
            "C_Sign long",
            "C_Sign huge",
            "C_Sign rubbish",
            "C_Sign zero",
            "C_Sign other",
            "C_Sign high-s",
            "C_Sign der",
            "C_CloseSession 0x5",
            "C_GetFunctionList instances",
        ] {
            all += &said(folder, &faulty, 1, fault, "");
        }
        all += "With the PIN from a file:\n";
        for fault in ["C_GetTokenInfo flags 0x10000", "C_GetTokenInfo flags 0x20000"] {
            all += &said(folder, &faulty, 1, fault, "&pin-source=pin");
        }
        all += "With a key that wants the PIN each time:\n";
        for fault in [
            "C_Login2 0xa0",
            "C_Login2 0xa4",
            "C_Login2 0x5",
            "C_Sign 0x101",
            "C_Sign huge",
            "C_Sign rubbish",
            "C_GetFunctionList instances",
        ] {
            all += &said(folder, &faulty, 2, fault, "");
        }
        let confused = said(folder, &faulty, 1, "C_GetTokenInfo flags 0xffffffffffffffff", "");
        assert!(confused.contains("matches several tokens"), "{confused}");
        let expected = include_str!("../tokens/faults.txt");
        assert!(all == expected, "it said:\n{all}");
    });
}

/// The key of this id, opened through the module with faults.
async fn opened(token: &FaultyToken, id: u8) -> Result<Pkcs11Signer, SignerError> {
    let KeyUri::Pkcs11(uri) = format!("pkcs11:id=%0{id}?module-path={}", token.module.display()).parse().unwrap()
    else {
        panic!()
    };
    Pkcs11Signer::open(&uri, None, &Pin(Some(PIN))).await
}

#[test]
fn a_token_that_fails_in_the_middle_of_a_batch_is_told_and_recovers() {
    in_child("signers::faults::a_token_that_fails_in_the_middle_of_a_batch_is_told_and_recovers", &[], |folder| {
        let token = Token::new(TOKEN);
        let (one, two) = (keys("one", Algorithm::ES384), keys("two", Algorithm::ES384));
        token.add(&one, "member", 1, &PLAIN);
        token.add(&two, "careful", 2, &Kind { always_authenticate: true, ..PLAIN });
        token.log_out();
        let faulty = FaultyToken::new(folder);
        run(async {
            for (id, keys) in [(1, &one), (2, &two)] {
                let signer = opened(&faulty, id).await.unwrap();
                faulty.set("C_Sign 0x32 3");
                let (count, result) = batch(&signer, 10).await;
                let error = chain(&result.unwrap_err());
                assert!(
                    error.contains("\"a token\" was removed") && error.contains("run the command again"),
                    "{error}"
                );
                assert_eq!(count, 3);
                faulty.set("C_Sign other");
                let (count, result) = batch(&signer, 10).await;
                assert!(chain(&result.unwrap_err()).contains("not made by the certificate's key"));
                assert_eq!(count, 0);
                faulty.set("");
                assert!(matches!(batch(&signer, 10).await, (10, Ok(()))));
                keeps_contract(&signer, keys).await;
            }
            // A log-in that fails in the middle leaves no operation behind.
            let signer = opened(&faulty, 2).await.unwrap();
            faulty.set("C_Login2 0xa0 2");
            let (count, result) = batch(&signer, 10).await;
            assert!(chain(&result.unwrap_err()).contains("the PIN is wrong"));
            assert_eq!(count, 2);
            faulty.set("");
            keeps_contract(&signer, &two).await;
        });
    });
}

#[test]
fn a_token_that_hangs_is_told_and_left_behind() {
    in_child("signers::faults::a_token_that_hangs_is_told_and_left_behind", &[], |folder| {
        let token = Token::new(TOKEN);
        token.add(&keys("one", Algorithm::ES384), "member", 1, &PLAIN);
        token.log_out();
        let faulty = FaultyToken::new(folder);
        run(async {
            let patience = Duration::from_millis(200);
            let batched = opened(&faulty, 1).await.unwrap().with_patience(patience);
            let single = opened(&faulty, 1).await.unwrap().with_patience(patience);
            faulty.set("C_Sign hang");
            let (count, result) = batch(&batched, 10).await;
            let error = chain(&result.unwrap_err());
            assert!(error.contains("did not return within 0.2 seconds while signing"), "{error}");
            assert_eq!(count, 0);
            let message = Message::new(MessageType::Proposal, time(), None, proposal("x")).unwrap();
            let error = chain(&sign(&single, message).await.unwrap_err());
            assert!(error.contains("did not return within 0.2 seconds while signing"), "{error}");
        });
        // The process must end all the same; the test waits for it.
    });
}
