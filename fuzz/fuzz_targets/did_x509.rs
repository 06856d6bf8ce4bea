//! A did:x509 against a chain: the DID up to the first zero byte, then certificates with 16-bit lengths.
#![no_main]

use ccf_gov::evidence::snp::did_x509;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let at = data.iter().position(|&b| b == 0).unwrap_or(data.len());
    let (did, mut rest) = data.split_at(at);
    let Ok(did) = std::str::from_utf8(did) else { return };
    let mut chain = Vec::new();
    rest = rest.get(1..).unwrap_or_default();
    while let Some((length, after)) = rest.split_first_chunk() {
        let (der, next) = after.split_at(usize::from(u16::from_le_bytes(*length)).min(after.len()));
        chain.push(der.to_vec());
        rest = next;
    }
    let _ = did_x509::resolve(did, &chain);
});
