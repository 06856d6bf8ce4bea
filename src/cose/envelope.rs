//! A signed request: `18([protected bstr, {}, payload bstr, signature bstr])`.

use super::sign1::{encode, protected_in_ccf6_order, sig_structure};
use super::{
    Algorithm, CoseError, CreatedAt, CreatedAtError, MemberCertificate, Message, MessageError, Sign1, Signature,
    SignatureError,
};
use crate::digest::HexError;
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
    #[error("not a COSE_Sign1 message")]
    Cose(#[from] CoseError),
    /// A parameter that CCF needs is missing.
    #[error("the protected header has no {0}")]
    Missing(&'static str),
    /// `kid` is no member id.
    #[error("the protected header's kid is not a member id")]
    Kid(#[source] Option<HexError>),
    /// The proposal id is none.
    #[error("the protected header's proposal id is not valid")]
    ProposalId(#[source] HexError),
    /// The time is none.
    #[error("the protected header's created_at is not valid")]
    CreatedAt(#[source] CreatedAtError),
    /// An algorithm that CCF does not take.
    #[error("the algorithm is {0}, but CCF accepts only ES256 (-7), ES384 (-35) and ES512 (-36)")]
    Algorithm(i64),
    /// The request inside is none.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The signature has another length, or is not by the member.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The header names another member than the certificate does.
    #[error("signed in the name of member {kid}, but the certificate is member {certificate}'s")]
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
        let this = Self::unverified(message, certificate, signature);
        certificate.verify(&this.to_be_signed_again(), &this.signature)?;
        Ok(this)
    }

    /// As [`Envelope::new`], and takes also a signature over the header in the order of CCF 6's Python package
    /// (the proposal id before the time), so that what its `prepare` gave out can be finished here.
    pub fn finish(
        message: Message,
        certificate: &MemberCertificate,
        signature: Signature,
    ) -> Result<Self, EnvelopeError> {
        let Some(proposal_id) = message.proposal_id() else { return Self::new(message, certificate, signature) };
        let other = protected_in_ccf6_order(
            certificate.algorithm().cose_id(),
            &certificate.member_id().to_string(),
            message.kind().name(),
            message.created_at().seconds(),
            &proposal_id.to_string(),
        );
        let mut this = Self::unverified(message, certificate, signature);
        if certificate.verify(&sig_structure(&other, this.message.payload()), &this.signature).is_ok() {
            this.protected = other;
        }
        certificate.verify(&this.to_be_signed_again(), &this.signature)?;
        Ok(this)
    }

    /// Puts a signature to a message without checking it: for a batch, whose signatures are checked on another thread.
    pub(crate) fn unverified(message: Message, certificate: &MemberCertificate, signature: Signature) -> Self {
        let (algorithm, member) = (certificate.algorithm(), certificate.member_id());
        let protected = message.protected(algorithm, member);
        Self { message, algorithm, member, protected, signature }
    }

    /// The bytes that a signer signs for `message`: CBOR of `["Signature1", protected, h'', payload]`.
    pub fn to_be_signed(message: &Message, certificate: &MemberCertificate) -> Vec<u8> {
        sig_structure(&message.protected(certificate.algorithm(), certificate.member_id()), message.payload())
    }

    /// Reads an envelope. Its signature is not checked here: see [`Envelope::verify`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        Self::from_sign1(Sign1::from_bytes(bytes)?)
    }

    /// Judges a COSE_Sign1 message as a governance request: headers, algorithm, payload. Not its signature.
    pub fn from_sign1(cose: Sign1) -> Result<Self, EnvelopeError> {
        let Sign1 { header, protected, payload, signature } = cose;
        let alg = header.alg.ok_or(EnvelopeError::Missing("algorithm (1)"))?;
        let algorithm = Algorithm::from_cose_id(alg).ok_or(EnvelopeError::Algorithm(alg))?;
        let kid = String::from_utf8(header.kid.ok_or(EnvelopeError::Missing("kid (4)"))?);
        let member = kid.map_err(|_| EnvelopeError::Kid(None))?.parse().map_err(|e| EnvelopeError::Kid(Some(e)))?;
        let kind = header.message_type.ok_or(EnvelopeError::Missing(super::message::TYPE))?.parse()?;
        let seconds = header.created_at.ok_or(EnvelopeError::Missing(super::message::CREATED_AT))?;
        let created_at = u64::try_from(seconds)
            .map_err(|_| CreatedAtError::OutOfRange(seconds.to_string()))
            .and_then(CreatedAt::from_seconds)
            .map_err(EnvelopeError::CreatedAt)?;
        let proposal_id: Option<ProposalId> =
            header.proposal_id.map(|id| id.parse()).transpose().map_err(EnvelopeError::ProposalId)?;
        let message = Message::new(kind, created_at, proposal_id, payload)?;
        let signature = Signature::from_fixed(algorithm, &signature)?;
        Ok(Self { message, algorithm, member, protected, signature })
    }

    /// The envelope as a service takes it: a tagged COSE_Sign1.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(&self.protected, self.message.payload(), self.signature.as_bytes())
    }

    /// Checks that the header names `certificate`'s member and that the signature is by its key.
    pub fn verify(&self, certificate: &MemberCertificate) -> Result<(), EnvelopeError> {
        let expected = certificate.member_id();
        if self.member != expected {
            return Err(EnvelopeError::OtherMember { kid: self.member, certificate: expected });
        }
        Ok(certificate.verify(&self.to_be_signed_again(), &self.signature)?)
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

    fn to_be_signed_again(&self) -> Vec<u8> {
        sig_structure(&self.protected, self.message.payload())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cose::{CborError, MessageType};
    use crate::signer::{NoPassphrase, PrivateKey};

    fn member0() -> (PrivateKey, MemberCertificate) {
        let key = include_str!("../../keys-example/member0_privk.pem");
        let certificate = include_bytes!("../../keys-example/member0_cert.pem");
        (
            PrivateKey::from_pem(key, "member0", &NoPassphrase).unwrap(),
            MemberCertificate::from_pem(certificate).unwrap(),
        )
    }

    fn signed(message: Message) -> Vec<u8> {
        let (key, certificate) = member0();
        let signature = key.sign(&Envelope::to_be_signed(&message, &certificate));
        Envelope::new(message, &certificate, signature).unwrap().to_bytes()
    }

    fn withdrawal() -> Message {
        let at = CreatedAt::from_seconds(1_795_355_000).unwrap();
        Message::new(MessageType::Withdrawal, at, Some(ProposalId::from_bytes([7; 32])), Vec::new()).unwrap()
    }

    /// An envelope with this protected header (as CBOR) and nothing else right.
    fn with_header(header: &[u8]) -> Result<Envelope, EnvelopeError> {
        Envelope::from_bytes(&encode(header, b"", &[0; 96]))
    }

    #[test]
    fn an_envelope_comes_back_as_it_was_and_every_changed_bit_is_noticed() {
        let (_, certificate) = member0();
        let bytes = signed(withdrawal());
        let envelope = Envelope::from_bytes(&bytes).unwrap();
        assert_eq!((envelope.message(), envelope.to_bytes()), (&withdrawal(), bytes.clone()));
        envelope.verify(&certificate).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Envelope::from_bytes(&changed).and_then(|e| e.verify(&certificate)).is_err(), "byte {at}");
            assert!(Envelope::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn the_order_of_ccf6_is_taken_when_it_was_signed() {
        let (key, certificate) = member0();
        let id = ProposalId::from_bytes([7; 32]).to_string();
        let header =
            protected_in_ccf6_order(-35, &certificate.member_id().to_string(), "withdrawal", 1_795_355_000, &id);
        let signature = key.sign(&sig_structure(&header, b""));
        assert!(Envelope::new(withdrawal(), &certificate, signature.clone()).is_err());
        let envelope = Envelope::finish(withdrawal(), &certificate, signature).unwrap();
        assert_eq!(envelope.protected(), header);
        Envelope::from_bytes(&envelope.to_bytes()).unwrap().verify(&certificate).unwrap();
    }

    #[test]
    fn what_is_not_exactly_cose_sign1_is_named() {
        let good = signed(withdrawal());
        let error = |bytes: &[u8]| match Envelope::from_bytes(bytes) {
            Err(EnvelopeError::Cose(error)) => error,
            other => panic!("{other:?}"),
        };
        assert_eq!(error(&good[1..]), CoseError::Tag);
        assert_eq!(error(&[&good[..], b"x"].concat()), CoseError::Trailing(1));
        assert_eq!(error(b"{\"actions\": []}"), CoseError::Tag);
        assert_eq!(error(&[0xd2, 0x83, 0x40, 0xa0, 0x40]), CoseError::Parts(3));
        assert_eq!(error(&[0xd2, 0x84, 0x41, 0xa0, 0xa1, 4, 0x40, 0x40, 0x40]), CoseError::Unprotected);
        assert_eq!(error(&[0xd2, 0x84, 0x41, 0xa0, 0xa0, 0xf6, 0x40]), CoseError::Detached);
        assert_eq!(
            error(&[0xd2, 0x9f, 0x41, 0xa0, 0xa0, 0x40, 0x40, 0xff]),
            CoseError::Cbor { part: "outer array", error: CborError::Indefinite }
        );
        let header = |bytes: &[u8]| match with_header(bytes) {
            Err(EnvelopeError::Cose(error)) => error,
            other => panic!("{other:?}"),
        };
        assert_eq!(header(&[0xa2, 1, 0x26, 1, 0x26]), CoseError::Duplicate("1".into()));
        assert_eq!(header(&[0xa2, 0x61, b'x', 0, 0x61, b'x', 0]), CoseError::Duplicate("\"x\"".into()));
        assert_eq!(header(&[0xa1, 2, 0x81, 1]), CoseError::Critical);
        assert_eq!(header(&[0xa1, 0x40, 1]), CoseError::Label);
        assert!(matches!(header(&[0xa1, 1, 0x40]), CoseError::Parameter { name: "alg", .. }));
        assert!(matches!(header(&[0xa1, 4, 0x60]), CoseError::Parameter { name: "kid", .. }));
        assert!(matches!(header(b""), CoseError::Cbor { .. }));
        assert!(matches!(header(&[0xa0, 0]), CoseError::Cbor { .. }));
    }

    #[test]
    fn headers_that_ccf_would_refuse_are_named() {
        use super::super::sign1::protected;
        let kid = "0c869f8e4c3b58f42ea0ea6293e5645f3ae764dd565b8f4461f1e339b186e654";
        let ok = protected(-35, kid, "state_digest", 1, None);
        with_header(&ok).unwrap();
        let refused = |header: Vec<u8>| with_header(&header).unwrap_err();
        assert!(matches!(refused(protected(-47, kid, "ack", 1, None)), EnvelopeError::Algorithm(-47)));
        assert!(matches!(refused(protected(-35, &kid.to_uppercase(), "ack", 1, None)), EnvelopeError::Kid(Some(_))));
        assert!(matches!(refused(protected(-35, kid, "vote", 1, None)), EnvelopeError::Message(_)));
        assert!(matches!(refused(protected(-35, kid, "ack", 10_000_000_000, None)), EnvelopeError::CreatedAt(_)));
        assert!(matches!(refused(protected(-35, kid, "ballot", 1, None)), EnvelopeError::Message(_)));
        assert!(matches!(refused(protected(-35, kid, "state_digest", 1, Some(kid))), EnvelopeError::Message(_)));
        assert!(matches!(refused(protected(-35, kid, "withdrawal", 1, Some("7"))), EnvelopeError::ProposalId(_)));
        assert!(matches!(refused(protected(-7, kid, "state_digest", 1, None)), EnvelopeError::Signature(_)));
        assert!(matches!(refused(vec![0xa0]), EnvelopeError::Missing(_)));
    }

    proptest! {
        #[test]
        fn headers_are_deterministic_and_read_back(
            seconds in 0..=CreatedAt::MAX, id: [u8; 32], member: [u8; 32], payload: Vec<u8>, signature in prop::collection::vec(any::<u8>(), 96),
        ) {
            let member = MemberId::from_bytes(member).to_string();
            let id = ProposalId::from_bytes(id).to_string();
            let header = super::super::sign1::protected(-35, &member, "ballot", seconds, Some(&id));
            let read = Sign1::from_bytes(&encode(&header, &payload, &signature)).unwrap();
            prop_assert_eq!(&read.protected, &header);
            prop_assert_eq!(read.header.created_at, Some(seconds as i64));
            prop_assert_eq!(read.header.kid, Some(member.into_bytes()));
            prop_assert_eq!(read.header.proposal_id, Some(id));
            prop_assert_eq!((read.payload, read.signature), (payload, signature));
        }

        #[test]
        fn rubbish_is_refused_and_never_panics(bytes: Vec<u8>) {
            prop_assert!(Envelope::from_bytes(&bytes).is_err());
            prop_assert!(with_header(&bytes).is_err());
        }
    }
}
