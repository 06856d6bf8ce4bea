//! `ccf.crypto`: public keys, between PEM and JSON Web Keys.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use pem::{EncodeConfig, LineEnding, Pem};
use rquickjs::{Ctx, Exception, IntoJs, Object, Result, Value};
use serde_json::{Map, Value as Json};
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo};
use x509_parser::public_key::PublicKey;

use super::text;
use super::x509::spki_of_key;
use crate::curve::Curve;
use crate::der::{self, significant, write_integer};

/// The AlgorithmIdentifier of an RSA key.
const RSA: &[u8] = &[0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
/// The object identifier of keys on a curve.
const EC: &[u8] = &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const ED25519: &[u8] = &[0x30, 5, 6, 3, 0x2b, 0x65, 0x70];
const X25519: &[u8] = &[0x30, 5, 6, 3, 0x2b, 0x65, 0x6e];

/// `pubPemToJwk`. As on a node, keys on P-521 throw.
pub(super) fn from_ec_pem<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    from_pem(ctx, arguments, |spki| {
        let PublicKey::EC(point) = spki.parsed().ok()? else { return None };
        let curve = Curve::of_key(spki).filter(|curve| *curve != Curve::P521)?;
        let coordinates = point.data().strip_prefix(&[4])?;
        let (x, y) = coordinates.split_at(coordinates.len() / 2);
        Some(vec![("kty", "EC".into()), ("crv", curve.name().into()), ("x", encode(x)), ("y", encode(y))])
    })
}

/// `pubRsaPemToJwk`.
pub(super) fn from_rsa_pem<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    from_pem(ctx, arguments, |spki| {
        let PublicKey::RSA(key) = spki.parsed().ok()? else { return None };
        let number = |bytes: &[u8]| encode(significant(bytes));
        Some(vec![("kty", "RSA".into()), ("n", number(key.modulus)), ("e", number(key.exponent))])
    })
}

/// `pubEddsaPemToJwk`.
pub(super) fn from_eddsa_pem<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    from_pem(ctx, arguments, |spki| {
        let curve = match spki.algorithm.algorithm.to_id_string().as_str() {
            "1.3.101.112" => "Ed25519",
            "1.3.101.110" => "X25519",
            _ => return None,
        };
        Some(vec![("kty", "OKP".into()), ("crv", curve.into()), ("x", encode(&spki.subject_public_key.data))])
    })
}

/// `pubJwkToPem`. As on a node, keys on P-521 throw.
pub(super) fn to_ec_pem<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    to_pem(ctx, arguments, |jwk| {
        let [curve, x, y] = ["crv", "x", "y"].map(|name| member(jwk, name));
        let (curve, x, y) = (curve?, number(&x?)?, number(&y?)?);
        if jwk["kty"] != "EC" {
            return Err("the key is not an EC key".into());
        }
        // As on a node, keys on P-521 are unknown.
        let known = Curve::from_name(&curve).filter(|curve| *curve != Curve::P521);
        let known = known.ok_or_else(|| format!("unknown curve {curve:?}"))?;
        let point = [vec![4], padded(&x, known.bytes())?, padded(&y, known.bytes())?].concat();
        let written = || public_key(&der::write_sequence(&[EC, known.oid_der()])?, &point);
        if known.has_point(&point) {
            written().ok_or_else(too_long)
        } else {
            Err("the point is not on the curve".into())
        }
    })
}

/// `pubRsaJwkToPem`.
pub(super) fn to_rsa_pem<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    to_pem(ctx, arguments, |jwk| {
        let (n, e) = (number(&member(jwk, "n")?)?, number(&member(jwk, "e")?)?);
        if jwk["kty"] != "RSA" {
            return Err("the key is not an RSA key".into());
        }
        if significant(&n).is_empty() || significant(&e).is_empty() {
            return Err("the modulus or the exponent is zero".into());
        }
        let key = || der::write_sequence(&[&write_integer(&n)?, &write_integer(&e)?]);
        key().and_then(|key| public_key(RSA, &key)).ok_or_else(too_long)
    })
}

/// `pubEddsaJwkToPem`.
pub(super) fn to_eddsa_pem<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    to_pem(ctx, arguments, |jwk| {
        let (curve, x) = (member(jwk, "crv")?, number(&member(jwk, "x")?)?);
        if jwk["kty"] != "OKP" {
            return Err("the key is not an OKP key".into());
        }
        let algorithm = match curve.as_str() {
            "Ed25519" => ED25519,
            "X25519" => X25519,
            other => return Err(format!("unknown curve {other:?}")),
        };
        if x.len() == 32 { public_key(algorithm, &x).ok_or_else(too_long) } else { Err("x is not 32 bytes".into()) }
    })
}

/// A SubjectPublicKeyInfo, as PEM text in OpenSSL's form.
fn public_key(algorithm: &[u8], key: &[u8]) -> Option<String> {
    let spki = der::write_sequence(&[algorithm, &der::write_bit_string(key)?])?;
    let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
    Some(pem::encode_config(&Pem::new("PUBLIC KEY", spki), config))
}

fn too_long() -> String {
    "the key is too long".into()
}

type Fields = Vec<(&'static str, String)>;

fn from_pem<'js>(
    ctx: &Ctx<'js>,
    arguments: &[Value<'js>],
    fields: impl Fn(&SubjectPublicKeyInfo<'_>) -> Option<Fields>,
) -> Result<Value<'js>> {
    let der = spki_of_key(&text(ctx, &arguments[0])?);
    let fields = der.as_deref().and_then(|der| fields(&SubjectPublicKeyInfo::from_der(der).ok()?.1));
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

fn to_pem<'js>(
    ctx: &Ctx<'js>,
    arguments: &[Value<'js>],
    convert: impl Fn(&Map<String, Json>) -> std::result::Result<String, String>,
) -> Result<Value<'js>> {
    let json = match ctx.json_stringify(arguments[0].clone())? {
        Some(json) => json.to_string()?,
        None => String::new(),
    };
    let pem = match serde_json::from_str(&json) {
        Ok(Json::Object(jwk)) => check_common(&jwk).and_then(|()| convert(&jwk)),
        _ => Err("not a JSON object".into()),
    };
    match pem {
        Ok(pem) => pem.into_js(ctx),
        Err(reason) => Err(Exception::throw_internal(ctx, &format!("Failed to convert jwk to pem {reason}"))),
    }
}

/// What a node reads of any key, before it looks at its kind.
fn check_common(jwk: &Map<String, Json>) -> std::result::Result<(), String> {
    if !["EC", "RSA", "OKP"].iter().any(|kty| jwk.get("kty").is_some_and(|given| given == kty)) {
        return Err("kty is not EC, RSA or OKP".into());
    }
    let text_or_none = |value: &Json| value.is_null() || value.is_string();
    let texts_or_none =
        |value: &Json| value.is_null() || value.as_array().is_some_and(|list| list.iter().all(Json::is_string));
    if !jwk.get("kid").is_none_or(text_or_none) || !jwk.get("x5c").is_none_or(texts_or_none) {
        return Err("kid is not text, or x5c not a list of texts".into());
    }
    Ok(())
}

fn member(jwk: &Map<String, Json>, name: &str) -> std::result::Result<String, String> {
    let value = jwk.get(name).and_then(Json::as_str).ok_or_else(|| format!("{name} is missing or is not text"))?;
    Ok(value.to_owned())
}

/// A number in base64url, read as leniently as a node reads it.
fn number(text: &str) -> std::result::Result<Vec<u8>, String> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    LENIENT.decode(text.replace('-', "+").replace('_', "/")).map_err(|error| format!("not base64url: {error}"))
}

fn padded(number: &[u8], length: usize) -> std::result::Result<Vec<u8>, String> {
    let digits = significant(number);
    let zeros = length.checked_sub(digits.len()).ok_or("a coordinate is too long")?;
    Ok([&vec![0; zeros][..], digits].concat())
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
