//! COSE_Sign1 (RFC 9052, section 4.2) as it stands on the wire: well-formed, but not yet judged as a request.

use std::fmt;

use coset::{ProtectedHeader, SignatureContext, sig_structure_data};

use super::MAX_ENVELOPE;
use super::form::label;
use super::message::{CREATED_AT, PROPOSAL_ID, TYPE};
use crate::cbor::{ARRAY, CborError, MAP, Reader, TAG, UINT, push_bytes, push_head, push_integer, push_text};

const ALG: i128 = 1;
const CRIT: i128 = 2;
const KID: i128 = 4;
pub(super) const COSE_SIGN1: u64 = 18;

/// `18([protected bstr, {}, payload bstr, signature bstr])`, read strictly.
#[derive(Clone, PartialEq, Eq)]
pub struct Sign1 {
    /// What the protected header says.
    pub header: Header,
    /// The protected header's bytes, as signed.
    pub protected: Vec<u8>,
    /// The payload.
    pub payload: Vec<u8>,
    /// The signature, of whatever length.
    pub signature: Vec<u8>,
}

/// The protected header's parameters. Those that CCF reads have the right type; their values are not judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// 1: the algorithm's COSE identifier.
    pub alg: Option<i64>,
    /// 4: the member id, as bytes of text.
    pub kid: Option<Vec<u8>>,
    /// `ccf.gov.msg.type`.
    pub message_type: Option<String>,
    /// `ccf.gov.msg.created_at`, in seconds since the epoch.
    pub created_at: Option<i64>,
    /// `ccf.gov.msg.proposal_id`.
    pub proposal_id: Option<String>,
    /// The labels of other parameters, which CCF passes over.
    pub others: Vec<String>,
}

/// Why bytes are not a COSE_Sign1 message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoseError {
    /// Larger than what is read.
    #[error("it is larger than {MAX_ENVELOPE} bytes")]
    TooLarge,
    /// Malformed CBOR.
    #[error("its {part} is malformed: {error}")]
    Cbor {
        /// Where.
        part: &'static str,
        /// What is wrong.
        error: CborError,
    },
    /// Not COSE_Sign1, or without its tag.
    #[error("it does not begin with tag 18, which marks COSE_Sign1")]
    Tag,
    /// Another number of parts.
    #[error("it has {0} parts instead of four")]
    Parts(u64),
    /// Bytes after the end.
    #[error("{_0} {} it", if *_0 == 1 { "byte follows" } else { "bytes follow" })]
    Trailing(usize),
    /// A parameter that is not signed.
    #[error("its unprotected header is not empty, and nothing in it would be signed")]
    Unprotected,
    /// The payload is elsewhere.
    #[error("its payload is detached, but CCF needs it inside")]
    Detached,
    /// A label twice, which two readers could read differently.
    #[error("the label {0} appears twice in its protected header")]
    Duplicate(String),
    /// A label that is neither integer nor text.
    #[error("its protected header has a label that is neither an integer nor text")]
    Label,
    /// `crit` demands understanding of parameters which CCF does not have.
    #[error("its protected header has critical parameters (crit), which CCF does not know")]
    Critical,
    /// A parameter of another type.
    #[error("{name} in its protected header cannot be read: {error}")]
    Parameter {
        /// Which.
        name: &'static str,
        /// What is wrong.
        error: CborError,
    },
}

impl fmt::Debug for Sign1 {
    /// Without the payload, which may be a recovery share.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sign1").field("header", &self.header).field("payload_bytes", &self.payload.len()).finish()
    }
}

impl Sign1 {
    /// Reads a tagged COSE_Sign1, whole: nothing may follow it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CoseError> {
        if bytes.len() as u64 > MAX_ENVELOPE {
            return Err(CoseError::TooLarge);
        }
        let in_part = |part| move |error| CoseError::Cbor { part, error };
        let mut reader = Reader::strict(bytes);
        match reader.argument(TAG, "a tag") {
            Ok(COSE_SIGN1) => {}
            Ok(_) | Err(CborError::Expected(_)) => return Err(CoseError::Tag),
            Err(error) => return Err(in_part("tag")(error)),
        }
        match reader.argument(ARRAY, "an array").map_err(in_part("outer array"))? {
            4 => {}
            parts => return Err(CoseError::Parts(parts)),
        }
        let protected = reader.bytes().map_err(in_part("protected header"))?;
        if reader.argument(MAP, "a map").map_err(in_part("unprotected header"))? != 0 {
            return Err(CoseError::Unprotected);
        }
        if reader.rest().first() == Some(&0xf6) {
            return Err(CoseError::Detached);
        }
        let payload = reader.bytes().map_err(in_part("payload"))?;
        let signature = reader.bytes().map_err(in_part("signature"))?;
        if !reader.rest().is_empty() {
            return Err(CoseError::Trailing(reader.rest().len()));
        }
        Ok(Self {
            header: Header::from_bytes(protected)?,
            protected: protected.into(),
            payload: payload.into(),
            signature: signature.into(),
        })
    }

    /// A tagged COSE_Sign1 of a protected header, a payload and a signature over both. Nothing is checked.
    pub fn encode(protected: &[u8], payload: &[u8], signature: &super::Signature) -> Vec<u8> {
        encode(protected, payload, signature.as_bytes())
    }

    /// The bytes that were signed: CBOR of `["Signature1", protected, h'', payload]`.
    pub fn to_be_signed(&self) -> Vec<u8> {
        sig_structure(&self.protected, &self.payload)
    }
}

impl Header {
    fn from_bytes(bytes: &[u8]) -> Result<Self, CoseError> {
        let malformed = |error| CoseError::Cbor { part: "protected header", error };
        let mut reader = Reader::strict(bytes);
        let count = reader.argument(MAP, "a map").map_err(malformed)?;
        let mut header = Self::default();
        let mut seen: Vec<String> = Vec::new();
        for _ in 0..count {
            let label = label(&mut reader).map_err(|error| match error {
                CborError::Expected(_) => CoseError::Label,
                error => malformed(error),
            })?;
            if seen.contains(&label) {
                return Err(CoseError::Duplicate(label));
            }
            header.parameter(&label, &mut reader)?;
            seen.push(label);
            if seen.len() > 64 {
                return Err(malformed(CborError::Depth));
            }
        }
        if reader.rest().is_empty() { Ok(header) } else { Err(malformed(CborError::Expected("one map alone"))) }
    }

    pub(super) fn parameter(&mut self, label: &str, reader: &mut Reader<'_>) -> Result<(), CoseError> {
        let named = |name| move |error| CoseError::Parameter { name, error };
        let integer = |reader: &mut Reader<'_>| {
            i64::try_from(reader.integer()?).map_err(|_| CborError::Expected("a number of 63 bits"))
        };
        match label {
            l if l == ALG.to_string() => self.alg = Some(integer(reader).map_err(named("alg"))?),
            l if l == CRIT.to_string() => return Err(CoseError::Critical),
            l if l == KID.to_string() => self.kid = Some(reader.bytes().map_err(named("kid"))?.into()),
            l if l == quoted(TYPE) => self.message_type = Some(reader.text().map_err(named(TYPE))?.into()),
            l if l == quoted(CREATED_AT) => self.created_at = Some(integer(reader).map_err(named(CREATED_AT))?),
            l if l == quoted(PROPOSAL_ID) => {
                self.proposal_id = Some(reader.text().map_err(named(PROPOSAL_ID))?.into());
            }
            other => {
                self.others.push(other.into());
                reader.skip(16).map_err(named("a parameter"))?;
            }
        }
        Ok(())
    }
}

fn quoted(name: &str) -> String {
    format!("{name:?}")
}

/// A protected header as CCF's own signer writes it: deterministic CBOR (RFC 8949, 4.2.1), shorter labels first.
///
/// ```text
/// { 1: alg, 4: kid, "ccf.gov.msg.type": tstr, "ccf.gov.msg.created_at": uint, ? "ccf.gov.msg.proposal_id": tstr }
/// ```
pub(super) fn protected(
    alg: i64,
    kid: &str,
    message_type: &str,
    created_at: u64,
    proposal_id: Option<&str>,
) -> Vec<u8> {
    let mut out = header_start(4 + u64::from(proposal_id.is_some()), alg, kid, message_type);
    push_created_at(&mut out, created_at);
    if let Some(id) = proposal_id {
        push_proposal_id(&mut out, id);
    }
    out
}

/// The same header as CCF 6's Python package writes it, which puts the proposal id before the time.
/// It differs for ballots and withdrawals only, and is read, never written.
pub(super) fn protected_in_ccf6_order(
    alg: i64,
    kid: &str,
    message_type: &str,
    created_at: u64,
    proposal_id: &str,
) -> Vec<u8> {
    let mut out = header_start(5, alg, kid, message_type);
    push_proposal_id(&mut out, proposal_id);
    push_created_at(&mut out, created_at);
    out
}

fn header_start(entries: u64, alg: i64, kid: &str, message_type: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    push_head(&mut out, MAP, entries);
    push_head(&mut out, UINT, 1);
    push_integer(&mut out, alg);
    push_head(&mut out, UINT, 4);
    push_bytes(&mut out, kid.as_bytes());
    push_text(&mut out, TYPE);
    push_text(&mut out, message_type);
    out
}

fn push_created_at(out: &mut Vec<u8>, created_at: u64) {
    push_text(out, CREATED_AT);
    push_head(out, UINT, created_at);
}

fn push_proposal_id(out: &mut Vec<u8>, id: &str) {
    push_text(out, PROPOSAL_ID);
    push_text(out, id);
}

/// What is signed: `["Signature1", protected, h'', payload]` (RFC 9052, section 4.4), around the protected header's own bytes.
pub(crate) fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let protected = ProtectedHeader { original_data: Some(protected.into()), ..Default::default() };
    sig_structure_data(SignatureContext::CoseSign1, protected, None, &[], payload)
}

/// A tagged COSE_Sign1 of these parts.
pub(super) fn encode(protected: &[u8], payload: &[u8], signature: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(protected.len() + payload.len() + signature.len() + 32);
    push_head(&mut out, TAG, COSE_SIGN1);
    push_head(&mut out, ARRAY, 4);
    push_bytes(&mut out, protected);
    push_head(&mut out, MAP, 0);
    push_bytes(&mut out, payload);
    push_bytes(&mut out, signature);
    out
}

#[cfg(test)]
mod tests {
    use coset::{CborSerializable, CoseSign1, HeaderBuilder, TaggedCborSerializable, iana};

    use super::*;

    /// Another implementation of COSE writes and reads the same bytes.
    #[test]
    fn coset_agrees_byte_for_byte() {
        let (kid, id) = ("0c".repeat(32), "7e".repeat(32));
        for proposal_id in [None, Some(id.as_str())] {
            let ours = protected(-35, &kid, "ballot", 1_795_356_000, proposal_id);
            let mut theirs = HeaderBuilder::new()
                .algorithm(iana::Algorithm::ES384)
                .key_id(kid.clone().into_bytes())
                .text_value(TYPE.into(), "ballot".into())
                .text_value(CREATED_AT.into(), 1_795_356_000_u64.into());
            if let Some(id) = proposal_id {
                theirs = theirs.text_value(PROPOSAL_ID.into(), id.into());
            }
            assert_eq!(ours, theirs.build().to_vec().unwrap());
            let envelope = CoseSign1::from_tagged_slice(&encode(&ours, b"payload", &[7; 96])).unwrap();
            assert_eq!(envelope.protected.original_data.as_deref(), Some(&ours[..]));
            assert_eq!(envelope.tbs_data(&[]), sig_structure(&ours, b"payload"));
            assert_eq!((envelope.payload.as_deref(), &envelope.signature[..]), (Some(&b"payload"[..]), &[7; 96][..]));
        }
    }
}
