//! `ccf.crypto`: digests, certificates and signature checks. What makes or uses private keys is not here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rquickjs::{Ctx, Exception, IntoJs, Object, Result, Value};
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::{buffer, bytes, function, text};
use crate::digest::sha256;
use crate::evidence::certificate::{self, Hash, Scheme};

pub(super) fn object<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>> {
    let crypto = Object::new(ctx.clone())?;
    let set = |name: &str, least, most, body: Body| {
        crypto.set(name, function(ctx, name, least, most, move |ctx, _, arguments| body(ctx, arguments))?)
    };
    set("digest", 2, 2, digest)?;
    set("isValidX509CertBundle", 1, 1, is_valid_bundle)?;
    set("isValidX509CertChain", 2, 2, is_valid_chain)?;
    set("verifySignature", 4, 4, verify_signature)?;
    set("pubPemToJwk", 1, 2, ec_jwk)?;
    set("pubRsaPemToJwk", 1, 2, rsa_jwk)?;
    Ok(crypto)
}

type Body = for<'js> fn(&Ctx<'js>, &[Value<'js>]) -> Result<Value<'js>>;

/// The DER of the first certificate in `text`, if it is one.
pub(super) fn first_certificate(text: &str) -> Option<Vec<u8>> {
    let start = text.find("-----BEGIN CERTIFICATE-----")?;
    let block = pem::parse(&text[start..]).ok()?;
    certificate::parse(block.contents()).ok()?;
    Some(block.into_contents())
}

fn digest<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    if text(ctx, &arguments[0])? != "SHA-256" {
        return Err(Exception::throw_range(ctx, "unsupported digest algorithm, supported: SHA-256"));
    }
    buffer(ctx, &sha256(&bytes(ctx, &arguments[1], "not an ArrayBuffer")?))
}

/// CCF reads the first certificate only, and takes an empty text for a bundle of none.
fn is_valid_bundle<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    let text = text(ctx, &arguments[0])?;
    Ok(Value::new_bool(ctx.clone(), text.is_empty() || first_certificate(&text).is_some()))
}

/// Whether the first certificate leads, over the others, to one of the trusted ones. Dates are checked by the node,
/// not here.
fn is_valid_chain<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    let (chain, trusted) = (text(ctx, &arguments[0])?, text(ctx, &arguments[1])?);
    let valid = match (certificates(&chain), certificates(&trusted)) {
        (Some(chain), Some(trusted)) => leads_to(&chain, &trusted),
        _ => false,
    };
    Ok(Value::new_bool(ctx.clone(), valid))
}

fn certificates(text: &str) -> Option<Vec<Vec<u8>>> {
    let blocks = pem::parse_many(text).ok()?;
    blocks
        .into_iter()
        .map(|block| certificate::parse(block.contents()).is_ok().then(|| block.into_contents()))
        .collect()
}

fn leads_to(chain: &[Vec<u8>], trusted: &[Vec<u8>]) -> bool {
    let Some((target, rest)) = chain.split_first() else { return false };
    let Ok(mut current) = certificate::parse(target) else { return false };
    if trusted.contains(target) {
        return true;
    }
    let (mut rest, trusted) = (parsed(rest), parsed(trusted));
    loop {
        if trusted.iter().any(|issuer| certificate::check_issued(&current, issuer).is_ok()) {
            return true;
        }
        match rest.iter().position(|issuer| certificate::check_issued(&current, issuer).is_ok()) {
            Some(next) => current = rest.swap_remove(next),
            None => return false,
        }
    }
}

fn parsed(all: &[Vec<u8>]) -> Vec<X509Certificate<'_>> {
    all.iter().filter_map(|der| certificate::parse(der).ok()).collect()
}

fn verify_signature<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    let signature = bytes(ctx, &arguments[2], "not an ArrayBuffer")?;
    let data = bytes(ctx, &arguments[3], "not an ArrayBuffer")?;
    let Some(algorithm) = arguments[0].as_object() else {
        return Err(Exception::throw_type(ctx, "the algorithm is not an object"));
    };
    let name = text(ctx, &algorithm.get::<_, Value<'js>>("name")?)?;
    let key = text(ctx, &arguments[1])?;
    let scheme = match name.as_str() {
        "EdDSA" => Scheme::Ed25519,
        _ if text(ctx, &algorithm.get::<_, Value<'js>>("hash")?)? != "SHA-256" => {
            return Err(Exception::throw_range(ctx, "Unsupported hash algorithm, supported: SHA-256"));
        }
        "ECDSA" => Scheme::Ecdsa(Hash::Sha256),
        "RSA-PSS" => Scheme::RsaPss(Hash::Sha256),
        _ => {
            let message = "Unsupported signing algorithm, supported: RSA-PSS, ECDSA, EdDSA";
            return Err(Exception::throw_range(ctx, message));
        }
    };
    let spki = spki_der(&key).ok_or_else(|| Exception::throw_internal(ctx, "Failed to verify signature: no key"))?;
    let (_, spki) = SubjectPublicKeyInfo::from_der(&spki)
        .map_err(|_| Exception::throw_internal(ctx, "Failed to verify signature: no key"))?;
    let signature = if name == "ECDSA" { ecdsa_der(&signature) } else { signature };
    Ok(Value::new_bool(ctx.clone(), scheme.verify(&spki, &data, &signature).is_ok()))
}

/// The SubjectPublicKeyInfo of a PEM public key or certificate.
fn spki_der(text: &str) -> Option<Vec<u8>> {
    if let Some(der) = first_certificate(text) {
        return certificate::parse(&der).ok().map(|certificate| certificate.public_key().raw.to_vec());
    }
    let block = pem::parse(text).ok()?;
    (block.tag() == "PUBLIC KEY").then(|| block.into_contents())
}

/// r ‖ s as the DER sequence of two integers.
fn ecdsa_der(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let body = [integer(r), integer(s)].concat();
    [vec![0x30], length(body.len()), body].concat()
}

fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = &bytes[zeros..];
    let sign = digits.first().is_none_or(|byte| *byte >= 0x80);
    let body = [if sign { &[0][..] } else { &[] }, digits].concat();
    [vec![0x02], length(body.len()), body].concat()
}

fn length(length: usize) -> Vec<u8> {
    match u8::try_from(length) {
        Ok(short @ 0..0x80) => vec![short],
        Ok(long) => vec![0x81, long],
        // Longer than any signature; no such sequence verifies.
        Err(_) => vec![0x82, (length >> 8) as u8, length as u8],
    }
}

fn ec_jwk<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    jwk(ctx, arguments, |spki, key| {
        let PublicKey::EC(point) = key else { return None };
        let curve = match spki.algorithm.parameters.as_ref()?.as_oid().ok()?.to_id_string().as_str() {
            "1.2.840.10045.3.1.7" => "P-256",
            "1.3.132.0.34" => "P-384",
            "1.3.132.0.35" => "P-521",
            _ => return None,
        };
        let coordinates = point.data().strip_prefix(&[4])?;
        let (x, y) = coordinates.split_at(coordinates.len() / 2);
        Some(vec![("kty", "EC".into()), ("crv", curve.into()), ("x", encode(x)), ("y", encode(y))])
    })
}

fn rsa_jwk<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    jwk(ctx, arguments, |_, key| {
        let PublicKey::RSA(key) = key else { return None };
        let number = |bytes: &[u8]| encode(&bytes[bytes.iter().take_while(|byte| **byte == 0).count()..]);
        Some(vec![("kty", "RSA".into()), ("n", number(key.modulus)), ("e", number(key.exponent))])
    })
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

type Fields = Vec<(&'static str, String)>;

fn jwk<'js>(
    ctx: &Ctx<'js>,
    arguments: &[Value<'js>],
    fields: impl Fn(&SubjectPublicKeyInfo<'_>, PublicKey<'_>) -> Option<Fields>,
) -> Result<Value<'js>> {
    let der = spki_der(&text(ctx, &arguments[0])?);
    let fields = der.as_deref().and_then(|der| {
        let (_, spki) = SubjectPublicKeyInfo::from_der(der).ok()?;
        let key = spki.parsed().ok()?;
        fields(&spki, key)
    });
    let Some(fields) = fields else {
        return Err(Exception::throw_internal(ctx, "Failed to convert pem to jwk: not such a public key"));
    };
    let jwk = Object::new(ctx.clone())?;
    for (name, value) in fields {
        jwk.set(name, value)?;
    }
    if let Some(kid) = arguments.get(1) {
        jwk.set("kid", text(ctx, kid)?)?;
    }
    jwk.into_js(ctx)
}
