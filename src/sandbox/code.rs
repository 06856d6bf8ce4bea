//! What a simulated node runs, and the evidence that it shows of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha384};

use super::SandboxError;
use super::snp::Hardware;
use crate::digest::{HostData, MrEnclave, SnpMeasurement, sha256};
use crate::id::NodeId;
use crate::processor::Cpuid;
use crate::tcb::TcbVersion;

/// The measurement of every virtual node: CCF has one constant for all of them.
pub const VIRTUAL_MEASUREMENT: &str = "Insecure hard-coded virtual measurement v1";

/// The feed of the sandbox's utility VMs, which is that of Azure Container Instances.
const FEED: &str = "ContainerPlat-AMD-UVM";

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
    /// AMD SEV-SNP. Report, certificates and UVM endorsement are as real ones, under roots of the sandbox's own.
    Snp(SnpCode),
    /// Intel SGX. The quote is no quote: it holds the MRENCLAVE and nothing else.
    Sgx {
        /// The enclave's MRENCLAVE.
        mrenclave: MrEnclave,
    },
}

/// What an SNP node runs, and on what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SnpCode {
    /// SHA-256 of the security policy.
    pub host_data: HostData,
    /// The launch measurement of the utility VM.
    #[serde(default = "utility_vm")]
    pub measurement: SnpMeasurement,
    /// What the sandbox's issuer says of the measurement; with null the measurement itself must be registered.
    #[serde(default = "first_endorsement")]
    pub uvm: Option<UvmEndorsement>,
    /// The firmware's versions, 16 hexadecimal digits, the highest byte first.
    #[serde(default = "first_tcb")]
    #[cfg_attr(feature = "shapes", schemars(with = "String"))]
    pub tcb: TcbVersion,
    /// The processor, 8 hexadecimal digits.
    #[serde(default = "milan")]
    #[cfg_attr(feature = "shapes", schemars(with = "String"))]
    pub cpuid: Cpuid,
}

/// What an endorsement of a utility VM says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UvmEndorsement {
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
            Self::Snp(_) => "AMD_SEV_SNP_v1",
            Self::Sgx { .. } => "OE_SGX_v1",
        }
    }

    /// The measurement's bytes in hexadecimal: a node's `code_digest`.
    pub(super) fn code_digest(&self) -> String {
        match self {
            Self::Virtual { measurement, .. } => hex::encode(measurement),
            Self::Snp(code) => code.measurement.to_string(),
            Self::Sgx { mrenclave } => mrenclave.to_string(),
        }
    }

    /// The evidence of node `id`: CCF's `quote_info`. `hardware` signs it for SNP.
    pub(super) fn quote_info(&self, id: NodeId, hardware: Option<&Hardware>) -> Result<Value, SandboxError> {
        let quote = match self {
            Self::Virtual { host_data, measurement } => json!({
                "host_data": host_data, "measurement": measurement, "report_data": STANDARD.encode(id.as_bytes()),
            })
            .to_string()
            .into_bytes(),
            Self::Snp(code) => {
                let hardware = hardware.ok_or_else(|| SandboxError::Certificate("there is no SNP hardware".into()))?;
                return hardware.quote_info(code, id);
            }
            Self::Sgx { mrenclave } => [&mrenclave.0[..], id.as_bytes()].concat(),
        };
        Ok(json!({"format": self.format(), "quote": STANDARD.encode(quote), "endorsements": ""}))
    }
}

impl SnpCode {
    /// A node with this host data, in the sandbox's first utility VM, on a Milan.
    pub fn new(host_data: HostData) -> Self {
        Self { host_data, measurement: utility_vm(), uvm: first_endorsement(), tcb: first_tcb(), cpuid: milan() }
    }

    /// A node that runs something called `name`: its host data is SHA-256 of [`security_policy`](super::security_policy).
    pub fn named(name: &str) -> Self {
        Self::new(HostData(sha256(super::security_policy(name).as_bytes())))
    }

    /// The same in the sandbox's second utility VM, whose svn is one more.
    pub fn renewed(name: &str) -> Self {
        Self {
            measurement: SnpMeasurement(Sha384::digest("second utility VM of ccf-gov sandbox").into()),
            uvm: Some(UvmEndorsement { feed: FEED.into(), svn: "101".into() }),
            ..Self::named(name)
        }
    }
}

fn utility_vm() -> SnpMeasurement {
    SnpMeasurement(Sha384::digest("utility VM of ccf-gov sandbox").into())
}

fn first_endorsement() -> Option<UvmEndorsement> {
    Some(UvmEndorsement { feed: FEED.into(), svn: "100".into() })
}

fn first_tcb() -> TcbVersion {
    TcbVersion(0xdb18_0000_0000_0004)
}

fn milan() -> Cpuid {
    Cpuid::new(0x19, 0x01, 1)
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
        let info = NodeCode::named("old").quote_info(id, None).unwrap();
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
        let text = format!(r#"{{"platform":"snp","host_data":"{}"}}"#, "ab".repeat(32));
        let NodeCode::Snp(code) = serde_json::from_str(&text).unwrap() else { panic!() };
        assert_eq!(code, SnpCode::new(HostData([0xab; 32])));
        let text = text.replace("}", r#","uvm":null,"tcb":"0000000000000001","cpuid":"00a10f11"}"#);
        let NodeCode::Snp(code) = serde_json::from_str(&text).unwrap() else { panic!() };
        assert_eq!((code.uvm, code.tcb, code.cpuid), (None, TcbVersion(1), Cpuid::new(0x19, 0x11, 1)));
    }
}
