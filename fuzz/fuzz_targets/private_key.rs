//! Private keys in PEM, plain or encrypted: what is read has its curve's public key, and signs.
#![no_main]

use ccf_gov::signer::{Passphrase, PrivateKey};
use zeroize::Zeroizing;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let passphrase = Passphrase::new(Zeroizing::new("correct-horse".into())).expect("it is one");
    if let Ok(key) = PrivateKey::from_pem(text, "key", &passphrase) {
        assert_eq!(key.public_key().len(), 1 + 2 * key.algorithm().scalar_len());
        assert_eq!(key.sign(b"x"), key.sign(b"x"));
    }
});
