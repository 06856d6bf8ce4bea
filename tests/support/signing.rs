//! Requests signed by the example members, good ones and deliberately bad ones.

use ccf_gov::cose::{CreatedAt, MemberCertificate, Message, MessageType};
use ccf_gov::id::ProposalId;
use ccf_gov::signer::{PemSigner, Signer, sign};
use ciborium::value::Value as Cbor;

use super::consortium::keys;

/// One of the example members, who can sign.
pub struct Signatory {
    pub signer: PemSigner,
    pub id: String,
}

impl Signatory {
    /// `member0`, `member1` or `member2`.
    pub fn new(name: &str) -> Self {
        let read = |what: &str| std::fs::read_to_string(keys().join(format!("{name}_{what}.pem"))).unwrap();
        let certificate = MemberCertificate::from_pem(read("cert").as_bytes()).unwrap();
        let id = certificate.member_id().to_string();
        Self { signer: PemSigner::new(&read("privk"), certificate).unwrap(), id }
    }

    /// A request as this library signs it.
    pub async fn sign(&self, kind: MessageType, proposal: Option<&str>, payload: &str) -> Vec<u8> {
        let proposal = proposal.map(|id| id.parse::<ProposalId>().unwrap());
        let message = Message::new(kind, CreatedAt::now().unwrap(), proposal, payload.as_bytes().to_vec()).unwrap();
        sign(&self.signer, message).await.unwrap().to_bytes()
    }

    /// A request that nothing checked.
    pub async fn sign_raw(&self, raw: Raw<'_>) -> Vec<u8> {
        raw.sign(self).await
    }
}

/// A protected header and a payload as somebody else might send them.
#[derive(Clone)]
pub struct Raw<'r> {
    pub alg: Option<i64>,
    pub kid: Option<&'r str>,
    pub kind: Option<&'r str>,
    pub created_at: Option<Cbor>,
    pub proposal_id: Option<&'r str>,
    pub payload: &'r str,
    pub tagged: bool,
}

impl<'r> Raw<'r> {
    /// A request that is right, to be spoilt.
    pub fn new(member: &'r str, kind: &'r str, proposal_id: Option<&'r str>, payload: &'r str) -> Self {
        let created_at = Some(Cbor::from(CreatedAt::now().unwrap().seconds()));
        Self { alg: Some(-35), kid: Some(member), kind: Some(kind), created_at, proposal_id, payload, tagged: true }
    }

    async fn sign(self, signatory: &Signatory) -> Vec<u8> {
        let text = |name: &str, value: &str| (Cbor::from(name), Cbor::from(value));
        let mut header = Vec::new();
        header.extend(self.alg.map(|alg| (Cbor::from(1), Cbor::from(alg))));
        header.extend(self.kid.map(|kid| (Cbor::from(4), Cbor::Bytes(kid.as_bytes().to_vec()))));
        header.extend(self.kind.map(|kind| text("ccf.gov.msg.type", kind)));
        header.extend(self.created_at.map(|at| (Cbor::from("ccf.gov.msg.created_at"), at)));
        header.extend(self.proposal_id.map(|id| text("ccf.gov.msg.proposal_id", id)));
        let protected = Cbor::Bytes(encode(&Cbor::Map(header)));
        let payload = Cbor::Bytes(self.payload.as_bytes().to_vec());
        let signed = [Cbor::from("Signature1"), protected.clone(), Cbor::Bytes(Vec::new()), payload.clone()];
        let signature = signatory.signer.sign(&encode(&Cbor::Array(signed.to_vec()))).await.unwrap();
        let parts = [protected, Cbor::Map(Vec::new()), payload, Cbor::Bytes(signature.as_bytes().to_vec())];
        let message = Cbor::Array(parts.to_vec());
        encode(&if self.tagged { Cbor::Tag(18, message.into()) } else { message })
    }
}

fn encode(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}
