//! Members of the consortium.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cose::MemberCertificate;
use crate::id::MemberId;

/// One of `GET /gov/service/members`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// SHA-256 of the certificate's DER.
    pub member_id: MemberId,
    /// Whether the member can propose and vote.
    pub status: MemberStatus,
    /// The certificate, PEM.
    pub certificate: String,
    /// Whatever the consortium noted about the member.
    #[serde(default)]
    pub member_data: Value,
    /// Its part in disaster recovery, for example `Participant`.
    #[serde(default)]
    pub recovery_role: Option<String>,
    /// The key that its recovery share is encrypted to, PEM.
    #[serde(default)]
    pub public_encryption_key: Option<String>,
}

impl Member {
    /// The certificate, if it can be read and is the one that the id is the digest of.
    pub fn read_certificate(&self) -> Option<MemberCertificate> {
        let certificate = MemberCertificate::from_pem(self.certificate.as_bytes()).ok()?;
        (certificate.member_id() == self.member_id).then_some(certificate)
    }

    /// The common name in the certificate.
    pub fn name(&self) -> Option<String> {
        self.read_certificate()?.common_name().map(str::to_owned)
    }
}

/// Whether a member can propose and vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub enum MemberStatus {
    /// Proposed and accepted, but has not acknowledged the service's state yet.
    Accepted,
    /// Proposes and votes.
    Active,
}

/// `{memberId, stateDigest}`: what a member signs to become active.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StateDigest {
    /// The member.
    pub member_id: MemberId,
    /// The Merkle root of the service's last signature, 64 hexadecimal digits.
    pub state_digest: String,
}
