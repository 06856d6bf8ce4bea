//! Private keys in what is signed: proposals and ballots are public for ever.

use crate::text::clip;
use std::sync::LazyLock;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use regex::Regex;
use serde_json::{Map, Value};
use x509_parser::asn1_rs::{Any, Error, FromDer, Oid, Sequence};

use crate::json;

/// A private key, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at} holds a private key ({form}), and what is proposed is public for ever")]
pub struct PrivateKey {
    /// The path to it, for example `actions[0].args.jwks.keys[0]`.
    pub at: String,
    /// How it is written.
    pub form: String,
}

/// More of them are not listed.
const MOST: usize = 20;
/// JSON in JSON, base64 of base64.
const MAX_NESTING: u32 = 3;

/// The private keys in a JSON value, however they are written: PEM, DER in base64 or hexadecimal digits, JSON Web Keys,
/// and any of these in JSON or base64 that is a text itself.
pub fn find(value: &Value) -> Vec<PrivateKey> {
    let mut found = Vec::new();
    walk(value, &mut String::new(), MAX_NESTING, &mut found);
    found
}

/// The private keys in the content of a request; content that is not JSON is looked at as text.
pub fn find_in_payload(payload: &[u8]) -> Vec<PrivateKey> {
    match json::parse(payload) {
        Ok(value) => find(&value),
        Err(_) => {
            let form = form_of(&String::from_utf8_lossy(payload), MAX_NESTING);
            form.map(|form| PrivateKey { at: "it".into(), form }).into_iter().collect()
        }
    }
}

/// Whether a PEM private key is in `text`, of any kind.
pub fn in_text(text: &str) -> bool {
    pem(text)
}

fn walk(value: &Value, path: &mut String, nesting: u32, found: &mut Vec<PrivateKey>) {
    let length = path.len();
    let mut add = |form: Option<String>, path: &str| {
        if let Some(form) = form.filter(|_| found.len() < MOST) {
            let at = path.strip_prefix('.').unwrap_or(path);
            found.push(PrivateKey { at: if at.is_empty() { "it".into() } else { at.into() }, form });
        }
    };
    match value {
        Value::String(text) => add(form_of(text, nesting), path),
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                *path += &format!("[{at}]");
                walk(value, path, nesting, found);
                path.truncate(length);
            }
        }
        Value::Object(object) => {
            add(jwk(object), path);
            for (key, value) in object {
                *path += &step(key);
                // A key of an object is as public as its value.
                if pem(key) && found.len() < MOST {
                    found.push(PrivateKey { at: path.clone(), form: "PEM".into() });
                }
                walk(value, path, nesting, found);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

/// A key of an object in a path.
fn step(key: &str) -> String {
    let plain = !key.is_empty() && key.len() <= 60 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if plain { format!(".{key}") } else { format!("[{:?}]", clip(key, 40)) }
}

/// How a private key in `text` is written, if there is one.
fn form_of(text: &str, nesting: u32) -> Option<String> {
    if pem(text) {
        return Some("PEM".into());
    }
    if text.contains("PuTTY-User-Key-File-") && text.contains("Private-Lines:") {
        return Some("PuTTY".into());
    }
    if jwk_in_program(text) {
        return Some("JWK".into());
    }
    let trimmed = text.trim();
    if nesting == 0 || trimmed.len() < MIN_ENCODED {
        return None;
    }
    if trimmed.starts_with(['{', '[']) {
        let mut found = Vec::new();
        walk(&json::parse(trimmed.as_bytes()).ok()?, &mut String::new(), nesting - 1, &mut found);
        return found.pop().map(|key| key.form);
    }
    let bytes = decoded(trimmed)?;
    if let Some(form) = der(&bytes) {
        return Some(form.into());
    }
    form_of(std::str::from_utf8(&bytes).ok()?, nesting - 1)
}

/// Whether an object of a program has `kty` and a private member, its names quoted or not.
fn jwk_in_program(text: &str) -> bool {
    #[allow(clippy::expect_used)]
    static OBJECT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"\{[^{}]*\bkty["']?\s*:[^{}]*\}"#).expect("the pattern is well formed"));
    #[allow(clippy::expect_used)]
    static PRIVATE: LazyLock<Regex> = LazyLock::new(|| {
        let member = r#"[{,\s]["']?(?:d|p|q|dp|dq|qi|k)["']?\s*:\s*["'`][A-Za-z0-9_-]{16,}=*["'`]"#;
        Regex::new(member).expect("the pattern is well formed")
    });
    text.contains("kty") && OBJECT.find_iter(text).any(|object| PRIVATE.is_match(object.as_str()))
}

/// No private key, and no JWK, is shorter.
const MIN_ENCODED: usize = 24;

/// The bytes that a text of nothing but hexadecimal digits or base64 (of either alphabet) stands for.
fn decoded(text: &str) -> Option<Vec<u8>> {
    if let Ok(bytes) = hex::decode(text) {
        return Some(bytes);
    }
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_' | b'=');
    if !text.bytes().all(|b| good(b) || b.is_ascii_whitespace()) {
        return None;
    }
    let digits: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let alphabet = if digits.contains(['-', '_']) { alphabet::URL_SAFE } else { alphabet::STANDARD };
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&alphabet, lenient).decode(digits).ok()
}

/// Whether a JSON object is a private JWK.
fn jwk(object: &Map<String, Value>) -> Option<String> {
    let has = |name: &&str| object.get(*name).is_some_and(|value| !value.is_null());
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let is_oct = text("kty").eq_ignore_ascii_case("oct") || (!has(&"kty") && text("alg").starts_with("HS"));
    if is_oct && has(&"k") {
        return Some("JWK with \"k\", a shared secret".into());
    }
    let is_key = has(&"kty") || [["n", "e"], ["crv", "x"]].iter().any(|names| names.iter().all(has));
    let member = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv", "k"].into_iter().find(has)?;
    is_key.then(|| format!("JWK with {member:?}"))
}

/// Whether DER is a private key: PKCS #8 (encrypted or not), PKCS #1, SEC 1, PKCS #12. Told by the first elements.
fn der(bytes: &[u8]) -> Option<&'static str> {
    let (rest, sequence) = Sequence::from_der(bytes).ok()?;
    let elements: Vec<Any<'_>> = sequence.der_iter::<Any<'_>, Error>().take(10).collect::<Result<_, _>>().ok()?;
    if !rest.is_empty() || elements.is_empty() {
        return None;
    }
    let tags: Vec<u32> = elements.iter().map(|element| element.tag().0).collect();
    let version = elements[0].data;
    match (tags.as_slice(), version) {
        ([2, 16, 4, ..], [0 | 1]) => Some("PKCS #8 in DER"),
        ([2, 2, 2, 2, 2, 2, 2, 2, 2, ..], [0 | 1]) => Some("PKCS #1 in DER"),
        ([2, 4, ..], [1]) => Some("SEC 1 in DER"),
        ([2, 16] | [2, 16, 16], [3]) => Some("PKCS #12"),
        ([16, 4], _) => {
            let (_, scheme) = Oid::from_der(elements[0].data).ok()?;
            let scheme = scheme.to_id_string();
            let encrypts = ["1.2.840.113549.1.5.", "1.2.840.113549.1.12.1."].iter().any(|of| scheme.starts_with(of));
            encrypts.then_some("encrypted PKCS #8 in DER")
        }
        _ => None,
    }
}

/// Whether the beginning of a PEM or SSH2 private key is in `text`, and a key after it: the words alone are in many programs.
fn pem(text: &str) -> bool {
    const WORDS: &str = "PRIVATE KEY";
    let mut from = 0;
    while let Some(at) = text[from..].find(WORDS).map(|at| from + at) {
        from = at + WORDS.len();
        let mut start = at.saturating_sub(80);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        let line = text[start..at].rsplit(['\n', '\r']).next().unwrap_or_default();
        let Some(begin) = line.rfind("BEGIN ").filter(|begin| line[..*begin].trim_end().ends_with("--")) else {
            continue;
        };
        let after = text[from..].trim_start_matches(" BLOCK").trim_start_matches(['-', ' ']);
        let alone = line[..begin].trim_matches(['-', ' ', '\t']).is_empty();
        let ends_line = after.is_empty() || after.starts_with(['\n', '\r']);
        if alone && ends_line || key_follows(after) {
            return true;
        }
    }
    false
}

/// Whether a header or a line of base64 comes next, line breaks, quotes and the escapes of strings aside.
fn key_follows(after: &str) -> bool {
    const SHORTEST_LINE: usize = 40;
    let mut rest = after;
    for _ in 0..64 {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '+' | ','));
        let Some(escape) = rest.strip_prefix('\\') else { break };
        rest = escape.trim_start_matches('\\').strip_prefix(['n', 'r', 't']).unwrap_or(escape);
    }
    let header = ["Proc-Type:", "DEK-Info:", "Comment:", "Version:"].iter().any(|header| rest.starts_with(header));
    header
        || rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=')).count()
            >= SHORTEST_LINE
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
    use serde_json::json;

    use super::*;

    const PKCS8: &str = include_str!("../../../keys-example/member0_privk.pem");

    fn of(value: Value) -> Vec<(String, String)> {
        find(&value).into_iter().map(|key| (key.at, key.form)).collect()
    }

    fn is_found(text: &str) -> bool {
        !find(&json!([text])).is_empty()
    }

    #[test]
    fn jwks_in_a_program_are_found() {
        let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
        for private in [
            format!(r#"const k = {{"kty": "EC", "crv": "P-256", "x": "{x}", "d": "{x}"}};"#),
            format!("const k={{kty:'EC',crv:'P-256',d:'{x}',x:'{x}'}};"),
            format!("const k = {{\n  kty: `oct`,\n  k: `{x}`,\n}};"),
        ] {
            assert!(is_found(&private), "{private}");
        }
        for public in [
            format!(r#"const k = {{"kty": "EC", "crv": "P-256", "x": "{x}", "kid": "{x}"}};"#),
            "function check(jwk) { return jwk.kty === 'EC' && !jwk.d; }".into(),
        ] {
            assert!(!is_found(&public), "{public}");
        }
    }

    #[test]
    fn jwks_with_a_private_member_are_found_wherever_they_are() {
        for member in ["d", "p", "q", "dp", "dq", "qi", "k", "oth", "priv"] {
            let key = json!({"actions": [{"name": "x", "args": {"a b": [{"kty": "RSA", member: "AQAB"}]}}]});
            assert_eq!(of(key), [("actions[0].args[\"a b\"][0]".into(), format!("JWK with {member:?}"))]);
        }
        assert_eq!(of(json!({"kty": "oct", "k": "c2VjcmV0"})).len(), 1);
        assert_eq!(of(json!({"alg": "HS256", "k": "c2VjcmV0"})).len(), 1);
        assert_eq!(of(json!({"n": "AQAB", "e": "AQAB", "d": "AQAB"})).len(), 1);
        assert_eq!(of(json!({"data": "{\"kty\": \"EC\", \"crv\": \"P-256\", \"d\": \"AQAB\"}"})).len(), 1);
        for public in
            [json!({"kty": "RSA", "n": "x", "e": "y"}), json!({"d": 1, "k": 2}), json!({"kty": "EC", "d": null})]
        {
            assert_eq!(of(public), []);
        }
    }

    #[test]
    fn pem_private_keys_of_every_kind_are_found() {
        let body = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg";
        for kind in ["", "RSA ", "EC ", "DSA ", "ENCRYPTED ", "OPENSSH ", "ANY "] {
            let pem = format!("-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----\n");
            assert!(
                is_found(&pem) && is_found(&pem.replace('\n', "\r\n")) && is_found(&pem.replace('\n', "")),
                "{kind}"
            );
            assert!(is_found(&format!("const key = \"{}\";", pem.replace('\n', "\\n"))), "{kind}");
            assert!(is_found(&json!({ "key": pem }).to_string()) && is_found(&BASE64_STANDARD.encode(&pem)), "{kind}");
            assert_eq!(of(json!({ pem: 1 })).len(), 1);
        }
        let headers = format!("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{body}");
        let pgp = format!("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{body}");
        let ssh2 = format!("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n{body}");
        let putty = "PuTTY-User-Key-File-3: ssh-rsa\nPrivate-Lines: 14\nAAAA\n".to_owned();
        assert!([headers, pgp, ssh2, putty].iter().all(|text| is_found(text)));
        assert!(is_found("-----BEGIN PRIVATE KEY-----\nx\n"));
    }

    #[test]
    fn keys_in_der_are_found() {
        let der = pem::parse(PKCS8).unwrap().into_contents();
        let hex = hex::encode(&der);
        for text in [
            BASE64_STANDARD.encode(&der),
            BASE64_URL_SAFE_NO_PAD.encode(&der),
            hex,
            format!(" {} ", BASE64_STANDARD.encode(&der)),
        ] {
            assert!(is_found(&text), "{text}");
        }
        let (_, info) = Sequence::from_der(&der).unwrap();
        let inner: Vec<Any<'_>> = info.der_iter::<Any<'_>, Error>().collect::<Result<_, _>>().unwrap();
        assert_eq!(super::der(inner[2].data), Some("SEC 1 in DER"));
    }

    #[test]
    fn public_keys_certificates_and_programs_are_none() {
        let public = [
            include_str!("../../../keys-example/member0_cert.pem"),
            include_str!("../../../keys-example/member0_enc_pubk.pem"),
        ];
        for text in public {
            assert!(!is_found(text) && !is_found(&BASE64_STANDARD.encode(pem::parse(text).unwrap().contents())));
        }
        for program in [
            "if (pem.startsWith('-----BEGIN PRIVATE KEY-----')) { importPkcs8(pem); }",
            "return \"-----BEGIN RSA PRIVATE KEY-----\\n\" + fold(privateKeyInBase64) + tail;",
            "no PRIVATE KEY here",
            "é".repeat(100).as_str(),
        ] {
            assert!(!is_found(program), "{program}");
        }
    }

    #[test]
    fn what_is_not_json_is_looked_at_too() {
        assert_eq!(find_in_payload(PKCS8.as_bytes()).len(), 1);
        assert_eq!(find_in_payload(b"{\"actions\": []}"), []);
        assert!(find(&json!(vec![json!({"kty": "x", "d": "y"}); 100])).len() <= MOST);
    }
}
