//! Whether an envelope, valid or not, was signed by a member.

use super::{MemberCertificate, Sign1, Signature, SignatureError};
use crate::id::MemberId;

/// Why an envelope does not count as this member's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignedByError {
    /// The signature is not by the certificate's key over these bytes.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// It is, and the `kid` is another member's.
    #[error("it was signed by the key of member {0}, but the envelope names another member")]
    Member(MemberId),
    /// It is, and the `alg` is another key's.
    #[error("it is by the certificate's key, and the envelope names another algorithm")]
    Algorithm,
}

impl Sign1 {
    /// Checks that `certificate`'s member signed this, and that the header says so.
    ///
    /// # Errors
    /// [`SignedByError`]
    pub fn check_signed_by(&self, certificate: &MemberCertificate) -> Result<(), SignedByError> {
        let signature = Signature::from_fixed(certificate.algorithm(), &self.signature)?;
        certificate.verify(&self.to_be_signed(), &signature)?;
        let member = certificate.member_id();
        if self.header.kid.as_deref() != Some(member.to_string().as_bytes()) {
            return Err(SignedByError::Member(member));
        }
        match self.header.alg == Some(certificate.algorithm().cose_id()) {
            true => Ok(()),
            false => Err(SignedByError::Algorithm),
        }
    }
}
