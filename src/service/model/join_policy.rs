//! What code may join: `GET /gov/service/join-policy`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::proposal::Registration;

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

impl JoinPolicy {
    /// What is registered of a kind, as [`Registration::key`] names it. Of a script, the service's join policy says nothing.
    ///
    /// These are texts as the service has them: CCF compares texts, so one that nobody can read admits nobody.
    pub fn keys(&self, kind: Registration) -> Vec<String> {
        match kind {
            Registration::SgxCode => self.sgx.measurements.clone(),
            Registration::SnpHostData => self.snp.host_data.keys().cloned().collect(),
            Registration::SnpMeasurement => self.snp.measurements.clone(),
            Registration::SnpUvmEndorsement => {
                let pairs = |(did, feeds): (&String, &Value)| -> Vec<String> {
                    let feeds = feeds.as_object().into_iter().flatten();
                    feeds.map(|(feed, _)| format!("{did} {feed}")).collect()
                };
                self.snp.uvm_endorsements.iter().flat_map(pairs).collect()
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
#[serde(default, rename_all = "camelCase")]
pub struct SnpPolicy {
    /// Host data (hexadecimal) and the security policy that it is the digest of (may be empty).
    pub host_data: BTreeMap<String, String>,
    /// Launch measurements, hexadecimal.
    pub measurements: Vec<String>,
    /// Minimum TCB version by CPU id.
    pub tcb_versions: BTreeMap<String, Value>,
    /// UVM endorsements: `{did: {feed: {svn}}}`.
    pub uvm_endorsements: BTreeMap<String, Value>,
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
