//! The endorsements that go with a quote: what Intel says of the platform, its quoting enclave, and revocations.
//!
//! Open Enclave's container: version, type, length, nine offsets, and the nine items behind them.

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::bytes::{Bytes, Short};
use crate::digest::parse_hex;
use crate::json::{self, JsonError};

/// The largest endorsements that are read: 1 MiB. Real ones have 13 KiB.
pub const MAX_ENDORSEMENTS: usize = 1 << 20;

const ITEMS: u64 = 9;

/// Why bytes are not endorsements.
#[derive(Debug, thiserror::Error)]
pub enum CollateralError {
    /// They are cut short.
    #[error("the SGX endorsements are cut short")]
    Short(#[from] Short),
    /// Too long to be endorsements.
    #[error("SGX endorsements have some kilobytes, and these have {0} bytes")]
    TooLong(usize),
    /// Not Open Enclave's container.
    #[error("these are not SGX endorsements of Open Enclave's version 1: {0}")]
    Kind(&'static str),
    /// The TCB information or the quoting enclave's identity cannot be read.
    #[error("the {what} in the endorsements is damaged")]
    Json {
        /// Which of the two.
        what: &'static str,
        /// Why.
        #[source]
        source: JsonError,
    },
    /// It has not the members that it must have.
    #[error("the {what} in the endorsements is damaged: {why}")]
    Shape {
        /// Which of the two.
        what: &'static str,
        /// Why.
        why: String,
    },
}

/// The nine items, as they stand.
#[derive(Clone, Copy, Debug)]
pub struct Collateral<'a> {
    /// The TCB information, signed JSON.
    pub tcb_info: &'a [u8],
    /// The certificates of its signer, PEM.
    pub tcb_chain: &'a [u8],
    /// The revoked platform certificates.
    pub pck_crl: &'a [u8],
    /// What the root revoked.
    pub root_crl: &'a [u8],
    /// The certificates of who signed the platform certificates' list, PEM.
    pub crl_chain: &'a [u8],
    /// The quoting enclave's identity, signed JSON.
    pub qe_identity: &'a [u8],
    /// The certificates of its signer, PEM.
    pub qe_chain: &'a [u8],
}

impl<'a> Collateral<'a> {
    /// Reads the container.
    ///
    /// # Errors
    /// [`CollateralError`]
    pub fn parse(raw: &'a [u8]) -> Result<Self, CollateralError> {
        if raw.len() > MAX_ENDORSEMENTS {
            return Err(CollateralError::TooLong(raw.len()));
        }
        let bytes = Bytes::new("SGX endorsements", raw);
        if bytes.u32(0)? != 1 || bytes.u32(4)? != 2 || u64::from(bytes.u32(12)?) != ITEMS {
            return Err(CollateralError::Kind("their version, type or number of items is another"));
        }
        let data = Bytes::new("SGX endorsements", bytes.from(16 + 4 * ITEMS)?);
        if u64::from(bytes.u32(8)?) != 4 * ITEMS + data.len() {
            return Err(CollateralError::Kind("they are longer or shorter than they say"));
        }
        let item = |number: u64| -> Result<&'a [u8], CollateralError> {
            let start = u64::from(bytes.u32(16 + 4 * number)?);
            let end = if number + 1 == ITEMS { data.len() } else { u64::from(bytes.u32(20 + 4 * number)?) };
            let length = end.checked_sub(start).ok_or(CollateralError::Kind("their items are out of order"))?;
            data.slice(start, length).map_err(CollateralError::Short)
        };
        // Every text ends with a NUL, so that its borders can't be shifted.
        let text = |number| match item(number)?.split_last() {
            Some((0, text)) if !text.contains(&0) => Ok(text),
            _ => Err(CollateralError::Kind("an item of theirs is not a text that ends with a NUL")),
        };
        let list = |number| if is_der(item(number)?) { item(number) } else { text(number) };
        if bytes.u32(16)? != 0 || data.slice(0, u64::from(bytes.u32(20)?))? != 1u32.to_le_bytes() {
            return Err(CollateralError::Kind("their first item is not version 1"));
        }
        text(8)?;
        Ok(Self {
            tcb_info: text(1)?,
            tcb_chain: text(2)?,
            pck_crl: list(3)?,
            root_crl: list(4)?,
            crl_chain: text(5)?,
            qe_identity: text(6)?,
            qe_chain: text(7)?,
        })
    }
}

/// A signed JSON document of Intel's: the exact bytes that were signed, and what they say.
#[derive(Clone, Debug)]
pub struct Signed<'a, T> {
    /// The bytes of the inner object.
    pub signed: &'a [u8],
    /// The signature, r ‖ s.
    pub signature: [u8; 64],
    /// The inner object.
    pub body: T,
}

/// From when until when a document counts.
#[derive(Clone, Copy, Debug)]
pub struct Period {
    /// When it was issued.
    pub issued: OffsetDateTime,
    /// When the next one should have been there.
    pub next: OffsetDateTime,
}

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

/// What the quoting enclave must be.
#[derive(Clone, Debug)]
pub struct QeIdentity {
    /// When it counts.
    pub period: Period,
    /// MISCSELECT and its mask.
    pub miscselect: (u32, u32),
    /// The attributes and their mask.
    pub attributes: ([u8; 16], [u8; 16]),
    /// Its signer.
    pub mrsigner: [u8; 32],
    /// Its product number.
    pub isvprodid: u16,
    /// The levels: least security version and status, newest first.
    pub levels: Vec<(u16, String)>,
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

impl<'a> Signed<'a, QeIdentity> {
    /// Reads a quoting enclave's identity of version 2.
    ///
    /// # Errors
    /// [`CollateralError`]
    pub fn qe_identity(text: &'a [u8]) -> Result<Self, CollateralError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Raw {
            id: String,
            version: u32,
            issue_date: String,
            next_update: String,
            miscselect: String,
            miscselect_mask: String,
            attributes: String,
            attributes_mask: String,
            mrsigner: String,
            isvprodid: u16,
            tcb_levels: Vec<RawLevel>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct RawLevel {
            tcb: RawTcb,
            tcb_status: String,
        }
        #[derive(Deserialize)]
        struct RawTcb {
            isvsvn: u16,
        }
        const WHAT: &str = "quoting enclave's identity";
        let (signed, signature, body) = split(WHAT, "enclaveIdentity", text)?;
        let raw: Raw = serde_json::from_value(body).map_err(|e| shape(WHAT, e))?;
        if raw.id != "QE" || raw.version != 2 {
            return Err(shape(WHAT, "only version 2 of the enclave QE is known"));
        }
        // Written as the bytes of a number whose highest byte comes first.
        let number = |text: &str| hex_array(WHAT, text).map(u32::from_be_bytes);
        Ok(Self {
            signed,
            signature,
            body: QeIdentity {
                period: period(WHAT, &raw.issue_date, &raw.next_update)?,
                miscselect: (number(&raw.miscselect)?, number(&raw.miscselect_mask)?),
                attributes: (hex_array(WHAT, &raw.attributes)?, hex_array(WHAT, &raw.attributes_mask)?),
                mrsigner: hex_array(WHAT, &raw.mrsigner)?,
                isvprodid: raw.isvprodid,
                levels: raw.tcb_levels.into_iter().map(|l| (l.tcb.isvsvn, l.tcb_status)).collect(),
            },
        })
    }
}

/// Splits `{"NAME":{…},"signature":"…"}` into the object's bytes as they stand, the signature, and the object.
fn split<'a>(what: &'static str, name: &str, text: &'a [u8]) -> Result<(&'a [u8], [u8; 64], Value), CollateralError> {
    let failed = |source| CollateralError::Json { what, source };
    let whole = json::parse(text).map_err(failed)?;
    let signature = whole.get("signature").and_then(Value::as_str).ok_or_else(|| shape(what, "it is not signed"))?;
    let opening = format!("{{\"{name}\":");
    let rest =
        text.strip_prefix(opening.as_bytes()).ok_or_else(|| shape(what, format!("it does not begin {opening}")))?;
    let signed = object(rest).ok_or_else(|| shape(what, "it holds no object"))?;
    let body = json::parse(signed).map_err(failed)?;
    if whole.get(name) != Some(&body) {
        return Err(shape(what, "it can be read in two ways"));
    }
    let signature = parse_hex("signature", signature).map_err(|e| shape(what, e))?;
    Ok((signed, signature, body))
}

/// The object that `text` (valid JSON from here to its end) begins with.
fn object(text: &[u8]) -> Option<&[u8]> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' => depth += 1,
            b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return text.get(..=at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether a revocation list is DER, and neither PEM nor hexadecimal.
pub(super) fn is_der(list: &[u8]) -> bool {
    matches!(list, [0x30, second, ..] if !second.is_ascii_hexdigit())
}

fn shape(what: &'static str, why: impl ToString) -> CollateralError {
    CollateralError::Shape { what, why: why.to_string() }
}

fn hex_array<const N: usize>(what: &'static str, text: &str) -> Result<[u8; N], CollateralError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes)
        .map_err(|_| shape(what, format!("a value in it is not {N} hexadecimal bytes")))?;
    Ok(bytes)
}

fn period(what: &'static str, issued: &str, next: &str) -> Result<Period, CollateralError> {
    let date = |text| OffsetDateTime::parse(text, &Rfc3339).map_err(|_| shape(what, "a date in it is none"));
    Ok(Period { issued: date(issued)?, next: date(next)? })
}
