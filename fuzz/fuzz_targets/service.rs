//! What a service answers, as each object that it can be, and the certificates in it and of its TLS.
#![no_main]

use ccf_gov::json;
use ccf_gov::service::{
    Consensus, JoinPolicy, Member, Network, NetworkNode, Node, Proposal, ServiceInfo, ShownCertificate, StateDigest,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use time::macros::datetime;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for shown in [Some(ShownCertificate::from_der(data)), ShownCertificate::from_pem(data)].into_iter().flatten() {
        assert!(!shown.to_string().contains(char::is_control));
    }
    let Ok(value) = json::parse(data) else { return };
    if let Some(member) = read::<Member>(&value)
        && let Some(certificate) = member.read_certificate()
    {
        assert_eq!(certificate.member_id(), member.member_id);
    }
    if let Some(validity) = read::<Node>(&value).and_then(|node| node.validity()) {
        let _ = validity.describe(datetime!(2026-01-01 0:00 UTC));
    }
    let _ = read::<Proposal>(&value);
    let _ = read::<JoinPolicy>(&value);
    let _ = read::<NetworkNode>(&value);
    let _ = read::<Consensus>(&value);
    let _ = read::<ServiceInfo>(&value);
    let _ = read::<Network>(&value);
    let _ = read::<StateDigest>(&value);
});

fn read<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}
