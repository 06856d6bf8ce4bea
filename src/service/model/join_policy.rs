//! What code may join: `GET /gov/service/join-policy`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

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
