//! `pkcs11:`, on SoftHSM.

use std::io;
use std::path::Path;

use ccf_gov::cose::{Algorithm, Message, MessageType};
use ccf_gov::signer::{
    CommandOptions, Credentials, KeyUri, NewKeys, NoPassphrase, PinSource, PinTries, Signer, SignerError,
    list_token_keys, open, sign,
};
use zeroize::Zeroizing;

use super::{chain, keeps_contract, keys, proposal, time};
use crate::support::softhsm::{Kind, PIN, PLAIN, TOKEN, Token, in_child, module};

/// A PIN that is known, or none.
pub struct Pin(pub Option<&'static str>);

impl PinSource for Pin {
    fn pin(&self, _token: &str, _tries: PinTries) -> io::Result<Zeroizing<String>> {
        let pin = self.0.ok_or_else(|| io::Error::other("nobody knows it"))?;
        Ok(Zeroizing::new(pin.into()))
    }
}

fn uri(attributes: &str) -> KeyUri {
    format!("pkcs11:{attributes}?module-path={}", module().unwrap().display()).parse().unwrap()
}

async fn opened(attributes: &str, given: Option<&NewKeys>, pin: Pin) -> Result<Box<dyn Signer>, SignerError> {
    open_uri(&uri(attributes), given, pin).await
}

async fn open_uri(uri: &KeyUri, given: Option<&NewKeys>, pin: Pin) -> Result<Box<dyn Signer>, SignerError> {
    let certificate = given.map(|keys| keys.certificate().clone());
    open(
        uri,
        Credentials {
            certificate,
            passphrase: &NoPassphrase,
            pin: &pin,
            command: CommandOptions::default(),
            azure: &|| panic!("no vault"),
        },
    )
    .await
}

async fn refusal(attributes: &str, given: Option<&NewKeys>) -> String {
    chain(&opened(attributes, given, Pin(Some(PIN))).await.unwrap_err())
}

pub fn run(body: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(body);
}

#[test]
fn softhsm_keeps_the_contract() {
    in_child("signers::pkcs11::softhsm_keeps_the_contract", &[], |_| {
        let token = Token::new(TOKEN);
        let all = Algorithm::ALL.map(|algorithm| keys(algorithm.name(), algorithm));
        for (id, keys) in all.iter().enumerate() {
            token.add(keys, "member", id as u8, &PLAIN);
        }
        token.log_out();
        run(async {
            // All three at once, in one process: one module, one session each.
            let mut signers = Vec::new();
            for id in 0..all.len() {
                signers.push(opened(&format!("token=a%20token;id=%0{id}"), None, Pin(Some(PIN))).await.unwrap());
            }
            for (signer, keys) in signers.iter().zip(&all) {
                keeps_contract(&**signer, keys).await;
            }
            drop(signers);
            let again = opened("token=a%20token;object=member;id=%01", Some(&all[1]), Pin(Some(PIN))).await.unwrap();
            keeps_contract(&*again, &all[1]).await;
        });
    });
}

#[test]
fn what_is_wrong_with_a_token_is_told() {
    in_child("signers::pkcs11::what_is_wrong_with_a_token_is_told", &[], |_| {
        let token = Token::new(TOKEN);
        let (one, two) = (keys("one", Algorithm::ES384), keys("two", Algorithm::ES384));
        token.add(&one, "member", 1, &PLAIN);
        token.add(&two, "member", 2, &PLAIN);
        token.add(&one, "mute", 3, &Kind { sign: false, ..PLAIN });
        token.add(&one, "bare", 4, &Kind { certificate: false, ..PLAIN });
        token.log_out();
        run(async {
            let missing = refusal("token=other", None).await;
            assert!(
                missing.contains("no token is token \"other\"") && missing.contains("\"a token\" (serial"),
                "{missing}"
            );
            let nobody = chain(&opened("token=a%20token;id=%01", None, Pin(None)).await.unwrap_err());
            assert!(nobody.contains("no PIN for token \"a token\"") && nobody.contains("nobody knows"), "{nobody}");
            // An empty PIN costs no try: the next wrong one is the first that counts.
            let empty = chain(&opened("token=a%20token;id=%01", None, Pin(Some(""))).await.unwrap_err());
            assert!(empty.contains("an empty PIN was given, which was not tried"), "{empty}");
            let wrong = chain(&opened("token=a%20token;id=%01", None, Pin(Some("0000"))).await.unwrap_err());
            assert!(wrong.contains("the PIN is wrong; some tries are left, but not all"), "{wrong}");

            let key = refusal("token=a%20token;object=nobody", None).await;
            assert!(key.contains("no private key of label \"nobody\"") && key.contains("\"bare\" (id=%04)"), "{key}");
            let two_keys = refusal("token=a%20token;object=member", None).await;
            assert!(
                two_keys.contains("several") && two_keys.contains("(id=%01)") && two_keys.contains("(id=%02)"),
                "{two_keys}"
            );
            let mute = refusal("token=a%20token;object=mute", None).await;
            assert!(mute.contains("may not sign"), "{mute}");
            let bare = refusal("token=a%20token;object=bare", None).await;
            assert!(bare.contains("holds no certificate") && bare.contains("--cert"), "{bare}");
            opened("token=a%20token;object=bare", Some(&one), Pin(Some(PIN))).await.unwrap();
            let p256 = keys("p256", Algorithm::ES256);
            assert!(refusal("token=a%20token;id=%01", Some(&p256)).await.contains("do not belong together"));
        });
    });
}

#[test]
fn a_key_that_wants_its_pin_each_time_gets_it() {
    in_child("signers::pkcs11::a_key_that_wants_its_pin_each_time_gets_it", &[], |_| {
        let token = Token::new(TOKEN);
        let (careful, plain) = (keys("careful", Algorithm::ES384), keys("plain", Algorithm::ES256));
        token.add(&careful, "careful", 1, &Kind { always_authenticate: true, ..PLAIN });
        token.add(&plain, "plain", 2, &PLAIN);
        token.log_out();
        run(async {
            let signer = opened("token=a%20token;id=%01", None, Pin(Some(PIN))).await.unwrap();
            keeps_contract(&*signer, &careful).await;
            // The other key of the same token is not disturbed by it, nor disturbs it.
            let other = opened("token=a%20token;id=%02", None, Pin(None)).await.unwrap();
            keeps_contract(&*other, &plain).await;
            keeps_contract(&*signer, &careful).await;
            let wrong = opened("token=a%20token;id=%01", None, Pin(Some("0000"))).await.unwrap();
            let error = chain(&wrong.sign(b"x").await.unwrap_err());
            assert!(error.contains("the PIN is wrong"), "{error}");
            keeps_contract(&*other, &plain).await;
            keeps_contract(&*signer, &careful).await;
        });
    });
}

#[test]
fn a_signature_by_another_key_is_found_out() {
    in_child("signers::pkcs11::a_signature_by_another_key_is_found_out", &[], |_| {
        let token = Token::new(TOKEN);
        let (one, two) = (keys("one", Algorithm::ES384), keys("two", Algorithm::ES384));
        // No public key is on the token, so the mistake shows with the first signature only.
        token.add(&one, "member", 1, &Kind { certificate: false, ..PLAIN });
        token.log_out();
        run(async {
            let signer = opened("token=a%20token;id=%01", Some(&two), Pin(Some(PIN))).await.unwrap();
            let message = Message::new(MessageType::Proposal, time(), None, proposal("x"));
            let error = chain(&sign(&*signer, message.unwrap()).await.unwrap_err());
            assert!(error.contains("not made by the certificate's key"), "{error}");
        });
    });
}

#[test]
fn a_token_that_goes_away_is_told() {
    in_child("signers::pkcs11::a_token_that_goes_away_is_told", &[], |folder: &Path| {
        let token = Token::new(TOKEN);
        let one = keys("one", Algorithm::ES384);
        token.add(&one, "member", 1, &PLAIN);
        token.log_out();
        run(async {
            let signer = opened("token=a%20token;id=%01", None, Pin(Some(PIN))).await.unwrap();
            signer.sign(b"x").await.unwrap();
            std::fs::remove_dir_all(folder.join("tokens")).unwrap();
            let error = chain(&signer.sign(b"x").await.unwrap_err());
            assert!(error.contains("\"a token\" was removed"), "{error}");
        });
    });
}

#[test]
fn keys_are_listed_as_uris_that_open_them() {
    in_child("signers::pkcs11::keys_are_listed_as_uris_that_open_them", &[], |folder| {
        const LABELS: [&str; 9] =
            ["a;b", "é ключ 鍵", "100 % %41", "a&b?c=d", "\"it's\"", "../x:y#z", "same", "same", ""];
        let token = Token::new("tok;en % é");
        let curve = |at: usize| if at.is_multiple_of(2) { Algorithm::ES384 } else { Algorithm::ES256 };
        let all: Vec<_> = (0..LABELS.len()).map(|at| keys("member", curve(at))).collect();
        for (at, (keys, label)) in all.iter().zip(LABELS).enumerate() {
            // Ids that a reader could trip over: a zero, a percent sign, bytes that are no text.
            let id = [0, b'%', 0xff, b';', b'&', 1, 2, 3, 4][at];
            token.add(keys, label, id, &Kind { certificate: at != 4, ..PLAIN });
        }
        token.log_out();
        let pin_file = folder.join("pin file & more");
        std::fs::write(&pin_file, format!("{PIN}\n")).unwrap();
        run(async {
            let KeyUri::Pkcs11(mut wanted) = uri("") else { panic!() };
            wanted.pin_source = Some(pin_file);
            let listed = list_token_keys(&wanted, &Pin(None)).await.unwrap();
            assert_eq!(listed.len(), LABELS.len());
            for key in listed {
                assert_eq!(key.can_sign, Some(true));
                let uri: KeyUri = key.uri.to_string().parse().unwrap();
                let given = key.certificates.is_empty().then_some(&all[4]);
                let signer = open_uri(&uri, given, Pin(None)).await.unwrap();
                if given.is_none() {
                    assert_eq!(key.certificates, [signer.certificate().clone()]);
                }
                let keys = all.iter().find(|keys| keys.certificate() == signer.certificate()).unwrap();
                let signature = signer.sign(b"x").await.unwrap();
                keys.certificate().verify(b"x", &signature).unwrap();
            }
        });
    });
}

#[test]
fn a_certificate_of_another_key_is_not_listed_as_this_ones() {
    in_child("signers::pkcs11::a_certificate_of_another_key_is_not_listed_as_this_ones", &[], |_| {
        let token = Token::new(TOKEN);
        let (one, two) = (keys("one", Algorithm::ES384), keys("two", Algorithm::ES384));
        let shown = Kind { certificate: false, public_key: true, ..PLAIN };
        token.add(&one, "one", 1, &shown);
        token.add(&two, "hidden", 2, &Kind { certificate: false, ..PLAIN });
        for id in [1, 2] {
            token.add_certificate(&two, "old", &[id]);
        }
        // Two keys of one id, told apart by their labels.
        token.add(&one, "a", 3, &Kind { certificate: true, ..shown });
        token.add(&two, "b", 3, &Kind { certificate: true, ..shown });
        token.log_out();
        run(async {
            let KeyUri::Pkcs11(uri) = uri("token=a%20token") else { panic!() };
            let listed = list_token_keys(&uri, &Pin(Some(PIN))).await.unwrap();
            let of = |label: &str| {
                let key = listed.iter().find(|key| key.uri.object.as_deref() == Some(label)).unwrap();
                assert_eq!(key.can_sign, Some(true));
                (key.certificates.iter().map(|c| c.member_id()).collect::<Vec<_>>(), key.shows_public_key)
            };
            assert_eq!(of("one"), (vec![], true));
            assert_eq!(of("hidden"), (vec![two.certificate().member_id()], false));
            assert_eq!(of("a"), (vec![one.certificate().member_id()], true));
            assert_eq!(of("b"), (vec![two.certificate().member_id()], true));
            for (label, keys) in [("a", &one), ("b", &two)] {
                let signer = opened(&format!("object={label};id=%03"), None, Pin(Some(PIN))).await.unwrap();
                assert_eq!(signer.certificate(), keys.certificate());
            }
        });
    });
}

#[test]
fn keys_without_a_name_of_their_own_are_listed_for_what_they_are() {
    in_child("signers::pkcs11::keys_without_a_name_of_their_own_are_listed_for_what_they_are", &[], |_| {
        let token = Token::new(TOKEN);
        let all: Vec<_> = (0..6).map(|_| keys("member", Algorithm::ES384)).collect();
        let names: [(&str, &[u8]); 6] =
            [("", b""), ("", b"4"), ("x", b""), ("x", b"5"), ("twin", b"6"), ("twin", b"6")];
        for (keys, (label, id)) in all.iter().zip(names) {
            token.add_named(keys, label, id, &Kind { certificate: false, ..PLAIN });
        }
        token.log_out();
        run(async {
            let KeyUri::Pkcs11(wanted) = uri("") else { panic!() };
            let listed = list_token_keys(&wanted, &Pin(Some(PIN))).await.unwrap();
            let mut texts: Vec<_> = listed
                .iter()
                .map(|key| {
                    let uri = key.uri.to_string();
                    let uri = uri.split('?').next().unwrap().trim_start_matches("pkcs11:token=a%20token;");
                    (uri.to_owned(), key.is_named_alone)
                })
                .collect();
            texts.sort();
            let expected = [
                ("id=%34", true),
                ("object=;id=", true),
                ("object=twin;id=%36", false),
                ("object=twin;id=%36", false),
                ("object=x;id=", true),
                ("object=x;id=%35", true),
            ];
            assert_eq!(texts, expected.map(|(uri, alone)| (uri.to_owned(), alone)));
            for key in listed.iter().filter(|key| key.is_named_alone) {
                let uri: KeyUri = key.uri.to_string().parse().unwrap();
                let mut opened = 0;
                for keys in &all {
                    let signer = open_uri(&uri, Some(keys), Pin(Some(PIN))).await.unwrap();
                    opened += usize::from(keys.certificate().verify(b"x", &signer.sign(b"x").await.unwrap()).is_ok());
                }
                assert_eq!(opened, 1, "{uri}");
            }
            let twins = refusal("object=twin", None).await;
            assert!(twins.contains("no URI identifies one of them") && !twins.contains("add the id"), "{twins}");
            assert!(refusal("object=x", None).await.contains("add the id"));
        });
    });
}
