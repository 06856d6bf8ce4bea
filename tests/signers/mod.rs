//! Every kind of signer keeps one contract, and says what is wrong when it cannot.

mod azure_key_vault;
mod command;
mod faults;
mod pkcs11;
mod secrets;

use std::ops::ControlFlow;
use std::sync::mpsc;

use ccf_gov::cose::{Algorithm, CreatedAt, Envelope, Message, MessageType, Signature};
use ccf_gov::signer::{NewKeys, PemSigner, Signer, SignerError, sign, sign_all};

use crate::interop::Peer;

/// What every signer does: its signatures make envelopes that are valid for its certificate.
pub async fn keeps_contract(signer: &dyn Signer, keys: &NewKeys) {
    assert_eq!(signer.certificate(), keys.certificate());
    assert_eq!(signer.algorithm(), keys.certificate().algorithm());
    for payload in [proposal("x"), proposal(&"y".repeat(100_000))] {
        let message = Message::new(MessageType::Proposal, time(), None, payload).unwrap();
        let envelope = sign(signer, message.clone()).await.unwrap();
        let read = Envelope::from_bytes(&envelope.to_bytes()).unwrap();
        read.verify(keys.certificate()).unwrap();
        assert_eq!(read.message(), &message);
        assert_eq!(read.signature().as_bytes().len(), signer.algorithm().signature_len());
    }
    let message = Message::new(MessageType::Proposal, time(), None, proposal("x")).unwrap();
    let envelope = sign(signer, message.clone()).await.unwrap();
    Peer::check(keys.certificate(), &envelope.to_bytes());
    // With n - s in the place of s a signature is as valid, to CCF as well: signers give either.
    let signature = with_other_s(envelope.signature());
    let envelope = Envelope::new(message, keys.certificate(), signature).unwrap();
    Peer::check(keys.certificate(), &envelope.to_bytes());
    let messages: Vec<_> = (0u8..4).map(|n| [n; 100]).collect();
    for message in &messages {
        let signature = signer.sign(message).await.unwrap();
        keys.certificate().verify(message, &signature).unwrap();
    }
    assert!(matches!(batch(signer, 7).await, (7, Ok(()))));
    assert!(matches!(batch(signer, 0).await, (0, Ok(()))));
    // The signatures of a batch come in order, and end where it is told to.
    for end in [messages.len(), 2] {
        let (sender, signatures) = mpsc::channel();
        let mut left = end;
        let keep = move |signature| {
            sender.send(signature).unwrap();
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        signer.sign_each(messages.iter().map(|m| m.to_vec()).collect(), Box::new(keep)).await.unwrap();
        let signatures: Vec<_> = signatures.iter().collect();
        assert_eq!(signatures.len(), end);
        for (message, signature) in messages.iter().zip(&signatures) {
            keys.certificate().verify(message, signature).unwrap();
        }
    }
    // Two at a time.
    let (one, two) = tokio::join!(signer.sign(&messages[0]), signer.sign(&messages[1]));
    keys.certificate().verify(&messages[0], &one.unwrap()).unwrap();
    keys.certificate().verify(&messages[1], &two.unwrap()).unwrap();
}

/// Signs `count` proposals in a batch; gives how many envelopes came of it, valid and in order, and how it ended.
pub async fn batch(signer: &dyn Signer, count: usize) -> (usize, Result<(), SignerError>) {
    let (sender, envelopes) = mpsc::channel();
    let message = |n: usize| Message::new(MessageType::Proposal, time(), None, proposal(&n.to_string())).unwrap();
    let done = move |envelope| {
        sender.send(envelope).unwrap();
        Ok(())
    };
    let result = sign_all(signer, (0..count).map(message).collect(), done).await;
    let envelopes: Vec<_> = envelopes.iter().collect();
    for (n, envelope) in envelopes.iter().enumerate() {
        envelope.verify(signer.certificate()).unwrap();
        assert_eq!(envelope.message(), &message(n));
    }
    (envelopes.len(), result)
}

/// The same signature with n - s for s, n being the order of the curve.
fn with_other_s(signature: &Signature) -> Signature {
    let order = match signature.algorithm() {
        Algorithm::ES256 => "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        Algorithm::ES384 => {
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973"
        }
        Algorithm::ES512 => {
            "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409"
        }
    };
    let order = hex::decode(order).unwrap();
    let mut bytes = signature.as_bytes().to_vec();
    let s = &mut bytes[order.len()..];
    assert_eq!(s.len(), order.len());
    let mut borrow = 0;
    for (digit, n) in s.iter_mut().zip(&order).rev() {
        let difference = i16::from(*n) - i16::from(*digit) - borrow;
        borrow = i16::from(difference < 0);
        *digit = difference.rem_euclid(256) as u8;
    }
    Signature::from_fixed(signature.algorithm(), &bytes).unwrap()
}

/// A proposal with `text` in it.
pub fn proposal(text: &str) -> Vec<u8> {
    let arguments = serde_json::json!({"name": text});
    serde_json::json!({"actions": [{"name": "remove_ca_cert_bundle", "args": arguments}]}).to_string().into_bytes()
}

pub fn time() -> CreatedAt {
    CreatedAt::from_seconds(1_700_000_000).unwrap()
}

pub fn keys(name: &str, algorithm: Algorithm) -> NewKeys {
    NewKeys::generate(name, algorithm, 30, false).unwrap()
}

/// The PEM text of a key.
pub fn pem(keys: &NewKeys) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::read_to_string(keys.write(folder.path(), false).unwrap().private_key).unwrap()
}

/// An error with all its causes, as people see it.
pub fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |e| e.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[tokio::test]
async fn pem_keeps_the_contract() {
    for algorithm in Algorithm::ALL {
        let keys = keys("member", algorithm);
        let signer = PemSigner::new(&pem(&keys), keys.certificate().clone()).unwrap();
        keeps_contract(&signer, &keys).await;
    }
}
