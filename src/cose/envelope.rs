//! A signed request: `18([protected bstr, {}, payload bstr, signature bstr])`.

use ciborium::value::Value;
use coset::{CoseSign1, Header, Label, ProtectedHeader, RegisteredLabelWithPrivate, TaggedCborSerializable};

use super::message::{CREATED_AT, PROPOSAL_ID, TYPE};
use super::{Algorithm, CreatedAt, MemberCertificate, Message, MessageError, MessageType, Signature, SignatureError};
use crate::id::{MemberId, ProposalId};

/// The largest envelope that is read: 16 MiB, more than a service's default for a request.
pub const MAX_ENVELOPE: u64 = 16 << 20;

/// A request with the signature of the member whom its header names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    message: Message,
    algorithm: Algorithm,
    member: MemberId,
    protected: Vec<u8>,
    signature: Signature,
}

/// Why bytes are not a governance envelope.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Not a tagged COSE_Sign1.
    #[error("not a tagged COSE_Sign1 message: {0}")]
    Cose(String),
    /// A header that CCF needs is missing or of another type.
    #[error("the protected header has no valid {0}")]
    Header(&'static str),
    /// An algorithm that CCF does not take.
    #[error("the algorithm is not ES256, ES384 or ES512")]
    Algorithm,
    /// The request inside is none.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The signature has another length.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The header names another member than the certificate does.
    #[error("signed in the name of member {kid}, and the certificate is member {certificate}'s")]
    OtherMember {
        /// The member in the protected header.
        kid: MemberId,
        /// The certificate's member.
        certificate: MemberId,
    },
}

impl Envelope {
    /// Puts a signature to a message, after checking that it is by `certificate`'s key.
    pub fn new(message: Message, certificate: &MemberCertificate, signature: Signature) -> Result<Self, EnvelopeError> {
        let (algorithm, member) = (certificate.algorithm(), certificate.member_id());
        let protected = message.protected(algorithm, member)?;
        certificate.verify(&sig_structure(&protected, message.payload()), &signature)?;
        Ok(Self { message, algorithm, member, protected, signature })
    }

    /// The bytes that a signer signs for `message`: CBOR of `["Signature1", protected, h'', payload]`.
    pub fn to_be_signed(message: &Message, certificate: &MemberCertificate) -> Result<Vec<u8>, MessageError> {
        let protected = message.protected(certificate.algorithm(), certificate.member_id())?;
        Ok(sig_structure(&protected, message.payload()))
    }

    /// Reads an envelope. Its signature is not checked here: see [`Envelope::verify`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let cose = CoseSign1::from_tagged_slice(bytes).map_err(|e| EnvelopeError::Cose(e.to_string()))?;
        let ProtectedHeader { original_data, header } = cose.protected;
        let protected = original_data.ok_or(EnvelopeError::Header("bytes"))?;
        let algorithm = match header.alg {
            Some(RegisteredLabelWithPrivate::Assigned(a)) => Algorithm::from_cose_id(coset::iana::EnumI64::to_i64(&a)),
            _ => None,
        }
        .ok_or(EnvelopeError::Algorithm)?;
        let kid = std::str::from_utf8(&header.key_id).ok().and_then(|t| t.parse().ok());
        let member = kid.ok_or(EnvelopeError::Header("kid (a member id)"))?;
        let kind: MessageType = text(&header, TYPE).and_then(|t| t.parse().ok()).ok_or(EnvelopeError::Header(TYPE))?;
        let created_at = find(&header, CREATED_AT)
            .and_then(Value::as_integer)
            .and_then(|i| u64::try_from(i).ok())
            .and_then(|s| CreatedAt::from_seconds(s).ok())
            .ok_or(EnvelopeError::Header(CREATED_AT))?;
        let proposal_id: Option<ProposalId> = match find(&header, PROPOSAL_ID) {
            None => None,
            Some(Value::Text(id)) => Some(id.parse().map_err(|_| EnvelopeError::Header(PROPOSAL_ID))?),
            Some(_) => return Err(EnvelopeError::Header(PROPOSAL_ID)),
        };
        let payload = cose.payload.ok_or(EnvelopeError::Cose("its payload is detached".into()))?;
        let message = Message::new(kind, created_at, proposal_id, payload)?;
        let signature = Signature::from_fixed(algorithm, &cose.signature)?;
        Ok(Self { message, algorithm, member, protected, signature })
    }

    /// The envelope as a service takes it: a tagged COSE_Sign1.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![0xd2, 0x84];
        push_bstr(&mut out, &self.protected);
        out.push(0xa0);
        push_bstr(&mut out, self.message.payload());
        push_bstr(&mut out, self.signature.as_bytes());
        out
    }

    /// Checks that the header names `certificate`'s member and that the signature is by its key.
    pub fn verify(&self, certificate: &MemberCertificate) -> Result<(), EnvelopeError> {
        let expected = certificate.member_id();
        if self.member != expected {
            return Err(EnvelopeError::OtherMember { kid: self.member, certificate: expected });
        }
        Ok(certificate.verify(&sig_structure(&self.protected, self.message.payload()), &self.signature)?)
    }

    /// The request inside.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The algorithm that the header names.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The member that the header names (`kid`).
    pub fn member(&self) -> MemberId {
        self.member
    }

    /// The protected header's bytes, as signed.
    pub fn protected(&self) -> &[u8] {
        &self.protected
    }

    /// The signature.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }
}

fn find<'h>(header: &'h Header, name: &str) -> Option<&'h Value> {
    header.rest.iter().find(|(label, _)| matches!(label, Label::Text(t) if t == name)).map(|(_, value)| value)
}

fn text<'h>(header: &'h Header, name: &str) -> Option<&'h str> {
    find(header, name).and_then(Value::as_text)
}

fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x84, 0x6a];
    out.extend_from_slice(b"Signature1");
    push_bstr(&mut out, protected);
    out.push(0x40);
    push_bstr(&mut out, payload);
    out
}

/// A CBOR byte string: shortest head, then the bytes.
fn push_bstr(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = bytes.len() as u64;
    match len {
        0..=23 => out.push(0x40 | len as u8),
        24..=0xff => out.extend([0x58, len as u8]),
        0x100..=0xffff => {
            out.push(0x59);
            out.extend((len as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0x5a);
            out.extend((len as u32).to_be_bytes());
        }
        _ => {
            out.push(0x5b);
            out.extend(len.to_be_bytes());
        }
    }
    out.extend_from_slice(bytes);
}
