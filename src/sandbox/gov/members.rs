//! Members and users, and how a member shows that it follows the service's state.

use crate::text::clip;
use serde_json::{Map, Value, json};

use super::signed::{Signer, by_member};
use super::{hex_name, member_name, version};
use crate::kv::row::{read, read_one, read_text, rows, write};
use crate::kv::{Tables, table};
use crate::sandbox::reply::{Fault, Reply};
use crate::sandbox::router::Call;
use crate::sandbox::tables::signed_root;

/// GET /service/members
pub(in crate::sandbox) fn all(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    let tables = &call.vantage.tables;
    let list: Vec<Value> = rows(tables, table::MEMBER_INFO).map(|(id, row)| member(tables, &id, &row)).collect();
    Ok(Reply::json(&json!({"value": list})))
}

/// GET /service/members/{memberId}
pub(in crate::sandbox) fn one(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    let (tables, id) = (&call.vantage.tables, member_name(call, 0)?);
    match read(tables, table::MEMBER_INFO, &id) {
        Some(row) => Ok(Reply::json(&member(tables, &id, &row))),
        None => Err(Fault::not_found(format!("There is no member {id}."))),
    }
}

fn member(tables: &Tables, id: &str, row: &Value) -> Value {
    let mut body = Map::new();
    let key = read_text(tables, table::MEMBER_ENCRYPTION_KEYS, id);
    if let Some(certificate) = read_text(tables, table::MEMBER_CERTS, id) {
        body.insert("certificate".into(), certificate.into());
    }
    body.insert("memberData".into(), row["member_data"].clone());
    body.insert("memberId".into(), id.into());
    let role = match (row["recovery_role"].as_str(), &key) {
        (Some(role), _) => role,
        (None, Some(_)) => "Participant",
        (None, None) => "NonParticipant",
    };
    if let Some(key) = &key {
        body.insert("publicEncryptionKey".into(), key.as_str().into());
    }
    body.insert("recoveryRole".into(), role.into());
    body.insert("status".into(), row["status"].clone());
    Value::Object(body)
}

/// GET /service/users
pub(in crate::sandbox) fn users(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    let tables = &call.vantage.tables;
    let ids = tables.iter(table::USER_CERTS).map(|(id, _)| String::from_utf8_lossy(id).into_owned());
    let list: Vec<Value> = ids.filter_map(|id| describe_user(tables, &id)).collect();
    Ok(Reply::json(&json!({"value": list})))
}

/// GET /service/users/{userId}
pub(in crate::sandbox) fn user(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    let id = hex_name(call, 0, "user id")?;
    let user = describe_user(&call.vantage.tables, &id);
    Ok(Reply::json(&user.ok_or_else(|| Fault::not_found(format!("There is no user {id}.")))?))
}

fn describe_user(tables: &Tables, id: &str) -> Option<Value> {
    let certificate = read_text(tables, table::USER_CERTS, id)?;
    Some(json!({"certificate": certificate, "userData": read(tables, table::USER_INFO, id), "userId": id}))
}

/// GET /members/state-digests/{memberId}
pub(in crate::sandbox) fn digest(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    let id = call.parameter(0);
    match read(&call.vantage.tables, table::MEMBER_ACKS, id) {
        Some(ack) => Ok(Reply::json(&json!({"memberId": id, "stateDigest": ack["state_digest"]}))),
        None => Err(Fault::not_found(format!("There is no state digest for member {id}."))),
    }
}

/// POST /members/state-digests/{memberId}:update
pub(in crate::sandbox) fn update_digest(call: &Call<'_>) -> Result<Reply, Fault> {
    call.write(|tables, _| {
        let signer = by_member(call, tables, "state_digest")?;
        version(call)?;
        let id = own_path(call, &signer)?;
        let mut ack = read(tables, table::MEMBER_ACKS, id).unwrap_or_else(|| json!({}));
        let root = signed_root(tables);
        let root = root.ok_or_else(|| Fault::internal("The service has signed nothing yet; try again in a moment."))?;
        ack["state_digest"] = root.clone().into();
        write(tables, table::MEMBER_ACKS, id, &ack);
        Ok(json!({"memberId": id, "stateDigest": root}))
    })
}

/// POST /members/state-digests/{memberId}:ack
pub(in crate::sandbox) fn acknowledge(call: &Call<'_>) -> Result<Reply, Fault> {
    call.write_reply(|tables, _| {
        let signer = by_member(call, tables, "ack")?;
        version(call)?;
        let id = own_path(call, &signer)?;
        let mut ack = read(tables, table::MEMBER_ACKS, id).ok_or_else(|| {
            Fault::new(403, "AuthorizationFailed", format!("There is no state digest for member {id} to acknowledge."))
        })?;
        let invalid = |message: &str| Fault::new(400, "InvalidInput", message);
        let body: Value =
            serde_json::from_slice(&signer.request.payload).map_err(|_| invalid("The acknowledgement is not JSON."))?;
        let digest = body["stateDigest"].as_str().ok_or_else(|| invalid("There is no stateDigest."))?;
        if ack["state_digest"] != digest {
            let expected = ack["state_digest"].as_str().unwrap_or_default();
            let message =
                format!("The state digest is not the expected one.\nExpected: {expected}\nReceived: {digest}");
            return Err(Fault::new(400, "StateDigestMismatch", message));
        }
        use base64::Engine;
        ack["cose_sign1_req"] = base64::engine::general_purpose::STANDARD.encode(&signer.envelope).into();
        write(tables, table::MEMBER_ACKS, id, &ack);
        activate(tables, id)?;
        Ok(Reply::empty(204))
    })
}

fn activate(tables: &mut Tables, id: &str) -> Result<(), Fault> {
    let missing = || Fault::internal(format!("Member {id} cannot be activated: there is no such member."));
    let mut row = read(tables, table::MEMBER_INFO, id).ok_or_else(missing)?;
    if row["status"] == "Active" {
        return Ok(());
    }
    let participates = tables.has(table::MEMBER_ENCRYPTION_KEYS, id.as_bytes());
    let limit = 255;
    let active = rows(tables, table::MEMBER_INFO).filter(|(_, row)| row["status"] == "Active").count();
    if participates && active >= limit {
        return Err(Fault::internal(format!("There are {active} active members with recovery shares already.")));
    }
    row["status"] = "Active".into();
    write(tables, table::MEMBER_INFO, id, &row);
    let open = read_one(tables, table::SERVICE_INFO).is_some_and(|service| service["status"] == "Open");
    if participates && open {
        crate::constitution::decide::refresh_shares(tables);
    }
    Ok(())
}

/// The member id in the path, which has to be the signer's.
fn own_path<'c>(call: &'c Call<'_>, signer: &Signer) -> Result<&'c str, Fault> {
    let id = call.parameter(0);
    if signer.member.to_string() == id {
        return Ok(id);
    }
    let shown = clip(id, 80);
    let message = format!("The path names member {shown}, and {} signed the request.", signer.member);
    Err(Fault::new(400, "InvalidAuthenticationInfo", message))
}
