//! What only `apply` can call: `ccf.node`, `ccf.network`, and the caches and keys of the application.

use std::collections::BTreeSet;

use rquickjs::{Ctx, Exception, IntoJs, Object, Result, Value};

use super::lacking::{stub, watch};
use super::{World, bytes, function, text, undefined};
use crate::ccf_version::Feature;
use crate::constitution::script::{Question, Reply};
use crate::constitution::{Effect, modules};
use crate::kv::table;

pub(super) fn install<'js>(ctx: &Ctx<'js>, ccf: &Object<'js>, world: &World) -> Result<()> {
    let node = Object::new(ctx.clone())?;
    let plain = [
        ("triggerLedgerRekey", 0, Effect::TriggerLedgerRekey),
        ("triggerRecoverySharesRefresh", 0, Effect::TriggerRecoverySharesRefresh),
        // A node does not count the arguments of these two.
        ("triggerLedgerChunk", usize::MAX, Effect::TriggerLedgerChunk),
        ("triggerSnapshot", usize::MAX, Effect::TriggerSnapshot),
    ];
    for (name, most, effect) in plain {
        node.set(name, trigger(ctx, world, name, most, effect)?)?;
    }
    if world.has(Feature::ShuffleSealedShares) {
        node.set("shuffleSealedShares", trigger(ctx, world, "shuffleSealedShares", 0, Effect::ShuffleSealedShares)?)?;
    }
    if world.has(Feature::AcmeFunction) {
        node.set("triggerACMERefresh", stub(ctx, world, "ccf.node", "triggerACMERefresh")?)?;
    }
    set(ctx, &node, world, "transitionServiceToOpen", 2, transition_service_to_open)?;
    watch(ctx, world, "ccf.node", &node)?;
    ccf.set("node", node)?;

    let network = Object::new(ctx.clone())?;
    set(ctx, &network, world, "getLatestLedgerSecretSeqno", 0, latest_ledger_secret_seqno)?;
    set(ctx, &network, world, "generateEndorsedCertificate", 3, endorsed_certificate)?;
    set(ctx, &network, world, "generateNetworkCertificate", 2, network_certificate)?;
    watch(ctx, world, "ccf.network", &network)?;
    ccf.set("network", network)?;

    set(ctx, ccf, world, "refreshAppBytecodeCache", 0, refresh_bytecode)?;
    set(ctx, ccf, world, "setJwtPublicSigningKeys", 3, set_jwt_keys)?;
    set(ctx, ccf, world, "removeJwtPublicSigningKeys", 1, remove_jwt_keys)
}

type Body = for<'js> fn(&Ctx<'js>, &World, &[Value<'js>]) -> Result<Value<'js>>;

fn set<'js>(ctx: &Ctx<'js>, object: &Object<'js>, world: &World, name: &str, arity: usize, body: Body) -> Result<()> {
    let world = world.clone();
    object.set(name, function(ctx, name, arity, arity, move |ctx, _, arguments| body(ctx, &world, arguments))?)
}

fn trigger<'js>(
    ctx: &Ctx<'js>,
    world: &World,
    name: &str,
    most: usize,
    effect: Effect,
) -> Result<rquickjs::Function<'js>> {
    let world = world.clone();
    function(ctx, name, 0, most, move |ctx, _, _| {
        world.effect(ctx, effect.clone())?;
        Ok(undefined(ctx))
    })
}

/// Compiles every module that is in the tables now; one that does not compile is an error.
fn refresh_bytecode<'js>(ctx: &Ctx<'js>, world: &World, _: &[Value<'js>]) -> Result<Value<'js>> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let name = |key: &[u8]| text(key.strip_prefix(b"/").unwrap_or(key));
    let modules = world.0.tables.borrow().iter(table::MODULES).map(|(key, source)| (name(key), text(source))).collect();
    let failed = |reason: String| Exception::throw_internal(ctx, &format!("Failed to refresh bytecode: {reason}"));
    let faults = modules::compile(modules, &BTreeSet::new(), world.0.deadline).map_err(|error| failed(error.reason))?;
    if let Some(fault) = faults.first() {
        return Err(failed(format!("Failed to compile module '/{}': {}", fault.module, fault.fault)));
    }
    world.effect(ctx, Effect::RefreshAppBytecodeCache)?;
    Ok(undefined(ctx))
}

fn transition_service_to_open<'js>(ctx: &Ctx<'js>, world: &World, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    let identity = |value: &Value<'js>, which: &str| -> Result<String> {
        let message = format!("{which} service identity argument is not an array buffer");
        Ok(String::from_utf8_lossy(&bytes(ctx, value, &message)?).into_owned())
    };
    let previous = match &arguments[0] {
        none if none.is_undefined() => None,
        some => Some(identity(some, "Previous")?),
    };
    if arguments[1].is_undefined() {
        return Err(Exception::throw_internal(ctx, "Proposal requires a service identity"));
    }
    let next = identity(&arguments[1], "Next")?;
    world.charge(ctx, next.len() + previous.as_ref().map_or(0, String::len))?;
    world.effect(ctx, Effect::TransitionServiceToOpen { previous, next })?;
    Ok(undefined(ctx))
}

fn latest_ledger_secret_seqno<'js>(ctx: &Ctx<'js>, world: &World, _: &[Value<'js>]) -> Result<Value<'js>> {
    match (world.0.ask)(Question::LatestLedgerSecretSeqno) {
        Some(Reply::Seqno(seqno)) => Ok(Value::new_number(ctx.clone(), seqno as f64)),
        _ => Err(Exception::throw_internal(ctx, "Failed to fetch latest ledger secret seqno")),
    }
}

fn endorsed_certificate<'js>(ctx: &Ctx<'js>, world: &World, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    let csr_pem = text(ctx, &arguments[0])?;
    let valid_from = text(ctx, &arguments[1])?;
    let validity_days = days(ctx, &arguments[2])?;
    let question = Question::Endorse { csr_pem, valid_from, validity_days };
    ask_text(ctx, world, question, "Failed to create endorsed cert")
}

fn network_certificate<'js>(ctx: &Ctx<'js>, world: &World, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    let valid_from = text(ctx, &arguments[0])?;
    let validity_days = days(ctx, &arguments[1])?;
    ask_text(ctx, world, Question::NetworkCertificate { valid_from, validity_days }, "Error")
}

fn ask_text<'js>(ctx: &Ctx<'js>, world: &World, question: Question, failed: &str) -> Result<Value<'js>> {
    match (world.0.ask)(question) {
        Some(Reply::Text(Ok(text))) => text.into_js(ctx),
        Some(Reply::Text(Err(reason))) => Err(Exception::throw_internal(ctx, &format!("{failed}: {reason}"))),
        _ => Err(Exception::throw_internal(ctx, failed)),
    }
}

fn days<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Result<u64> {
    let days = value.as_number().unwrap_or(0.0);
    if !(0.0..9_007_199_254_740_992.0).contains(&days) {
        return Err(Exception::throw_range(ctx, "invalid array index"));
    }
    Ok(days as u64)
}

fn set_jwt_keys<'js>(ctx: &Ctx<'js>, world: &World, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    let json = |value: &Value<'js>, which: &str| match ctx.json_stringify(value.clone())? {
        Some(json) => json.to_string(),
        None => Err(Exception::throw_type(ctx, &format!("{which} argument is not a JSON object"))),
    };
    let issuer = text(ctx, &arguments[0])?;
    let (metadata, jwks) = (json(&arguments[1], "metadata")?, json(&arguments[2], "jwks")?);
    world.charge(ctx, issuer.len() + metadata.len() + jwks.len())?;
    world.effect(ctx, Effect::SetJwtPublicSigningKeys { issuer, metadata, jwks })?;
    Ok(undefined(ctx))
}

fn remove_jwt_keys<'js>(ctx: &Ctx<'js>, world: &World, arguments: &[Value<'js>]) -> Result<Value<'js>> {
    let issuer = text(ctx, &arguments[0])?;
    world.charge(ctx, issuer.len())?;
    world.effect(ctx, Effect::RemoveJwtPublicSigningKeys { issuer })?;
    Ok(undefined(ctx))
}
