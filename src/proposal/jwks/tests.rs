use serde_json::json;
use time::macros::datetime;

use super::*;

/// The key of [`CERTIFICATE`].
const N: &str = "oCVnPcR2Z-RtqS8B6pYSd_5XmNkUb53zDA6_-iM5FrU7OsABjspaVK5C5DeBYP-2HultgweDxf8rFHVe-R2-SbA9pLsKVnEs8LZgEGjzJWnVhx1g10YIo3qddbolCweyX5fbdtMaGpKkJ3Mcs9y3GgXudFAF_FJOjjff5g5vcV8rrKVyKkNVoWR-uUzjEjvnqu7iwBFzjG3FOHPb9W9Z1Kdcy9N_a5P1Bc-0KcjCSqq1nfhbchrfNQzbNt7XPNrK3NkNezwew-EQXWPpHPht5P27OuAoo-x3-9xhUVsVdUPkUI_mZ0_n-vp3x3pBWMUUcRL7pabfBsb_HOx01j6jIw";
/// Signed by its own key, from 25 November to 25 December 2026.
const CERTIFICATE: &str = "MIIDBzCCAe+gAwIBAgIUYSCBrtVHm8yxOsAe+zEYZgesgMIwDQYJKoZIhvcNAQELBQAwEzERMA8GA1UEAwwIaXNzdWVyLWEwHhcNMjYxMTI1MTYwMDA2WhcNMjYxMjI1MTYwMDA2WjATMREwDwYDVQQDDAhpc3N1ZXItYTCCASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEBAKAlZz3EdmfkbakvAeqWEnf+V5jZFG+d8wwOv/ojORa1OzrAAY7KWlSuQuQ3gWD/th7pbYMHg8X/KxR1XvkdvkmwPaS7ClZxLPC2YBBo8yVp1YcdYNdGCKN6nXW6JQsHsl+X23bTGhqSpCdzHLPctxoF7nRQBfxSTo433+YOb3FfK6ylcipDVaFkfrlM4xI756ru4sARc4xtxThz2/VvWdSnXMvTf2uT9QXPtCnIwkqqtZ34W3Ia3zUM2zbe1zzaytzZDXs8HsPhEF1j6Rz4beT9uzrgKKPsd/vcYVFbFXVD5FCP5mdP5/r6d8d6QVjFFHES+6Wm3wbG/xzsdNY+oyMCAwEAAaNTMFEwHQYDVR0OBBYEFABHa+9pDojUn2gyTkGQ3aD5363TMB8GA1UdIwQYMBaAFABHa+9pDojUn2gyTkGQ3aD5363TMA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQELBQADggEBACpopYSauVHpZKO5u03UOEufr/mC19TWNMNm2MCCodhozCaGN0hqcH7a8yZyF20Ynwn9hK00/BSHWHNzusd5C1koE17vklKSYIrvz8mhkuajvfi88XPXcoSpcV83r04Xh6DK7iqkrwbOVe4A6RaeppRpIm1ajAibUeZ1HNObWKVL+axydT/HlRxKizF0xgp9M9HqhJdXZU5s0lWPtNRxChO3BsQoR6+qSskAWeiX3j6XpFvduNQWCiJ7eLL+4vPw0+yehdfxBCaiwOnUDa/WgkGLiMr9qHLn4OwQZ8nT5VHgbLhxTQIPlHPhtiuQsnODcTkbJpY7YpeNWXPHdsz34ac=";
/// Another certificate, expired in 2012.
const EXPIRED: &str = "MIICuDCCAaCgAwIBAgIBBzANBgkqhkiG9w0BAQsFADAVMRMwEQYDVQQDDApleHBpcmVkLWNhMB4XDTEwMDEwMTAwMDAwMFoXDTEyMDEwMTAwMDAwMFowFTETMBEGA1UEAwwKZXhwaXJlZC1jYTCCASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEBAKjiubkESMW8Tf9nQtgQg4O8t5ThE61iqIC0neL7g3wa7tdHLReqHDExPU8oLjBQUHquGkPNtk4L7xE1dUYj+EeQemAzYcLU14MKn6dhYR+WNKzhyZxQORlw2nrrBWWmnmU8NeW/NaDLJKmyX2Ar3GRtprzko2qTU7IHfGv2OGpNvZyCBCi9tZdRCM5yEACpxbgt3TIvb1i0tn+jBcCO6IDMZ1V52otSCEvA3208yG6UAjWt3hljkMKb98ItQ9IxNVUBQ4fpP6iTMVVO1vY0Lj1CD6Xc1mItwDBh2H55gtg3HIUoqvQRaobfYFQSxwCaXKWuNTu4GpNKC5caiGSnb80CAwEAAaMTMBEwDwYDVR0TAQH/BAUwAwEB/zANBgkqhkiG9w0BAQsFAAOCAQEAYchDq81cSYAWU59qsUFJNVdbFXJv6V8IKSo9rG0Ey/SM+agFR9ARuMiE1x0gwWV0dXqqUkbnSqYpoBtJ+dmjQyq3oe6dvFSWdHXXvJEvLH7EhLqzx+RyERNpxypMdNOD+b6VfohFsHf5PTUOPZisPryFVim/5nmOxOaEASWwpWPhoJWc+nANvw8WdxwDNhI24sj2ziB8y6B2gWzL73aZY5tfnk5kdqyeXqrO/6uNk8dW4iyevak1LHWcxzyBonaySopmtKEFUPY2+UVxKHG0xPZjn3q/ItO7vsevDF08qwzo1TK0STU0jp6b4ypJxgbFL0A8llYi0dQRz7ZknpXSuQ==";

fn rsa() -> Value {
    json!({"kid": "1", "kty": "RSA", "n": N, "e": "AQAB"})
}

fn ec() -> Value {
    json!({
        "kid": "1", "kty": "EC", "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    })
}

fn with(mut key: Value, members: Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        key[name] = value.clone();
    }
    key
}

fn without(mut key: Value, name: &str) -> Value {
    key.as_object_mut().unwrap().shift_remove(name);
    key
}

fn of(keys: Value) -> Vec<(Acceptance, String)> {
    let found =
        faults(&json!({ "keys": keys }), Some("https://login.example.com/tenant"), datetime!(2026-12-01 0:00 UTC));
    found.into_iter().map(|fault| (fault.acceptance, fault.text)).collect()
}

#[track_caller]
fn has(key: Value, acceptance: Acceptance, says: &str) {
    let found = of(json!([key]));
    assert!(found.iter().any(|(of, text)| *of == acceptance && text.contains(says)), "{says}: {found:?}");
}

#[test]
fn good_keys_have_no_fault() {
    for key in [
        rsa(),
        ec(),
        with(rsa(), json!({"use": "sig", "alg": "RS256", "x5t": "x", "x5c": [CERTIFICATE]})),
        with(ec(), json!({"use": "sig", "alg": "ES256", "key_ops": ["verify"]})),
        json!({"kid": "1", "kty": "RSA", "x5c": [CERTIFICATE]}),
        with(rsa(), json!({"issuer": "https://login.example.com/{tenantid}"})),
        with(rsa(), json!({"issuer": "https://example.com"})),
    ] {
        assert_eq!(of(json!([key.clone()])), [], "{key}");
    }
}

#[test]
fn kids_are_there_and_are_unique() {
    has(without(rsa(), "kid"), Acceptance::Refused, "keys[0].kid is missing");
    has(with(rsa(), json!({"kid": 1})), Acceptance::Refused, "not text");
    has(with(rsa(), json!({"kid": ""})), Acceptance::Unused, "empty");
    let twice = of(json!([rsa(), with(ec(), json!({"kid": "2"})), ec()]));
    assert!(
        matches!(twice.as_slice(), [(Acceptance::RefusedSince705, text)] if text.contains("keys[2].kid \"1\" appears twice")),
        "{twice:?}"
    );
    assert!(matches!(of(json!([])).as_slice(), [(Acceptance::Refused, _)]));
    assert!(matches!(of(json!([1])).as_slice(), [(Acceptance::Refused, _)]));
    assert!(of(json!(vec![rsa(); MOST_KEYS + 1])).iter().any(|(acceptance, _)| *acceptance == Acceptance::Unchecked));
}

#[test]
fn types_uses_and_algorithms_are_those_that_nodes_verify_by() {
    has(without(rsa(), "kty"), Acceptance::Refused, "kty is missing");
    for other in ["oct", "rsa", "AKP", ""] {
        has(with(rsa(), json!({ "kty": other })), Acceptance::Refused, "must be RSA or EC");
    }
    has(with(rsa(), json!({"kty": "OKP"})), Acceptance::RefusedSince705, "OKP");
    has(with(rsa(), json!({"kty": "EC"})), Acceptance::RefusedSince705, "an RSA key");
    has(with(ec(), json!({"kty": "RSA"})), Acceptance::RefusedSince705, "an EC key");
    has(with(rsa(), json!({"use": "enc"})), Acceptance::RefusedSince705, "not \"sig\"");
    for other in ["none", "HS256", "RS512", "PS256", "ES256"] {
        has(with(rsa(), json!({ "alg": other })), Acceptance::RefusedSince705, "must be RS256");
    }
    has(with(ec(), json!({"alg": "ES384"})), Acceptance::RefusedSince705, "must be ES256");
    has(with(rsa(), json!({"alg": 1})), Acceptance::RefusedSince705, "not text");
    has(without(rsa(), "n"), Acceptance::Refused, "has neither x5c");
    has(with(rsa(), json!({"issuer": "https://other.com/"})), Acceptance::Refused, "not the domain");
    has(with(rsa(), json!({"issuer": "https://sub.login.example.com"})), Acceptance::Refused, "not the domain");
    has(with(rsa(), json!({"issuer": "example.com"})), Acceptance::Refused, "not the domain");
}

#[test]
fn numbers_are_base64url_and_large_enough() {
    has(with(rsa(), json!({"n": 1})), Acceptance::Refused, "n is not text");
    has(with(rsa(), json!({"n": "?"})), Acceptance::Refused, "n is not base64url");
    has(with(rsa(), json!({"n": format!("{N}=")})), Acceptance::RefusedSince705, "without padding");
    has(with(rsa(), json!({"n": N.replace('_', "/")})), Acceptance::RefusedSince705, "without padding");
    has(with(rsa(), json!({"n": &N[4..]})), Acceptance::RefusedSince705, "must have at least 2048");
    has(with(rsa(), json!({"n": format!("AAAA{}", &N[4..])})), Acceptance::Unused, "must have at least 2048");
    has(with(rsa(), json!({"e": "AQ"})), Acceptance::Refused, "e is 1 or even");
    has(with(rsa(), json!({"e": "Ag"})), Acceptance::Refused, "e is 1 or even");
    has(with(rsa(), json!({"n": format!("{}A", &N[..N.len() - 1])})), Acceptance::Refused, "n is even");
}

#[test]
fn points_are_on_their_curve() {
    has(without(ec(), "crv"), Acceptance::Refused, "crv is missing");
    has(with(ec(), json!({"crv": "secp256k1"})), Acceptance::Refused, "must be P-256 or P-384");
    has(with(ec(), json!({"crv": "P-384"})), Acceptance::RefusedSince705, "must have 48");
    has(with(ec(), json!({"crv": "P-521"})), Acceptance::RefusedUpToDev7, "P-521");
    has(with(ec(), json!({"x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D8"})), Acceptance::Refused, "not a point");
    has(
        with(ec(), json!({"x": "AMKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"})),
        Acceptance::RefusedSince705,
        "33 bytes",
    );
    has(with(ec(), json!({"y": N})), Acceptance::Refused, "larger than any coordinate");
    has(with(ec(), json!({"n": N, "e": "AQAB"})), Acceptance::Unused, "n and e as well as x and y");
}

#[test]
fn certificates_chain_are_in_date_and_hold_the_key() {
    let x5c = |list: Value| json!({"kid": "1", "kty": "RSA", "x5c": list});
    has(x5c(json!("x")), Acceptance::Refused, "not a list");
    has(x5c(json!([])), Acceptance::Refused, "not a list");
    has(x5c(json!([1])), Acceptance::Refused, "x5c[0] is not base64");
    has(x5c(json!(["AAAA"])), Acceptance::Refused, "x5c[0] is not a certificate");
    has(
        x5c(json!([format!("{}\n{}", &CERTIFICATE[..64], &CERTIFICATE[64..])])),
        Acceptance::RefusedSince705,
        "standard base64",
    );
    has(x5c(json!([EXPIRED])), Acceptance::RefusedSince705, "expired on 2012-01-01");
    has(x5c(json!([CERTIFICATE, EXPIRED])), Acceptance::RefusedSince705, "x5c[0] was not issued by the next one");
    has(x5c(json!(vec![CERTIFICATE; 21])), Acceptance::Unchecked, "21 certificates");
    has(with(rsa(), json!({"x5c": [EXPIRED]})), Acceptance::Unused, "a different key");
    has(with(ec(), json!({"x5c": [CERTIFICATE]})), Acceptance::Unused, "RSA key, and kty is EC");
    let early = faults(&json!({"keys": [x5c(json!([CERTIFICATE]))]}), None, datetime!(2026-11-01 0:00 UTC));
    assert!(early[0].text.contains("not valid before 2026-11-25"), "{early:?}");
}
