//! The signer of utility VMs in Microsoft's place, and its endorsements.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::certificate::{authority, certificate, extension, oid, sequence};
use super::key::Key;
use crate::cbor::{self, push_bytes, push_head, push_integer, push_text};
use crate::cose::sig_structure;
use crate::digest::{SnpMeasurement, sha256};
use crate::sandbox::SandboxError;

/// What the signer's certificate is for: the use that Microsoft's issuer of ContainerPlat names.
const EKU: &str = "1.3.6.1.4.1.311.76.59.1.2";
const ES384: i64 = -35;
const X5CHAIN: i64 = 33;

/// Who endorses utility VMs.
pub(super) struct UvmIssuer {
    pub(super) signer: Key,
    /// The signer's certificate and the root's, DER. The did:x509 is of the root's bytes.
    pub(super) chain: [Vec<u8>; 2],
}

impl UvmIssuer {
    /// One whose root signs this once, and is forgotten.
    pub(super) fn generate() -> Result<Self, SandboxError> {
        let (root, signer) = (Key::p384()?, Key::p384()?);
        let name = "UVM Root";
        let eku = extension("2.5.29.37", false, &sequence(&[&oid(EKU)?])?)?;
        let leaf = certificate((name, &root), ("UVM Signer", &signer), 2, &[eku])?;
        let chain = [leaf, certificate((name, &root), (name, &root), 1, &authority()?)?];
        Ok(Self { signer, chain })
    }

    /// Its did:x509.
    pub(super) fn did(&self) -> String {
        let root = URL_SAFE_NO_PAD.encode(sha256(&self.chain[1]));
        format!("did:x509:0:sha256:{root}::eku:{EKU}")
    }

    /// An endorsement in the legacy form, with svn as text: the one that every version of CCF reads.
    pub(super) fn endorse(&self, measurement: &SnpMeasurement, feed: &str, svn: &str) -> Result<Vec<u8>, SandboxError> {
        let payload = json!({
            "x-ms-sevsnpvm-guestsvn": svn,
            "x-ms-sevsnpvm-launchmeasurement": measurement,
        })
        .to_string();
        let mut protected = Vec::new();
        push_head(&mut protected, cbor::MAP, 5);
        push_integer(&mut protected, 1);
        push_integer(&mut protected, ES384);
        push_integer(&mut protected, 3);
        push_text(&mut protected, "application/json");
        push_integer(&mut protected, X5CHAIN);
        push_head(&mut protected, cbor::ARRAY, self.chain.len() as u64);
        self.chain.iter().for_each(|certificate| push_bytes(&mut protected, certificate));
        for (name, value) in [("iss", self.did().as_str()), ("feed", feed)] {
            push_text(&mut protected, name);
            push_text(&mut protected, value);
        }
        let signature = self.signer.sign(&sig_structure(&protected, payload.as_bytes()))?;
        let mut out = Vec::new();
        push_head(&mut out, cbor::TAG, 18);
        push_head(&mut out, cbor::ARRAY, 4);
        push_bytes(&mut out, &protected);
        push_head(&mut out, cbor::MAP, 0);
        push_bytes(&mut out, payload.as_bytes());
        push_bytes(&mut out, &signature);
        Ok(out)
    }
}
