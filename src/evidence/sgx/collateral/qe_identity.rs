//! The identity of Intel's quoting enclave.

use serde::Deserialize;

use super::CollateralError;
use super::signed::{Period, Signed, hex_array, period, shape, split};

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
