//! A security policy's Rego.
#![no_main]

use ccf_gov::evidence::policy::Review;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = Review::of(data);
});
