//! Files of an attestation in every form, put together and verified; a byte 0xff lies between two files.
#![no_main]

use ccf_gov::evidence::node::{Attestation, Expected, Trust, parts};
use time::macros::datetime;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut attestation = Attestation::default();
    for file in data.split(|byte| *byte == 0xff).take(8) {
        let _ = parts(file);
        let _ = attestation.add(file);
    }
    let _ = parts(data);
    let _ = attestation.verify(&Expected::default(), &Trust::pinned(datetime!(2026-01-01 0:00 UTC)));
});
