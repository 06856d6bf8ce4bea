//! The conversions that lie directly on `ccf`.

use rquickjs::{Ctx, Exception, IntoJs, Object, Result, Value};

use super::{World, buffer, bytes, function, text};
use crate::ccf_version::Feature;
use crate::digest::sha256;
use crate::processor::Cpuid;
use crate::tcb::TcbVersion;

const NOT_A_BUFFER: &str = "Argument must be an ArrayBuffer";

pub(super) fn install<'js>(ctx: &Ctx<'js>, ccf: &Object<'js>, world: &World) -> Result<()> {
    let set = |name: &str, arity, body: Body| {
        ccf.set(name, function(ctx, name, arity, arity, move |ctx, _, arguments| body(ctx, arguments))?)
    };
    set("strToBuf", 1, str_to_buf)?;
    set("bufToStr", 1, buf_to_str)?;
    set("jsonCompatibleToBuf", 1, json_compatible_to_buf)?;
    set("bufToJsonCompatible", 1, buf_to_json_compatible)?;
    set("pemToId", 1, pem_to_id)?;
    if world.has(Feature::SnpMinimumTcbHex) {
        set("tcbHexToPolicy", 2, tcb_hex_to_policy)?;
    }
    set("enableUntrustedDateTime", 1, |_, arguments| Ok(arguments[0].clone()))?;
    set("enableMetricsLogging", 1, |_, arguments| Ok(arguments[0].clone()))
}

type Body = for<'js> fn(&Ctx<'js>, &[Value<'js>]) -> Result<Value<'js>>;

fn str_to_buf<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    if !arguments[0].is_string() {
        return Err(Exception::throw_type(ctx, "Argument must be a string"));
    }
    buffer(ctx, text(ctx, &arguments[0])?.as_bytes())
}

fn buf_to_str<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    let bytes = bytes(ctx, &arguments[0], NOT_A_BUFFER)?;
    String::from_utf8_lossy(&bytes).into_js(ctx)
}

fn json_compatible_to_buf<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    match ctx.json_stringify(arguments[0].clone())? {
        Some(json) => buffer(ctx, text(ctx, json.as_value())?.as_bytes()),
        None => Err(Exception::throw_type(ctx, "Argument must be a string")),
    }
}

fn buf_to_json_compatible<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    ctx.json_parse(bytes(ctx, &arguments[0], NOT_A_BUFFER)?)
}

/// The member or user id of a certificate: SHA-256 of its DER.
fn pem_to_id<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    let text = text(ctx, &arguments[0])?;
    match super::x509::first_certificate(&text) {
        Some(der) => hex::encode(sha256(&der)).into_js(ctx),
        None => Err(Exception::throw_internal(ctx, "Failed to parse PEM: not an X.509 certificate")),
    }
}

fn tcb_hex_to_policy<'js>(ctx: &Ctx<'js>, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    let refused = |message: &str| Exception::throw_internal(ctx, message);
    let cpuid: Cpuid = text(ctx, &arguments[0])?.parse().map_err(|_| refused("CPUID could not be parsed"))?;
    let hex = text(ctx, &arguments[1])?;
    let version = TcbVersion::from_hex(&hex).ok_or_else(|| refused("TCB could not be parsed from hex_str"))?;
    let product = cpuid.product().ok_or_else(|| {
        refused(&format!("SEV-SNP: Unsupported CPUID family {} model {}", cpuid.family(), cpuid.model()))
    })?;
    let tcb = version.components(product);
    let policy = Object::new(ctx.clone())?;
    policy.set("hexstring", version.to_string())?;
    policy.set("microcode", tcb.microcode)?;
    policy.set("snp", tcb.snp)?;
    policy.set("tee", tcb.tee)?;
    policy.set("boot_loader", tcb.boot_loader)?;
    if let Some(fmc) = tcb.fmc {
        policy.set("fmc", fmc)?;
    }
    Ok(policy.into_value())
}
