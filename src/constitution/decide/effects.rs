//! What an applied proposal asks of the node, done to the tables in the same transaction.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::constitution::Effect;
use crate::digest::sha256;
use crate::kv::row::{read, read_one, rows, write, write_one};
use crate::kv::table::{JWT_KEYS, MODULES_BYTECODE, RECOVERY_SHARES};
use crate::kv::{Tables, table};

/// Does what an effect asks of the tables.
///
/// # Errors
/// Why it cannot be done; a node discards the transaction then.
pub fn do_effect(tables: &mut Tables, effect: &Effect) -> Result<(), String> {
    match effect {
        Effect::TransitionServiceToOpen { next, .. } => open(tables, next)?,
        Effect::TriggerRecoverySharesRefresh => {
            issue_shares(tables).map_err(|why| format!("Unable to trigger recovery shares refresh: {why}"))?;
        }
        Effect::TriggerLedgerRekey => rekey(tables)?,
        Effect::RefreshAppBytecodeCache => compile(tables),
        Effect::SetJwtPublicSigningKeys { issuer, jwks, .. } => set_jwt_keys(tables, issuer, jwks)?,
        Effect::RemoveJwtPublicSigningKeys { issuer } => remove_jwt_keys(tables, issuer),
        // There are no ledger files here, and nothing is sealed.
        Effect::TriggerLedgerChunk | Effect::TriggerSnapshot | Effect::ShuffleSealedShares => {}
    }
    Ok(())
}

fn open(tables: &mut Tables, next: &str) -> Result<(), String> {
    let failed = |why: &str| format!("Unable to open service: {why}");
    let mut service = read_one(tables, table::SERVICE_INFO).ok_or_else(|| failed("its description is missing"))?;
    if service["status"] == "Open" || service["status"] == "WaitingForRecoveryShares" {
        return Ok(());
    }
    if service["cert"] != next {
        return Err(failed("the next service identity in the proposal is not this service's certificate"));
    }
    issue_shares(tables).map_err(|why| failed(&format!("Failed to issue recovery shares: {why}")))?;
    service["status"] = "Open".into();
    write_one(tables, table::SERVICE_INFO, &service);
    Ok(())
}

/// A node changes the ledger's secret of open services alone, and gives every recovery member a share of the new one.
fn rekey(tables: &mut Tables) -> Result<(), String> {
    if read_one(tables, table::SERVICE_INFO).is_some_and(|service| service["status"] != "Open") {
        return Err("Could not rekey ledger: the service is not open".into());
    }
    issue_shares(tables).map_err(|why| format!("Failed to rekey ledger: {why}"))
}

/// Gives out new shares, if there are members for as many as the service needs.
fn issue_shares(tables: &mut Tables) -> Result<(), String> {
    let has_key = |id: &str| tables.has(table::MEMBER_ENCRYPTION_KEYS, id.as_bytes());
    let active = rows(tables, table::MEMBER_INFO).filter(|(id, row)| row["status"] == "Active" && has_key(id));
    let roles: Vec<Value> = active.map(|(_, row)| row["recovery_role"].clone()).collect();
    let participants = roles.iter().filter(|role| role.is_null() || **role == "Participant").count() as u64;
    let owners = roles.iter().filter(|role| **role == "Owner").count();
    let threshold = read_one(tables, table::SERVICE_CONFIG).and_then(|config| config["recovery_threshold"].as_u64());
    match threshold {
        _ if participants == 0 && owners == 0 => Err("there is no active recovery member".into()),
        Some(0) => Err("the recovery threshold is not set".into()),
        Some(threshold) if threshold > participants.max(1) => {
            Err(format!("the recovery threshold {threshold} is more than the {participants} active recovery members"))
        }
        _ => {
            refresh_shares(tables);
            Ok(())
        }
    }
}

/// Gives every active member with an encryption key a new share: bytes of the right length that open nothing.
pub fn refresh_shares(tables: &mut Tables) {
    let active = rows(tables, table::MEMBER_INFO).filter(|(_, row)| row["status"] == "Active");
    let active: Vec<String> =
        active.map(|(id, _)| id).filter(|id| tables.has(table::MEMBER_ENCRYPTION_KEYS, id.as_bytes())).collect();
    tables.clear(RECOVERY_SHARES);
    let seqno = tables.seqno();
    for id in active {
        let block = |n: u8| sha256(format!("{id} {seqno} {n}").as_bytes());
        let share: Vec<u8> = (0..8).flat_map(block).collect();
        tables.put(RECOVERY_SHARES, id.as_bytes(), STANDARD.encode(share));
    }
}

/// Notes the modules that a node would compile.
fn compile(tables: &mut Tables) {
    let modules: Vec<_> = tables.iter(table::MODULES).map(|(name, source)| (name.to_vec(), source.to_vec())).collect();
    tables.clear(MODULES_BYTECODE);
    for (name, source) in modules {
        tables.put(MODULES_BYTECODE, &name, source);
    }
}

fn set_jwt_keys(tables: &mut Tables, issuer: &str, jwks: &str) -> Result<(), String> {
    let jwks: Value = serde_json::from_str(jwks).map_err(|_| "the key set is not JSON")?;
    let keys = jwks["keys"].as_array().ok_or("the key set has no keys")?;
    remove_jwt_keys(tables, issuer);
    for key in keys {
        let id = key["kid"].as_str().ok_or("a key has no kid")?;
        let mut list = read(tables, JWT_KEYS, id).unwrap_or_else(|| json!([]));
        let entry = json!({"publicKey": key["x5c"][0], "issuer": issuer, "constraint": null});
        if let Some(list) = list.as_array_mut() {
            list.push(entry);
        }
        write(tables, JWT_KEYS, id, &list);
    }
    Ok(())
}

fn remove_jwt_keys(tables: &mut Tables, issuer: &str) {
    let all: Vec<_> = rows(tables, JWT_KEYS).collect();
    for (id, list) in all {
        let others: Vec<&Value> = list.as_array().into_iter().flatten().filter(|key| key["issuer"] != issuer).collect();
        if others.is_empty() {
            tables.remove(JWT_KEYS, id.as_bytes());
        } else {
            write(tables, JWT_KEYS, &id, &json!(others));
        }
    }
}
