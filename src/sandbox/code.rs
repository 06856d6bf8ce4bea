//! What a simulated node runs, and the evidence that it shows of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::digest::{HostData, MrEnclave, SnpMeasurement, sha256};
use crate::id::NodeId;

/// The measurement of every virtual node: CCF has one constant for all of them.
pub const VIRTUAL_MEASUREMENT: &str = "Insecure hard-coded virtual measurement v1";

/// The code that a node is started with: what a real node's hardware would attest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(tag = "platform", rename_all = "lowercase", deny_unknown_fields)]
pub enum NodeCode {
    /// No hardware: a JSON text that anybody can write.
    Virtual {
        /// SHA-256 of the node's executable.
        host_data: HostData,
        /// CCF's constant, unless another is given.
        #[serde(default = "virtual_measurement")]
        measurement: String,
    },
    /// AMD SEV-SNP. The report has the right fields in the right places, but nobody signed it.
    Snp {
        /// SHA-256 of the security policy.
        host_data: HostData,
        /// The launch measurement.
        measurement: SnpMeasurement,
        /// What the platform's endorsement says of the measurement; without one the measurement itself must be registered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uvm: Option<UvmEndorsement>,
    },
    /// Intel SGX. The quote is no quote: it holds the MRENCLAVE and nothing else.
    Sgx {
        /// The enclave's MRENCLAVE.
        mrenclave: MrEnclave,
    },
}

/// What an endorsement of a utility VM says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UvmEndorsement {
    /// The signer's did:x509.
    pub did: String,
    /// The feed.
    pub feed: String,
    /// The security version number, decimal.
    pub svn: String,
}

impl NodeCode {
    /// A virtual node whose executable has this digest.
    pub fn virtual_node(host_data: HostData) -> Self {
        Self::Virtual { host_data, measurement: VIRTUAL_MEASUREMENT.to_owned() }
    }

    /// A virtual node that runs something called `name`: its host data is SHA-256 of the name.
    pub fn named(name: &str) -> Self {
        Self::virtual_node(HostData(sha256(name.as_bytes())))
    }

    /// The platform's name in CCF's quotes.
    pub(super) const fn format(&self) -> &'static str {
        match self {
            Self::Virtual { .. } => "Insecure_Virtual",
            Self::Snp { .. } => "AMD_SEV_SNP_v1",
            Self::Sgx { .. } => "OE_SGX_v1",
        }
    }

    /// The measurement's bytes in hexadecimal: a node's `code_digest`.
    pub(super) fn code_digest(&self) -> String {
        match self {
            Self::Virtual { measurement, .. } => hex::encode(measurement),
            Self::Snp { measurement, .. } => measurement.to_string(),
            Self::Sgx { mrenclave } => mrenclave.to_string(),
        }
    }

    /// The evidence of node `id`: CCF's `quote_info`.
    pub(super) fn quote_info(&self, id: NodeId) -> serde_json::Value {
        json!({"format": self.format(), "quote": STANDARD.encode(self.quote(id)), "endorsements": ""})
    }

    fn quote(&self, id: NodeId) -> Vec<u8> {
        match self {
            Self::Virtual { host_data, measurement } => json!({
                "host_data": host_data, "measurement": measurement, "report_data": STANDARD.encode(id.as_bytes()),
            })
            .to_string()
            .into_bytes(),
            Self::Snp { host_data, measurement, .. } => snp_report(id, host_data, measurement),
            Self::Sgx { mrenclave } => [&mrenclave.0[..], id.as_bytes()].concat(),
        }
    }
}

/// An attestation report of the AMD SEV-SNP ABI, version 2, with three fields filled in and no signature.
fn snp_report(id: NodeId, host_data: &HostData, measurement: &SnpMeasurement) -> Vec<u8> {
    let mut report = vec![0; 1184];
    report[0] = 2;
    report[0x50..0x70].copy_from_slice(id.as_bytes());
    report[0x90..0xc0].copy_from_slice(&measurement.0);
    report[0xc0..0xe0].copy_from_slice(&host_data.0);
    report
}

fn virtual_measurement() -> String {
    VIRTUAL_MEASUREMENT.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_node_attests_to_its_own_id() {
        let id = NodeId::from_bytes([7; 32]);
        let info = NodeCode::named("old").quote_info(id);
        let quote = STANDARD.decode(info["quote"].as_str().unwrap()).unwrap();
        let quote: serde_json::Value = serde_json::from_slice(&quote).unwrap();
        assert_eq!(quote["report_data"], STANDARD.encode([7; 32]));
        assert_eq!(quote["host_data"], hex::encode(sha256(b"old")));
        assert_eq!(quote["measurement"], VIRTUAL_MEASUREMENT);
    }

    #[test]
    fn code_is_read_from_json() {
        let text = format!(r#"{{"platform":"virtual","host_data":"{}"}}"#, hex::encode(sha256(b"x")));
        assert_eq!(serde_json::from_str::<NodeCode>(&text).unwrap(), NodeCode::named("x"));
        assert!(serde_json::from_str::<NodeCode>(r#"{"platform":"tdx"}"#).is_err());
    }
}
