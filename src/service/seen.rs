//! A service as guarded ballots rest on it.

use serde::Deserialize;

use super::http::Bounds;
use super::{Answer, Member, Service, ServiceError};
use crate::certificate;
use crate::digest::{Sha256Digest, sha256};
use crate::proposal::ballot::{Registered, Seen, SeenMember};

impl Service {
    /// Reads all that a guarded ballot can rest on: certificate, constitution, join policy, nodes and members, one after the
    /// other. The ballot votes yes only while all of them are as they were read.
    ///
    /// # Errors
    /// Whatever is no answer, or is not understood.
    pub async fn seen(&self) -> Result<Seen, ServiceError> {
        let info: Answer<Identity> =
            self.read_json("describe the service", &self.gov("/service/info"), Bounds::LIST).await?;
        let policy: Answer<Registered> =
            self.read_json("show its join policy", &self.gov("/service/join-policy"), Bounds::LIST).await?;
        let constitution = self.constitution().await?;
        let (nodes, members) = (self.nodes().await?.value, self.members().await?.value);
        let member = |m: Member| (m.member_id, SeenMember { status: format!("{:?}", m.status), data: m.member_data });
        Ok(Seen {
            certificate: info.value.certificate.0,
            constitution: Sha256Digest(sha256(constitution.as_bytes())),
            join_policy: policy.value,
            nodes: nodes.iter().map(|node| (node.node_id, node.status.to_string())).collect(),
            members: members.into_iter().map(member).collect(),
        })
    }
}

/// What of `GET /gov/service/info` says which service it is.
#[derive(Deserialize)]
struct Identity {
    certificate: Fingerprint,
}

/// SHA-256 of a certificate's DER, read of its PEM text.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Fingerprint(Sha256Digest);

impl TryFrom<String> for Fingerprint {
    type Error = String;

    fn try_from(pem: String) -> Result<Self, String> {
        let ders = certificate::from_pem(pem.as_bytes()).map_err(|error| error.to_string())?;
        match ders.as_slice() {
            [der] => Ok(Self(Sha256Digest(sha256(der)))),
            _ => Err("the service's certificate is more than one".into()),
        }
    }
}
