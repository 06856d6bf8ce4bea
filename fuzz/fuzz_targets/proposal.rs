//! Proposals: any bytes are read or refused, and what is read can be shown.
#![no_main]

use ccf_gov::{json, proposal};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(value) = json::parse(data) {
        let text = proposal::summary(&value);
        assert!(!text.contains('\u{1b}'));
    }
});
