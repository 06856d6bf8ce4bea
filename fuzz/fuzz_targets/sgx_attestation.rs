//! SGX evidence with its endorsements: the evidence's length (16 bits), the evidence, the endorsements.
#![no_main]

use ccf_gov::evidence::sgx::{Evidence, Expected, Trust, verify};
use time::macros::datetime;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((length, rest)) = data.split_first_chunk() else { return };
    let (evidence, endorsements) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    let Ok(evidence) = Evidence::parse(evidence) else { return };
    let trust = Trust::intel(datetime!(2026-01-01 0:00 UTC));
    let checks = verify(&evidence, Some(endorsements), &Expected::default(), &trust);
    assert_ne!(checks.verdict().as_str(), "pass");
});
