//! What comes from another machine: files of signing requests, certificates, signatures in any of their forms.
#![no_main]

use ccf_gov::cose::{Algorithm, MemberCertificate, Signature, SigningRequest};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for request in SigningRequest::parse_file(data).unwrap_or_default() {
        let text = request.to_json().to_string();
        let again = SigningRequest::parse_file(text.as_bytes()).expect("what we write can be read");
        assert_eq!(again[0].to_be_signed(), request.to_be_signed());
        assert!(!request.summary().iter().any(|line| line.contains('\u{1b}')));
    }
    let _ = MemberCertificate::from_pem(data);
    let _ = MemberCertificate::from_der(data);
    for algorithm in [Algorithm::ES256, Algorithm::ES384, Algorithm::ES512] {
        if let Ok(signature) = Signature::from_file(algorithm, data) {
            assert_eq!(signature.as_bytes().len(), algorithm.signature_len());
        }
    }
});
