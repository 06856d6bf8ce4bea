//! A signing request: what goes to the machine, vault or person that holds the key, and comes back as a signature.
//!
//! ```json
//! {
//!   "alg": "ES384",              // with "value", the body of a key vault's sign call
//!   "value": "base64url",        // the digest of to_be_signed under the algorithm's hash
//!   "ccf_gov_request": 1,        // the version of this format
//!   "summary": ["…"],            // what the request says, for a person
//!   "type": "ballot", "created_at": 1795356000, "proposal_id": "hex",
//!   "member_id": "hex",
//!   "payload": "base64url", "protected": "base64url", "to_be_signed": "base64url",
//!   "certificate": "PEM"
//! }
//! ```
//!
//! All base64url is unpadded (RFC 4648, section 5). Type, time, proposal id, payload and certificate determine
//! everything else, and everything else is recomputed when a request is read: any disagreement refuses it.

mod file;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::{Value, json};

use super::{
    CertificateError, CreatedAt, CreatedAtError, Envelope, EnvelopeError, MemberCertificate, Message, MessageError,
    Signature, summary,
};
use crate::cbor::{ARRAY, MAP, Reader, push_bytes, push_head};
use crate::digest::HexError;
use crate::json::JsonError;

const VERSION: u64 = 1;

/// A request and the certificate of the member who shall sign it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningRequest {
    message: Message,
    certificate: MemberCertificate,
    summary: Vec<String>,
}

/// Why a file is no signing request.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// One of several.
    #[error("request {number} of {of}")]
    One {
        /// Which, counted from 1.
        number: usize,
        /// How many there are.
        of: usize,
        /// What is wrong with it.
        source: Box<RequestError>,
    },
    /// Not JSON.
    #[error("it is not JSON")]
    Json(#[from] JsonError),
    /// Neither a request nor a list of them.
    #[error("it is neither a signing request nor a list of them")]
    Shape,
    /// A list of none.
    #[error("it holds no request")]
    Empty,
    /// A list of requests in an object that says something more: which of the two is meant?
    #[error("it has both \"requests\" and {0:?}: an object with a list of requests holds nothing else")]
    Mixed(String),
    /// A file of another version, or of another tool.
    #[error("it is not a signing request of version {VERSION} (ccf_gov_request)")]
    Version,
    /// Something is missing or of another type.
    #[error("it has no valid {0}")]
    Field(&'static str),
    /// Its parts contradict each other.
    #[error("its {0} does not match the rest of it: it was changed or damaged, and must not be signed")]
    Disagreement(&'static str),
    /// The time is none.
    #[error("its created_at is not valid")]
    CreatedAt(#[from] CreatedAtError),
    /// The proposal id is none.
    #[error("its proposal_id is not valid")]
    ProposalId(#[from] HexError),
    /// The message is not one that CCF takes.
    #[error("what it asks to sign is not valid")]
    Message(#[from] MessageError),
    /// The certificate is none.
    #[error("its certificate cannot be used")]
    Certificate(#[from] CertificateError),
}

impl RequestError {
    /// Whether a request's parts contradict each other.
    pub fn is_disagreement(&self) -> bool {
        match self {
            Self::Disagreement(_) => true,
            Self::One { source, .. } => source.is_disagreement(),
            _ => false,
        }
    }
}

impl SigningRequest {
    /// Asks `certificate`'s member to sign `message`.
    pub fn new(message: Message, certificate: MemberCertificate) -> Self {
        let summary = summary(&message, certificate.member_id(), certificate.algorithm());
        Self { message, certificate, summary }
    }

    /// The request whose bytes to be signed these are, if they are one that `certificate`'s member could sign.
    pub fn from_to_be_signed(bytes: &[u8], certificate: &MemberCertificate) -> Option<Self> {
        let mut reader = Reader::strict(bytes);
        let _parts = reader.argument(ARRAY, "an array").ok()?;
        let _context = reader.text().ok()?;
        let protected = reader.bytes().ok()?;
        let _external = reader.bytes().ok()?;
        let payload = reader.bytes().ok()?;
        // The envelope's reader knows the header; the signature is not looked at.
        let mut envelope = vec![0xd2, 0x84];
        push_bytes(&mut envelope, protected);
        push_head(&mut envelope, MAP, 0);
        push_bytes(&mut envelope, payload);
        push_bytes(&mut envelope, &vec![0; certificate.algorithm().signature_len()]);
        let message = Envelope::from_bytes(&envelope).ok()?.message().clone();
        let this = Self::new(message, certificate.clone());
        (this.to_be_signed() == bytes).then_some(this)
    }

    /// What is to be signed.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Whose signature is asked for.
    pub fn certificate(&self) -> &MemberCertificate {
        &self.certificate
    }

    /// The bytes to be signed, unhashed.
    pub fn to_be_signed(&self) -> Vec<u8> {
        Envelope::to_be_signed(&self.message, &self.certificate)
    }

    /// What the request says, in lines for a person.
    pub fn summary(&self) -> &[String] {
        &self.summary
    }

    /// The request and its certificate.
    pub fn into_parts(self) -> (Message, MemberCertificate) {
        (self.message, self.certificate)
    }

    /// Makes the envelope, if `signature` is by the certificate's key.
    pub fn finish(self, signature: Signature) -> Result<Envelope, EnvelopeError> {
        Envelope::finish(self.message, &self.certificate, signature)
    }

    /// The request as JSON, of the shape above.
    pub fn to_json(&self) -> Value {
        let (algorithm, member) = (self.certificate.algorithm(), self.certificate.member_id());
        let to_be_signed = self.to_be_signed();
        json!({
            "alg": algorithm.name(),
            "value": encode(&algorithm.digest(&to_be_signed)),
            "ccf_gov_request": VERSION,
            "summary": self.summary(),
            "type": self.message.kind(),
            "created_at": self.message.created_at(),
            "proposal_id": self.message.proposal_id(),
            "member_id": member,
            "payload": encode(self.message.payload()),
            "protected": encode(&self.message.protected(algorithm, member)),
            "to_be_signed": encode(&to_be_signed),
            "certificate": self.certificate.to_pem(),
        })
    }

    fn from_json(value: &Value, certificate: MemberCertificate) -> Result<Self, RequestError> {
        let kind = text(value, "type")?.parse()?;
        let created_at = value.get("created_at").and_then(Value::as_u64).ok_or(RequestError::Field("created_at"))?;
        let proposal_id = match value.get("proposal_id") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) => Some(id.parse()?),
            Some(_) => return Err(RequestError::Field("proposal_id")),
        };
        let payload =
            BASE64_URL_SAFE_NO_PAD.decode(text(value, "payload")?).map_err(|_| RequestError::Field("payload"))?;
        let message = Message::new(kind, CreatedAt::from_seconds(created_at)?, proposal_id, payload)?;
        let this = Self::new(message, certificate);
        this.compare(value)?;
        Ok(this)
    }

    /// Everything that follows from the rest must be what it follows to.
    fn compare(&self, found: &Value) -> Result<(), RequestError> {
        let (algorithm, member) = (self.certificate.algorithm(), self.certificate.member_id());
        let protected = self.message.protected(algorithm, member);
        let to_be_signed = Envelope::to_be_signed(&self.message, &self.certificate);
        let expected = [
            ("alg", algorithm.name().to_owned()),
            ("value", encode(&algorithm.digest(&to_be_signed))),
            ("member_id", member.to_string()),
            ("protected", encode(&protected)),
            ("to_be_signed", encode(&to_be_signed)),
        ];
        for (name, expected) in expected {
            match found.get(name) {
                None => return Err(RequestError::Field(name)),
                Some(Value::String(found)) if *found == expected => {}
                Some(_) => return Err(RequestError::Disagreement(name)),
            }
        }
        match found.get("summary") {
            None => Err(RequestError::Field("summary")),
            Some(Value::Array(lines)) if lines.iter().eq(&self.summary) => Ok(()),
            Some(_) => Err(RequestError::Disagreement("summary")),
        }
    }
}

fn text<'v>(value: &'v Value, name: &'static str) -> Result<&'v str, RequestError> {
    value.get(name).and_then(Value::as_str).ok_or(RequestError::Field(name))
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cose::MessageType;
    use crate::id::ProposalId;
    use crate::signer::{NoPassphrase, PrivateKey};

    fn request() -> SigningRequest {
        let certificate = include_bytes!("../../keys-example/member0_cert.pem");
        let at = CreatedAt::from_seconds(1_795_356_000).unwrap();
        let ballot = br#"{"ballot": "export function vote (p) { return true }"}"#.to_vec();
        let message = Message::new(MessageType::Ballot, at, Some(ProposalId::from_bytes([7; 32])), ballot).unwrap();
        SigningRequest::new(message, MemberCertificate::from_pem(certificate).unwrap())
    }

    #[test]
    fn a_request_comes_back_as_it_was_alone_or_among_others() {
        let json = request().to_json();
        for (file, count) in [(json.clone(), 1), (json!([json, json]), 2), (json!({"requests": [json]}), 1)] {
            let read = SigningRequest::parse_file(file.to_string().as_bytes()).unwrap();
            assert_eq!(read, vec![request(); count]);
        }
        let bad = json!([json, {"ccf_gov_request": 1}]).to_string();
        let error = SigningRequest::parse_file(bad.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "request 2 of 2");
        let many = vec![json.clone(); 1000];
        assert_eq!(SigningRequest::parse_file(json!(many).to_string().as_bytes()).unwrap(), vec![request(); 1000]);
        for bad in ["", "[]", "{}", "3", r#"{"requests": 1}"#, r#"{"requests": []}"#, "[1]"] {
            assert!(SigningRequest::parse_file(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_request_that_holds_requests_too_is_refused() {
        let json = request().to_json();
        let mut both = json.clone();
        both["requests"] = json!([json]);
        for file in [both.clone(), json!([both]), json!({"requests": [both]}), json!({"requests": [json], "x": 1})] {
            let error = SigningRequest::parse_file(file.to_string().as_bytes()).unwrap_err();
            assert!(matches!(error, RequestError::Mixed(_)), "{error}");
        }
    }

    #[test]
    fn another_tools_file_is_called_that() {
        for file in [json!({"alg": "ES384", "value": "AAAA"}), json!({"ccf_gov_request": 2, "certificate": 1})] {
            let error = SigningRequest::parse_file(file.to_string().as_bytes()).unwrap_err();
            assert!(matches!(error, RequestError::Version), "{error}");
        }
    }

    #[test]
    fn any_change_is_refused() {
        let json = request().to_json();
        for name in json.as_object().unwrap().keys() {
            for change in [json!("ES256"), json!(2), json!(null), json!(["type        proposal"]), json!("AAAA")] {
                let mut changed = json.clone();
                changed[name] = change.clone();
                assert!(SigningRequest::parse_file(changed.to_string().as_bytes()).is_err(), "{name}: {change}");
            }
            let mut missing = json.clone();
            missing.as_object_mut().unwrap().remove(name);
            assert!(SigningRequest::parse_file(missing.to_string().as_bytes()).is_err(), "no {name}");
        }
        let mut other = json.clone();
        other["created_at"] = json!(1_795_356_001);
        assert!(matches!(
            SigningRequest::parse_file(other.to_string().as_bytes()),
            Err(RequestError::Disagreement("value"))
        ));
    }

    #[test]
    fn only_the_members_signature_finishes_it() {
        let key = |text| PrivateKey::from_pem(text, "key", &NoPassphrase).unwrap();
        let own = key(include_str!("../../keys-example/member0_privk.pem"));
        let other = key(include_str!("../../keys-example/member1_privk.pem"));
        assert!(request().finish(other.sign(&request().to_be_signed())).is_err());
        let envelope = request().finish(own.sign(&request().to_be_signed())).unwrap();
        envelope.verify(request().certificate()).unwrap();
    }
}
