//! An SGX quote of version 3 with Open Enclave's claims behind it, as CCF up to version 5 records it.
//!
//! Layout: Intel, "SGX ECDSA QuoteGenReference", appendix A.4; the claims as Open Enclave appends them.

use super::bytes::{Bytes, Short};
use crate::digest::{MrEnclave, MrSigner};
use crate::id::NodeId;

/// The largest evidence that is read: 64 KiB. Real ones have under 5 KiB.
pub const MAX_EVIDENCE: usize = 64 << 10;

/// The claim in which CCF puts the digest of the node's key.
pub const NODE_CLAIM: &str = "sgx_report_data";

const HEADER: u64 = 48;
const REPORT: u64 = 384;
const SIGNED: u64 = HEADER + REPORT;
const INTEL_QE: [u8; 16] =
    [0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07];

/// Why bytes are not such evidence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuoteError {
    /// It is cut short.
    #[error("the SGX evidence is cut short")]
    Short(#[from] Short),
    /// Too long to be evidence.
    #[error("SGX evidence has a few kilobytes, and this has {0} bytes")]
    TooLong(usize),
    /// Another version or kind of quote.
    #[error("this is not an SGX quote of version 3 with an ECDSA P-256 key and its certificates: {0}")]
    Kind(String),
    /// The lengths in it do not add up.
    #[error("the SGX evidence is damaged: {0}")]
    Damaged(&'static str),
}

/// An enclave's report: 384 bytes that the processor made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The bytes.
    pub raw: [u8; REPORT as usize],
    /// MISCSELECT.
    pub miscselect: u32,
    /// The attributes' 16 bytes: flags and XFRM.
    pub attributes: [u8; 16],
    /// The enclave.
    pub mrenclave: MrEnclave,
    /// Its signer.
    pub mrsigner: MrSigner,
    /// Its product number.
    pub isvprodid: u16,
    /// Its security version.
    pub isvsvn: u16,
    /// What the enclave put in.
    pub report_data: [u8; 64],
}

impl Report {
    fn parse(raw: [u8; REPORT as usize]) -> Result<Self, QuoteError> {
        let bytes = Bytes::new("SGX report", &raw);
        Ok(Self {
            miscselect: bytes.u32(16)?,
            attributes: bytes.array(48)?,
            mrenclave: MrEnclave(bytes.array(64)?),
            mrsigner: MrSigner(bytes.array(128)?),
            isvprodid: bytes.u16(256)?,
            isvsvn: bytes.u16(258)?,
            report_data: bytes.array(320)?,
            raw,
        })
    }

    /// Whether the enclave ran in debug mode, open to its host.
    pub fn debug(&self) -> bool {
        self.attributes[0] & 2 != 0
    }
}

/// The parts of the evidence; nothing in it is verified yet.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    /// What the attestation key signed: header and report.
    pub signed: &'a [u8],
    /// The enclave's report.
    pub report: Report,
    /// The attestation key's signature, r ‖ s.
    pub signature: [u8; 64],
    /// The attestation key: x ‖ y of a point on P-256.
    pub key: [u8; 64],
    /// The quoting enclave's report, which vouches for the key.
    pub qe_report: Report,
    /// The platform key's signature of it, r ‖ s.
    pub qe_signature: [u8; 64],
    /// What the quoting enclave hashed with the key.
    pub qe_auth: &'a [u8],
    /// The platform key's certificates, PEM.
    pub certificates: &'a [u8],
    /// Open Enclave's claims as they stand; empty if there are none.
    pub claims_bytes: &'a [u8],
    /// The claims by name.
    pub claims: Vec<(String, &'a [u8])>,
}

impl<'a> Evidence<'a> {
    /// Reads the evidence: every length in it must add up, and nothing may be left over.
    ///
    /// # Errors
    /// [`QuoteError`]
    pub fn parse(raw: &'a [u8]) -> Result<Self, QuoteError> {
        if raw.len() > MAX_EVIDENCE {
            return Err(QuoteError::TooLong(raw.len()));
        }
        let bytes = Bytes::new("SGX evidence", raw);
        let (version, key_type) = (bytes.u16(0)?, bytes.u16(2)?);
        if version != 3 || key_type != 2 {
            return Err(QuoteError::Kind(format!("its version is {version}, its kind of key {key_type}")));
        }
        if bytes.array(12)? != INTEL_QE {
            return Err(QuoteError::Kind("another vendor's quoting enclave made it".into()));
        }
        let length = u64::from(bytes.u32(SIGNED)?);
        let block = Bytes::new("quote's signature", bytes.slice(SIGNED + 4, length)?);
        let auth_length = u64::from(block.u16(576)?);
        let certificates = 578 + auth_length;
        let kind = block.u16(certificates)?;
        if kind != 5 {
            return Err(QuoteError::Kind(format!("its certification data are of type {kind}")));
        }
        let certificates_length = u64::from(block.u32(certificates + 2)?);
        if certificates + 6 + certificates_length != length {
            return Err(QuoteError::Damaged("the lengths in the quote's signature do not add up"));
        }
        let claims_bytes = bytes.from(SIGNED + 4 + length)?;
        Ok(Self {
            signed: bytes.slice(0, SIGNED)?,
            report: Report::parse(bytes.array(HEADER)?)?,
            signature: block.array(0)?,
            key: block.array(64)?,
            qe_report: Report::parse(block.array(128)?)?,
            qe_signature: block.array(512)?,
            qe_auth: block.slice(578, auth_length)?,
            certificates: block.slice(certificates + 6, certificates_length)?,
            claims: claims(claims_bytes)?,
            claims_bytes,
        })
    }

    /// The node that the claims say this is about.
    pub fn node_id(&self) -> Option<NodeId> {
        let (_, value) = self.claims.iter().find(|(name, _)| name == NODE_CLAIM)?;
        (*value).try_into().ok().map(NodeId::from_bytes)
    }
}

/// Open Enclave's custom claims: version 1, a count, and for each the two lengths, the name with its NUL, the value.
fn claims(raw: &[u8]) -> Result<Vec<(String, &[u8])>, QuoteError> {
    if raw.is_empty() {
        return Ok(Vec::new());
    }
    let bytes = Bytes::new("claims", raw);
    if bytes.u64(0)? != 1 {
        return Err(QuoteError::Damaged("the claims are of another version than 1"));
    }
    let (count, mut at, mut claims) = (bytes.u64(8)?, 16, Vec::new());
    // Each claim takes 16 bytes at least, so a false count ends this soon.
    for _ in 0..count {
        let (name, value) = (bytes.u64(at)?, bytes.u64(at + 8)?);
        let (name, value) = (bytes.slice(at + 16, name)?, bytes.slice((at + 16).saturating_add(name), value)?);
        at += 16 + name.len() as u64 + value.len() as u64;
        let text = name.strip_suffix(&[0]).and_then(|n| str::from_utf8(n).ok()).filter(|n| !n.contains('\0'));
        let text = text.ok_or(QuoteError::Damaged("a claim's name is not text that ends with a NUL"))?;
        if claims.iter().any(|(other, _)| other == text) {
            return Err(QuoteError::Damaged("one claim appears twice"));
        }
        claims.push((text.to_owned(), value));
    }
    if at != bytes.len() {
        return Err(QuoteError::Damaged("something follows the claims"));
    }
    Ok(claims)
}
