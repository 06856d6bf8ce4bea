//! Recovery shares. A sandbox is never recovered; members still see that they have a share.

use serde_json::json;

use super::signed::by_active_member;
use super::{member_name, version};
use crate::kv::row::read_text;
use crate::kv::table::RECOVERY_SHARES;
use crate::sandbox::reply::{Fault, Reply};
use crate::sandbox::router::Call;

/// GET /recovery/encrypted-shares/{memberId}
pub(in crate::sandbox) fn encrypted_share(call: &Call<'_>) -> Result<Reply, Fault> {
    version(call)?;
    let id = member_name(call, 0)?;
    match read_text(&call.vantage.tables, RECOVERY_SHARES, &id) {
        Some(share) => Ok(Reply::json(&json!({"encryptedShare": share, "memberId": id}))),
        None => Err(Fault::not_found(format!("There is no recovery share for member {id}."))),
    }
}

/// POST /recovery/members/{memberId}:recover
pub(in crate::sandbox) fn recover(call: &Call<'_>) -> Result<Reply, Fault> {
    call.write(|tables, _| {
        by_active_member(call, tables, "recovery_share")?;
        version(call)?;
        let message = "The service is not waiting for recovery shares.";
        Err::<serde_json::Value, _>(Fault::new(403, "ServiceNotWaitingForRecoveryShares", message))
    })
}
