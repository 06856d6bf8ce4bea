//! `ccf_cose_sign1` and `ccf-gov sign` in each other's place.

use ccf_gov::cose::{Algorithm, Envelope, MessageType};

use super::{CREATED_AT, PROPOSAL_ID, Peer, output};

fn every_type(algorithm: Algorithm) {
    let Some(peer) = Peer::new(algorithm) else { return };
    let sorts = peer.sorts_headers();
    for kind in MessageType::ALL {
        let mut options = peer.options(kind);
        options.extend(["--signing-key".into(), "member_privk.pem".into()]);
        let theirs = output(peer.theirs("ccf_cose_sign1", &options));
        options.insert(0, "sign".into());
        let ours = output(peer.ccf_gov(&options));

        let theirs = peer.is_valid_here(&theirs, kind);
        let ours_read = peer.is_valid_here(&ours, kind);
        std::fs::write(peer.path("ours.cose"), &ours).unwrap();
        peer.verifies("ours.cose");

        let expected = if sorts || !kind.names_proposal() { theirs } else { in_our_order(&peer, kind) };
        assert_eq!(ours_read.protected(), expected.protected(), "{algorithm} {kind}");
        assert_eq!(ours_read.message(), expected.message());
    }
}

/// CCF 6's package keeps the order in which its caller names the parameters: the same input is the same order.
fn in_our_order(peer: &Peer, kind: MessageType) -> Envelope {
    const SIGN: &str = "
import sys, ccf.cose, datetime
kind, created_at, proposal_id = sys.argv[1:]
sys.stdout.buffer.write(ccf.cose.create_cose_sign1(
    open(kind, 'rb').read(), open('member_privk.pem').read(), open('member_cert.pem').read(),
    {'ccf.gov.msg.type': kind,
     'ccf.gov.msg.created_at': int(datetime.datetime.fromisoformat(created_at).timestamp()),
     'ccf.gov.msg.proposal_id': proposal_id}))
";
    peer.is_valid_here(&peer.python(SIGN, &[kind.name(), CREATED_AT, PROPOSAL_ID]), kind)
}

#[test]
fn p256_in_both_directions() {
    every_type(Algorithm::ES256);
}

#[test]
fn p384_in_both_directions() {
    every_type(Algorithm::ES384);
}

#[test]
fn p521_in_both_directions() {
    every_type(Algorithm::ES512);
}
