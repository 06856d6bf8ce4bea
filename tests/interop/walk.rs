//! The documented walk prepare → vault → finish, with our binary for either step or both.

use base64::prelude::{BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD, Engine};
use ccf_gov::cose::{Algorithm, MessageType, Signature};

use super::{Peer, output};

const KINDS: [MessageType; 3] = [MessageType::Proposal, MessageType::Ballot, MessageType::StateDigest];

/// What a key vault does: takes a JSON body with `value`, the digest, and answers with the signature, r ‖ s.
fn vault(peer: &Peer, request: &[u8]) -> Vec<u8> {
    const SIGN: &str = "
import sys, json, base64
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import load_pem_private_key
value = json.load(open('request.json'))['value'].replace('+', '-').replace('/', '_')
digest = base64.urlsafe_b64decode(value + '=' * (-len(value) % 4))
hash = {32: hashes.SHA256, 48: hashes.SHA384, 64: hashes.SHA512}[len(digest)]()
key = load_pem_private_key(open('member_privk.pem', 'rb').read(), None)
r, s = utils.decode_dss_signature(key.sign(digest, ec.ECDSA(utils.Prehashed(hash))))
size = (key.curve.key_size + 7) // 8
sys.stdout.buffer.write(r.to_bytes(size, 'big') + s.to_bytes(size, 'big'))
";
    std::fs::write(peer.path("request.json"), request).unwrap();
    peer.python(SIGN, &[])
}

fn answer(peer: &Peer, signature: &[u8], padded: bool) {
    let value = if padded { BASE64_URL_SAFE.encode(signature) } else { BASE64_URL_SAFE_NO_PAD.encode(signature) };
    let json = serde_json::json!({"kid": "https://vault.example/keys/member/1", "value": value});
    std::fs::write(peer.path("answer.json"), json.to_string()).unwrap();
}

fn walk(algorithm: Algorithm) {
    let Some(peer) = Peer::new(algorithm) else { return };
    let sorts = peer.sorts_headers();
    for kind in KINDS {
        let options = peer.options(kind);
        let ours = |command: &str, more: &[&str]| {
            let mut args = vec![command.to_owned()];
            args.extend(options.iter().cloned());
            args.extend(more.iter().map(ToString::to_string));
            output(peer.ccf_gov(&args))
        };
        let with_answer = [&options[..], &["--signature".into(), "answer.json".into()]].concat();

        let request = ours("prepare", &[]);
        let json: serde_json::Value = serde_json::from_slice(&request).unwrap();
        assert_eq!(json["alg"], algorithm.name());
        let signature = vault(&peer, &request);
        answer(&peer, &signature, false);
        peer.is_valid_here(&ours("finish", &["--signature", "answer.json"]), kind);
        let from_file = output(peer.ccf_gov(&["finish", "request.json", "--signature", "answer.json"]));
        peer.is_valid_here(&from_file, kind);
        std::fs::write(peer.path("ours.cose"), &from_file).unwrap();
        peer.verifies("ours.cose");

        // Theirs decodes only padded base64; CCF 6 finishes ballots and withdrawals with another order of parameters.
        answer(&peer, &signature, true);
        if sorts || !kind.names_proposal() {
            peer.is_valid_here(&output(peer.theirs("ccf_cose_sign1_finish", &with_answer)), kind);
        }

        let request = output(peer.theirs("ccf_cose_sign1_prepare", &options));
        answer(&peer, &vault(&peer, &request), false);
        peer.is_valid_here(&ours("finish", &["--signature", "answer.json"]), kind);

        // A signature by the right key over other bytes is refused.
        let other = Signature::from_fixed(algorithm, &vault(&peer, &swapped(&request))).unwrap();
        answer(&peer, other.as_bytes(), false);
        let refused = peer.ccf_gov(&[&["finish".to_owned()], &with_answer[..]].concat());
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(3), 0));
    }
}

/// The same request with the first two characters of its digest changed.
fn swapped(request: &[u8]) -> Vec<u8> {
    let mut json: serde_json::Value = serde_json::from_slice(request).unwrap();
    let value = json["value"].as_str().unwrap();
    let start = if value.starts_with("AA") { "BB" } else { "AA" };
    json["value"] = format!("{start}{}", &value[2..]).into();
    json.to_string().into_bytes()
}

#[test]
fn p256_through_a_vault() {
    walk(Algorithm::ES256);
}

#[test]
fn p384_through_a_vault() {
    walk(Algorithm::ES384);
}

#[test]
fn p521_through_a_vault() {
    walk(Algorithm::ES512);
}
