//! `ccf.crypto`: digests, certificates, public keys and signature checks. What makes or uses private keys is not here.

use rquickjs::{Ctx, Exception, Object, Result, Value};
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo};

use super::lacking::stub;
use super::{World, buffer, bytes, function, jwk, text, x509};
use crate::ccf_version::Feature;
use crate::certificate::{Hash, Scheme};
use crate::der;
use crate::digest::sha256;

/// What CCF has here and this engine lacks: governance has no use for private keys.
const LACKING: [&str; 13] = [
    "sign",
    "generateAesKey",
    "generateRsaKeyPair",
    "generateEcdsaKeyPair",
    "generateEddsaKeyPair",
    "wrapKey",
    "unwrapKey",
    "pemToJwk",
    "rsaPemToJwk",
    "eddsaPemToJwk",
    "jwkToPem",
    "rsaJwkToPem",
    "eddsaJwkToPem",
];

/// The salt of RSA-PSS signatures that this engine can check.
const SALT_BYTES: f64 = 32.0;

pub(super) fn object<'js>(ctx: &Ctx<'js>, world: &World) -> Result<Object<'js>> {
    let crypto = Object::new(ctx.clone())?;
    let set = |name: &str, least, most, body: Body| {
        crypto.set(name, function(ctx, name, least, most, move |ctx, _, arguments| body(ctx, arguments))?)
    };
    set("digest", 2, 2, digest)?;
    set("isValidX509CertBundle", 1, 1, x509::is_valid_bundle)?;
    set("isValidX509CertChain", 2, 2, x509::is_valid_chain)?;
    if world.has(Feature::RootCaFunction) {
        set("isValidX509RootCACert", 1, 1, x509::is_valid_root)?;
    }
    set("pubPemToJwk", 1, 2, jwk::from_ec_pem)?;
    set("pubRsaPemToJwk", 1, 2, jwk::from_rsa_pem)?;
    set("pubEddsaPemToJwk", 1, 2, jwk::from_eddsa_pem)?;
    set("pubJwkToPem", 1, 1, jwk::to_ec_pem)?;
    set("pubRsaJwkToPem", 1, 1, jwk::to_rsa_pem)?;
    set("pubEddsaJwkToPem", 1, 1, jwk::to_eddsa_pem)?;
    let verifier = world.clone();
    let verify =
        move |ctx: &Ctx<'js>, _: &Object<'js>, arguments: &[Value<'js>]| verify_signature(ctx, &verifier, arguments);
    crypto.set("verifySignature", function(ctx, "verifySignature", 4, 4, verify)?)?;
    for name in LACKING {
        crypto.set(name, stub(ctx, world, "ccf.crypto", name)?)?;
    }
    Ok(crypto)
}

type Body = for<'js> fn(&Ctx<'js>, &[Value<'js>]) -> Result<Value<'js>>;

fn digest<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    if text(ctx, &arguments[0])? != "SHA-256" {
        return Err(Exception::throw_range(ctx, "unsupported digest algorithm, supported: SHA-256"));
    }
    buffer(ctx, &sha256(&bytes(ctx, &arguments[1], "not an ArrayBuffer")?))
}

fn verify_signature<'js>(ctx: &Ctx<'js>, world: &World, arguments: &[Value<'js>]) -> Result<Value<'js>> {
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
    // Without a length, a node expects no salt at all.
    let salt = algorithm.get::<_, Value<'js>>("saltLength")?.as_number().unwrap_or(0.0);
    if name == "RSA-PSS" && !key.starts_with("-----BEGIN CERTIFICATE") && salt != SALT_BYTES {
        return Err(world.lack(ctx, &format!("ccf.crypto.verifySignature for RSA-PSS with a saltLength of {salt}")));
    }
    let refused = || match name.as_str() {
        "EdDSA" => Exception::throw_range(ctx, "Failed to verify EdDSA signature: not such a public key"),
        _ => Exception::throw_internal(ctx, "Failed to verify signature: not a public key"),
    };
    let spki = x509::spki_of_key_or_certificate(&key).ok_or_else(refused)?;
    let (_, spki) = SubjectPublicKeyInfo::from_der(&spki).map_err(|_| refused())?;
    let signature = if name == "ECDSA" { ecdsa_der(&signature).unwrap_or_default() } else { signature };
    Ok(Value::new_bool(ctx.clone(), scheme.verify(&spki, &data, &signature).is_ok()))
}

/// r ‖ s as the DER sequence of two integers.
fn ecdsa_der(signature: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = signature.split_at(signature.len() / 2);
    der::write_sequence(&[&der::write_integer(r)?, &der::write_integer(s)?])
}
