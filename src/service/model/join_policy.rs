//! What code may join: `GET /gov/service/join-policy`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::json::{self, JsonError};
use crate::proposal::Registration;
use crate::tcb::{MinimumTcb, TcbError};

/// What the service admits, by platform.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct JoinPolicy {
    /// Intel SGX.
    pub sgx: SgxPolicy,
    /// AMD SEV-SNP.
    pub snp: SnpPolicy,
    /// The virtual platform, which proves nothing: for tests.
    #[serde(rename = "virtual")]
    pub virtual_: VirtualPolicy,
}

/// Why a text is not a join policy.
#[derive(Debug, thiserror::Error)]
pub enum JoinPolicyError {
    /// Not strict JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// An object about something else.
    #[error("it has no platform sgx, snp or virtual")]
    NoPlatform,
    /// A member of it is of another type.
    #[error(transparent)]
    Form(#[from] serde_json::Error),
}

impl JoinPolicy {
    /// Reads what `GET /gov/service/join-policy` answered, from a file.
    ///
    /// # Errors
    /// Whatever is not strict JSON, or has none of the platforms.
    pub fn parse(bytes: &[u8]) -> Result<Self, JoinPolicyError> {
        let value = json::parse(bytes)?;
        if !["sgx", "snp", "virtual"].iter().any(|platform| value.get(platform).is_some_and(Value::is_object)) {
            return Err(JoinPolicyError::NoPlatform);
        }
        Ok(serde_json::from_value(value)?)
    }

    /// What is registered of a kind, as [`Registration::key`] names it. Of a script, the service's join policy says nothing.
    ///
    /// These are texts as the service has them: CCF compares texts, so one that nobody can read admits nobody.
    pub fn keys(&self, kind: Registration) -> Vec<String> {
        match kind {
            Registration::SgxCode => self.sgx.measurements.clone(),
            Registration::SnpHostData => self.snp.host_data.keys().cloned().collect(),
            Registration::SnpMeasurement => self.snp.measurements.clone(),
            Registration::SnpUvmEndorsement => {
                let feeds = self.snp.uvm_endorsements.iter().filter(|uvm| uvm.has_feed());
                feeds.map(|uvm| format!("{} {}", uvm.did, uvm.feed)).collect()
            }
            Registration::SnpMinimumTcb => self.snp.tcb_versions.keys().cloned().collect(),
            Registration::VirtualHostData => self.virtual_.host_data.clone(),
            Registration::VirtualMeasurement => self.virtual_.measurements.clone(),
            Registration::JoinPolicyScript => Vec::new(),
        }
    }

    /// Whether this one is registered.
    pub fn has(&self, kind: Registration, key: &str) -> bool {
        self.keys(kind).iter().any(|known| known == key)
    }
}

/// SGX code.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SgxPolicy {
    /// MRENCLAVE values, hexadecimal.
    pub measurements: Vec<String>,
}

/// SNP code.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "WrittenSnpPolicy")]
pub struct SnpPolicy {
    /// Host data (hexadecimal) and the security policy that it is the digest of (may be empty).
    pub host_data: BTreeMap<String, String>,
    /// Launch measurements, hexadecimal.
    pub measurements: Vec<String>,
    /// Minimum TCB versions by CPUID.
    pub tcb_versions: BTreeMap<String, MinimumTcbEntry>,
    /// UVM endorsements.
    pub uvm_endorsements: Vec<UvmEntry>,
}

/// A minimum TCB that is registered. One that cannot be read lets no node of its processor join.
#[derive(Clone, Debug, PartialEq)]
pub struct MinimumTcbEntry {
    /// The service's JSON of it.
    pub written: Value,
    /// What it says, or why it cannot be read.
    pub minimum: Result<MinimumTcb, TcbError>,
}

/// A UVM endorsement that is registered.
#[derive(Clone, Debug, PartialEq)]
pub struct UvmEntry {
    /// The issuer, a did:x509.
    pub did: String,
    /// The feed; empty where the service's entry of the issuer has none.
    pub feed: String,
    /// The least security version as text; `None` where the entry has none, and admits nobody.
    pub svn: Option<String>,
    /// The service's JSON of it.
    pub written: Value,
}

impl UvmEntry {
    /// Whether the issuer's entry has this feed; an issuer whose entry has none admits nobody.
    pub fn has_feed(&self) -> bool {
        !(self.feed.is_empty() && self.written.is_null())
    }
}

/// The policy for SNP nodes as the service writes it.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WrittenSnpPolicy {
    host_data: BTreeMap<String, String>,
    measurements: Vec<String>,
    tcb_versions: BTreeMap<String, Value>,
    /// `{did: {feed: {svn}}}`.
    uvm_endorsements: BTreeMap<String, Value>,
}

impl From<WrittenSnpPolicy> for SnpPolicy {
    fn from(written: WrittenSnpPolicy) -> Self {
        let minimum = |written: Value| MinimumTcbEntry { minimum: MinimumTcb::from_json(&written), written };
        Self {
            host_data: written.host_data,
            measurements: written.measurements,
            tcb_versions: written.tcb_versions.into_iter().map(|(cpuid, entry)| (cpuid, minimum(entry))).collect(),
            uvm_endorsements: written.uvm_endorsements.iter().flat_map(|(did, feeds)| uvm(did, feeds)).collect(),
        }
    }
}

/// The endorsements of one issuer. An issuer without feeds stays visible as one without a feed.
fn uvm(did: &str, feeds: &Value) -> Vec<UvmEntry> {
    let svn = |entry: &Value| entry.get("svn").map(|svn| svn.as_str().map_or_else(|| svn.to_string(), str::to_owned));
    let entry = |feed: &str, written: &Value| UvmEntry {
        did: did.into(),
        feed: feed.into(),
        svn: svn(written),
        written: written.clone(),
    };
    match feeds.as_object() {
        Some(feeds) => feeds.iter().map(|(feed, written)| entry(feed, written)).collect(),
        None => vec![entry("", &Value::Null)],
    }
}

/// Virtual code.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct VirtualPolicy {
    /// Host data, hexadecimal.
    pub host_data: Vec<String>,
    /// Measurements, any text.
    pub measurements: Vec<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_that_cannot_be_read_stay_visible() {
        let written = json!({"snp": {
            "tcbVersions": {"00a00f11": {"snp": 300}},
            "uvmEndorsements": {"did:a": {"f": {"svn": 100}, "g": {}}, "did:b": 7},
        }});
        let policy: JoinPolicy = serde_json::from_value(written).unwrap();
        assert_eq!(policy.snp.tcb_versions["00a00f11"].minimum, Err(TcbError::NotAByte("snp".into())));
        let read: Vec<_> = policy.snp.uvm_endorsements.iter().map(|u| (&*u.did, &*u.feed, u.svn.as_deref())).collect();
        assert_eq!(read, [("did:a", "f", Some("100")), ("did:a", "g", None), ("did:b", "", None)]);
        assert_eq!(policy.keys(Registration::SnpUvmEndorsement), ["did:a f", "did:a g"]);
    }
}
