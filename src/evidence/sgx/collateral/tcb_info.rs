//! What Intel knows of a platform's security: the levels of its components' versions.

use serde::Deserialize;
use serde_json::Value;

use super::CollateralError;
use super::signed::{Period, Signed, period, shape, split};

/// What Intel knows of a platform's security.
#[derive(Clone, Debug)]
pub struct TcbInfo {
    /// When it counts.
    pub period: Period,
    /// The platforms that it is about, hexadecimal.
    pub fmspc: String,
    /// The provisioning certification enclave that it is about, hexadecimal.
    pub pceid: String,
    /// The levels, newest first.
    pub levels: Vec<TcbLevel>,
}

/// One level: the security versions that it needs, and what Intel thinks of it.
#[derive(Clone, Debug)]
pub struct TcbLevel {
    /// The components' security versions.
    pub components: [u8; 16],
    /// The provisioning certification enclave's.
    pub pcesvn: u16,
    /// `UpToDate`, `OutOfDate`, `Revoked` and others.
    pub status: String,
}

impl<'a> Signed<'a, TcbInfo> {
    /// Reads TCB information of version 2 or 3.
    ///
    /// # Errors
    /// [`CollateralError`]
    pub fn tcb_info(text: &'a [u8]) -> Result<Self, CollateralError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Raw {
            version: u32,
            id: Option<String>,
            issue_date: String,
            next_update: String,
            fmspc: String,
            pce_id: String,
            tcb_levels: Vec<RawLevel>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct RawLevel {
            tcb: Value,
            tcb_status: String,
        }
        const WHAT: &str = "TCB information";
        let (signed, signature, body) = split(WHAT, "tcbInfo", text)?;
        let raw: Raw = serde_json::from_value(body).map_err(|e| shape(WHAT, e))?;
        if !matches!((raw.version, raw.id.as_deref()), (2, None) | (3, Some("SGX"))) {
            return Err(shape(WHAT, "only versions 2 and 3 for SGX are known"));
        }
        let level = |level: RawLevel| {
            Some(TcbLevel {
                components: components(&level.tcb)?,
                pcesvn: level.tcb.get("pcesvn")?.as_u64()?.try_into().ok()?,
                status: level.tcb_status,
            })
        };
        let levels = raw.tcb_levels.into_iter().map(level).collect::<Option<_>>();
        Ok(Self {
            signed,
            signature,
            body: TcbInfo {
                period: period(WHAT, &raw.issue_date, &raw.next_update)?,
                fmspc: raw.fmspc.to_lowercase(),
                pceid: raw.pce_id.to_lowercase(),
                levels: levels.ok_or_else(|| shape(WHAT, "a level in it lacks security versions"))?,
            },
        })
    }
}

/// The sixteen components' versions, as version 2 or version 3 writes them.
fn components(tcb: &Value) -> Option<[u8; 16]> {
    let mut all = [0; 16];
    for (number, component) in all.iter_mut().enumerate() {
        let svn = match tcb.get("sgxtcbcomponents") {
            Some(list) => list.get(number)?.get("svn")?,
            None => tcb.get(format!("sgxtcbcomp{:02}svn", number + 1))?,
        };
        *component = svn.as_u64()?.try_into().ok()?;
    }
    Some(all)
}
