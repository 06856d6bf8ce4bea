//! Envelopes: what is read and judged is written back as the same bytes.
#![no_main]

use ccf_gov::cose::Envelope;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(envelope) = Envelope::from_bytes(data) {
        assert_eq!(envelope.to_bytes(), data);
    }
});
