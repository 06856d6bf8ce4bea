//! The keys of a token issuer, a JSON Web Key Set: what nodes refuse, and what they take and never use.
//!
//! Nodes read `kid`, `kty`, and the first of `n` and `e`, `x` and `y`, or `x5c` that a key has. CCF's sample constitution
//! looks at the form of all of them, and from 7.0.5 on at much more.

mod material;
mod x5c;

use crate::text::clip;
use std::collections::BTreeSet;

use serde_json::{Map, Value};
use time::OffsetDateTime;

/// Something that is wrong with a key set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, for example `keys[0].alg`, and what is wrong.
    pub text: String,
    /// What becomes of it.
    pub acceptance: Acceptance,
}

/// What becomes of a key set with a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// No version of CCF takes it, or nobody could rely on it.
    Refused,
    /// CCF 7.0.5 and later refuse it; older versions take it.
    RefusedSince705,
    /// Versions up to 7.0.0-dev7 refuse it; what later ones do is not known.
    RefusedUpToDev7,
    /// It is taken; that part of it is never used, or is not what it seems.
    Unused,
    /// Nobody looked.
    Unchecked,
}

/// More keys than any issuer has.
const MOST_KEYS: usize = 1000;

/// What is wrong with a key set of `issuer`, if that is known, at the time `now`.
///
/// What is not an object with a list of keys has no fault here: that is its form.
pub fn faults(jwks: &Value, issuer: Option<&str>, now: OffsetDateTime) -> Vec<Fault> {
    let Some(keys) = jwks.get("keys").and_then(Value::as_array) else { return Vec::new() };
    let mut faults = Vec::new();
    if keys.is_empty() {
        faults.push(Fault { text: "keys is empty".into(), acceptance: Acceptance::Refused });
    }
    let mut kids = BTreeSet::new();
    for (at, key) in keys.iter().enumerate().take(MOST_KEYS) {
        let mut found = |acceptance, text: String| faults.push(Fault { text: format!("keys[{at}]{text}"), acceptance });
        let Some(key) = key.as_object() else {
            found(Acceptance::Refused, " is not an object".into());
            continue;
        };
        check(key, issuer, now, &mut found);
        if let Some(kid) = key.get("kid").and_then(Value::as_str).filter(|kid| !kids.insert(*kid)) {
            let kid = shorten(kid);
            found(
                Acceptance::RefusedSince705,
                format!(".kid {kid:?} appears twice; older nodes use the first key and drop this one"),
            );
        }
    }
    if keys.len() > MOST_KEYS {
        let text = format!("it has {} keys, and only the first {MOST_KEYS} were checked", keys.len());
        faults.push(Fault { text, acceptance: Acceptance::Unchecked });
    }
    faults
}

/// Takes what was found: what becomes of the key, and where and what it is.
type Found<'a> = &'a mut dyn FnMut(Acceptance, String);

fn check(key: &Map<String, Value>, issuer: Option<&str>, now: OffsetDateTime, found: Found<'_>) {
    match key.get("kid") {
        None => found(Acceptance::Refused, ".kid is missing".into()),
        Some(Value::String(kid)) if kid.is_empty() => found(Acceptance::Unused, ".kid is empty".into()),
        Some(Value::String(_)) => {}
        Some(_) => found(Acceptance::Refused, ".kid is not text".into()),
    }
    match key.get("kty").map(|kty| kty.as_str()) {
        None => found(Acceptance::Refused, ".kty is missing".into()),
        Some(None) => found(Acceptance::Refused, ".kty is not text".into()),
        Some(Some("RSA" | "EC")) => {}
        Some(Some("OKP")) => {
            found(Acceptance::RefusedSince705, ".kty is OKP, and tokens are verified by RSA and EC keys alone".into())
        }
        Some(Some(other)) => found(Acceptance::Refused, format!(".kty is {:?}, and must be RSA or EC", shorten(other))),
    }
    if key.get("use").is_some_and(|of| of != "sig") {
        found(Acceptance::RefusedSince705, ".use is not \"sig\"; older nodes still verify tokens with the key".into());
    }
    algorithm(key, found);
    let (rsa, ec) = (given(key, "n") && given(key, "e"), given(key, "x") && given(key, "y"));
    let number = match (rsa, ec) {
        (true, _) => material::rsa(key, found),
        (_, true) => material::ec(key, found),
        _ => None,
    };
    if rsa && ec {
        found(Acceptance::Unused, " has n and e as well as x and y; nodes use n and e".into());
    }
    if given(key, "x5c") {
        x5c::check(key, number.as_deref(), now, found);
    } else if !rsa && !ec {
        found(Acceptance::Refused, " has neither x5c, nor n and e, nor x and y".into());
    }
    constraint(key, issuer, found);
}

/// Whether the sample constitution takes a member for given: JavaScript's idea of true.
fn given(key: &Map<String, Value>, name: &str) -> bool {
    key.get(name).is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)) && value != "" && value != 0)
}

fn text<'a>(key: &'a Map<String, Value>, name: &str) -> &'a str {
    key.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn algorithm(key: &Map<String, Value>, found: Found<'_>) {
    let Some(algorithm) = key.get("alg") else { return };
    let fitting: &[&str] = match (text(key, "kty"), text(key, "crv")) {
        ("RSA", _) => &["RS256"],
        (_, "P-256") => &["ES256"],
        (_, "P-384") => &["ES384"],
        (_, "P-521") => &["ES512"],
        _ => &["ES256", "ES384", "ES512"],
    };
    if !algorithm.as_str().is_some_and(|name| fitting.contains(&name)) {
        let algorithm = algorithm.as_str().map_or("not text".into(), |name| format!("{:?}", shorten(name)));
        let fitting = fitting.join(", ");
        found(
            Acceptance::RefusedSince705,
            format!(".alg is {algorithm}, and must be {fitting} for this key; older nodes do not read it"),
        );
    }
}

/// An `issuer` in a key: tokens of that issuer alone are verified by it, and its domain is the issuer's or above it.
fn constraint(key: &Map<String, Value>, issuer: Option<&str>, found: Found<'_>) {
    let Some(constraint) = key.get("issuer").filter(|constraint| !constraint.is_null()) else { return };
    let Some(constraint) = constraint.as_str() else {
        return found(Acceptance::Refused, ".issuer is not text".into());
    };
    let (of, Some(issuer)) = (domain(constraint), issuer.map(domain)) else { return };
    if of.is_empty() || (issuer != of && !issuer.ends_with(&format!(".{of}"))) {
        found(
            Acceptance::Refused,
            format!(".issuer is of {:?}, which is not the domain of the issuer nor one above it", shorten(of)),
        );
    }
}

/// The host of a URL; empty without one.
fn domain(url: &str) -> &str {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?', '#', ':']).next().unwrap_or_default()
}

fn shorten(text: &str) -> String {
    clip(text, 60)
}

#[cfg(test)]
mod tests;
