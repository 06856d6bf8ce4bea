//! Key URIs: any text is read or refused, and what is read is written back as the same key.
#![no_main]

use ccf_gov::signer::KeyUri;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(uri) = text.parse::<KeyUri>() {
        assert_eq!(uri.to_string().parse(), Ok(uri));
    }
});
