//! How a governance request is signed: COSE_Sign1 (RFC 9052) with CCF's protected header.
//!
//! [`Message`] is what a member wants to say; its protected header and payload give the bytes to be signed;
//! with a [`Signature`] it becomes an [`Envelope`], which is what a service takes.

mod algorithm;
mod ballot;
mod certificate;
mod created_at;
mod envelope;
mod form;
mod message;
mod payload;
mod request;
mod sign1;
mod signature;
mod signed_by;
mod summary;

pub use crate::cbor::CborError;
pub use algorithm::Algorithm;
pub use certificate::{CertificateError, MemberCertificate, RENEW_DAYS};
pub use created_at::{CreatedAt, CreatedAtError};
pub use envelope::{Envelope, EnvelopeError, MAX_ENVELOPE};
pub use form::{Examined, Form};
pub use message::{Message, MessageError, MessageType};
pub use payload::PayloadError;
pub use request::{RequestError, SigningRequest};
pub(crate) use sign1::sig_structure;
pub use sign1::{CoseError, Header, Sign1};
pub use signature::{Signature, SignatureError};
pub use signed_by::SignedByError;
pub use summary::{Beside, content_with, essence, summary, summary_with};
