//! What the library adds to a bare signature: the header, the to-be-signed bytes, the envelope.
//!
//! `cargo bench --bench sign`. The goal is that signing and encoding reach 90 % of the rate of the bare ECDSA P-384
//! signature of the same crate. Verification, which every envelope goes through as well, is measured apart: it is
//! done by another implementation, and in a batch by another thread.

#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use ccf_gov::cose::{CreatedAt, Envelope, MemberCertificate, Message, MessageType, Sign1};
use ccf_gov::id::ProposalId;
use ccf_gov::signer::{NoPassphrase, PrivateKey};
use criterion::{Criterion, criterion_group, criterion_main};
use p384::ecdsa::SigningKey;
use p384::ecdsa::signature::Signer;
use p384::pkcs8::DecodePrivateKey;

const KEY: &str = include_str!("../keys-example/member0_privk.pem");
const CERTIFICATE: &[u8] = include_bytes!("../keys-example/member0_cert.pem");

fn ballot() -> Message {
    let script = br#"{"ballot": "export function vote (rawProposal, proposerId) { return true }"}"#;
    let created_at = CreatedAt::from_seconds(1_795_356_000).unwrap();
    Message::new(MessageType::Ballot, created_at, Some(ProposalId::from_bytes([7; 32])), script.to_vec()).unwrap()
}

fn sign(c: &mut Criterion) {
    let bare = SigningKey::from_pkcs8_pem(KEY).unwrap();
    let key = PrivateKey::from_pem(KEY, "member0", &NoPassphrase).unwrap();
    let certificate = MemberCertificate::from_pem(CERTIFICATE).unwrap();
    let message = ballot();
    let to_be_signed = Envelope::to_be_signed(&message, &certificate);
    let envelope = Envelope::new(message.clone(), &certificate, key.sign(&to_be_signed)).unwrap();
    let bytes = envelope.to_bytes();

    let mut group = c.benchmark_group("p384");
    group.bench_function("bare signature", |b| {
        b.iter(|| -> p384::ecdsa::Signature { bare.sign(black_box(&to_be_signed)) })
    });
    group.bench_function("sign and encode", |b| {
        b.iter(|| {
            let to_be_signed = Envelope::to_be_signed(black_box(&message), &certificate);
            let signature = key.sign(&to_be_signed);
            Sign1::encode(
                &message.protected(certificate.algorithm(), certificate.member_id()),
                message.payload(),
                &signature,
            )
        })
    });
    group.bench_function("verify", |b| b.iter(|| black_box(&envelope).verify(&certificate).unwrap()));
    group.bench_function("read", |b| b.iter(|| Envelope::from_bytes(black_box(&bytes)).unwrap()));
    group.finish();
}

criterion_group!(benches, sign);
criterion_main!(benches);
