//! A report's endorsements: PEM, JSON or base64, and every rule of the chain.
#![no_main]

use ccf_gov::check::Checks;
use ccf_gov::evidence::snp::{Endorsements, Roots};
use time::macros::datetime;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let now = datetime!(2026-01-01 0:00 UTC);
    let mut checks = Checks::new();
    if let Ok(endorsements) = Endorsements::parse(data) {
        endorsements.check(None, &Roots::amd(), now, &[], &mut checks);
    }
    // The same bytes as certificates themselves: 16-bit lengths, then DER.
    let mut certificates = Vec::new();
    let mut rest = data;
    while let Some((length, after)) = rest.split_first_chunk() {
        let (der, next) = after.split_at(usize::from(u16::from_le_bytes(*length)).min(after.len()));
        certificates.push(der.to_vec());
        rest = next;
    }
    Endorsements::new(certificates, None).check(None, &Roots::amd(), now, &[], &mut checks);
});
