//! The certificates of a key, `x5c`: its own first, then its issuer's, and so on.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::public_key::PublicKey;

use super::{Acceptance, Found, text};
use crate::certificate::{self, CertificateError};
use crate::der::significant;

/// No chain is longer.
const MOST: usize = 20;

/// Checks the chain, and that the first certificate holds the key's `number`, if the key has one beside it: its modulus, or
/// x ‖ y.
pub(super) fn check(key: &Map<String, Value>, number: Option<&[u8]>, now: OffsetDateTime, found: Found<'_>) {
    let Some(list) = key.get("x5c").and_then(Value::as_array).filter(|list| !list.is_empty()) else {
        return found(Acceptance::Refused, ".x5c is not a list of certificates".into());
    };
    if list.len() > MOST {
        return found(
            Acceptance::Unchecked,
            format!(".x5c has {} certificates, and no chain has more than {MOST}", list.len()),
        );
    }
    let mut chain = Vec::new();
    for (at, element) in list.iter().enumerate() {
        match der(element.as_str()) {
            Some((der, is_standard)) => {
                if !is_standard {
                    found(Acceptance::RefusedSince705, format!(".x5c[{at}] is not standard base64"));
                }
                chain.push(der);
            }
            None => found(Acceptance::Refused, format!(".x5c[{at}] is not base64 of a certificate")),
        }
    }
    let parsed: Vec<_> = chain.iter().map(|der| certificate::parse(der)).collect();
    for (at, certificate) in parsed.iter().enumerate() {
        match certificate {
            Ok(certificate) => in_date(at, certificate, now, found),
            Err(error) => found(Acceptance::Refused, format!(".x5c[{at}] is not a certificate: {error}")),
        }
    }
    let Ok(parsed) = parsed.into_iter().collect::<Result<Vec<_>, _>>() else { return };
    if parsed.len() != list.len() {
        return;
    }
    for (at, pair) in parsed.windows(2).enumerate() {
        match certificate::check_issued(&pair[0], &pair[1]) {
            Ok(()) => {}
            Err(error @ CertificateError::Unsupported(_)) => {
                found(Acceptance::Unchecked, format!(".x5c[{at}] could not be verified: {error}"));
            }
            Err(error) => {
                found(Acceptance::RefusedSince705, format!(".x5c[{at}] was not issued by the next one: {error}"))
            }
        }
    }
    if let Some(own) = parsed.first() {
        fits(key, own, number, found);
    }
}

/// The bytes of a certificate, and whether they are written as the standard has it: base64 with padding, without breaks.
fn der(written: Option<&str>) -> Option<(Vec<u8>, bool)> {
    let written = written?;
    if let Ok(der) = BASE64_STANDARD.decode(written) {
        return Some((der, true));
    }
    let plain: String = written.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    BASE64_STANDARD.decode(plain).ok().map(|der| (der, false))
}

fn in_date(at: usize, certificate: &X509Certificate<'_>, now: OffsetDateTime, found: Found<'_>) {
    let (from, to) = certificate::dates(certificate);
    if now > to {
        found(Acceptance::RefusedSince705, format!(".x5c[{at}] expired on {}", to.date()));
    } else if now < from {
        found(Acceptance::RefusedSince705, format!(".x5c[{at}] is not valid before {}", from.date()));
    }
}

fn fits(key: &Map<String, Value>, own: &X509Certificate<'_>, number: Option<&[u8]>, found: Found<'_>) {
    let (kind, held) = match own.public_key().parsed() {
        Ok(PublicKey::RSA(rsa)) => {
            let modulus = significant(rsa.modulus);
            if modulus.len() < 256 {
                found(Acceptance::Unused, ".x5c[0] holds an RSA key below 2048 bits, which can be broken".into());
            }
            ("RSA", modulus.to_vec())
        }
        Ok(PublicKey::EC(point)) => ("EC", point.data().get(1..).unwrap_or_default().to_vec()),
        _ => return found(Acceptance::Unused, ".x5c[0] holds a key of another kind than RSA and EC".into()),
    };
    let kty = text(key, "kty");
    if matches!(kty, "RSA" | "EC") && kty != kind {
        found(Acceptance::Unused, format!(".x5c[0] holds an {kind} key, and kty is {kty}"));
    }
    if number.is_some_and(|number| number != held) {
        found(
            Acceptance::Unused,
            ".x5c[0] holds a different key from the JWK itself, which is the one that nodes use".into(),
        );
    }
}
