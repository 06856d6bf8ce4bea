//! All that is registered, as a guard has it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json;
use crate::text::{clip, visible};

/// What a service's join policy admits, on every platform, as `GET /gov/service/join-policy` shows it. Of a join policy script it says
/// nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Registered {
    /// Intel SGX.
    pub sgx: RegisteredSgx,
    /// AMD SEV-SNP.
    pub snp: RegisteredSnp,
    /// The virtual platform.
    #[serde(rename = "virtual")]
    pub virtual_: RegisteredVirtual,
}

/// SGX code.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct RegisteredSgx {
    /// MRENCLAVE values.
    pub measurements: Vec<String>,
}

/// SNP code.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct RegisteredSnp {
    /// Host data and its security policy.
    pub host_data: BTreeMap<String, Value>,
    /// Launch measurements.
    pub measurements: Vec<String>,
    /// Minimum TCB versions by CPUID, as written.
    pub tcb_versions: BTreeMap<String, Value>,
    /// UVM endorsements by issuer, as written.
    pub uvm_endorsements: BTreeMap<String, Value>,
}

/// Virtual code.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct RegisteredVirtual {
    /// Host data.
    pub host_data: Vec<String>,
    /// Measurements, any text.
    pub measurements: Vec<String>,
}

impl Registered {
    /// Whether both admit the same: lists in any order, and values as JavaScript compares them.
    pub fn is_same(&self, other: &Self) -> bool {
        let same_list = |a: &[String], b: &[String]| {
            let (mut a, mut b) = (a.to_vec(), b.to_vec());
            a.sort();
            b.sort();
            a == b
        };
        let same_map = |a: &BTreeMap<String, Value>, b: &BTreeMap<String, Value>| {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| json::same(a, b)))
        };
        same_list(&self.sgx.measurements, &other.sgx.measurements)
            && same_map(&self.snp.host_data, &other.snp.host_data)
            && same_list(&self.snp.measurements, &other.snp.measurements)
            && same_map(&self.snp.tcb_versions, &other.snp.tcb_versions)
            && same_map(&self.snp.uvm_endorsements, &other.snp.uvm_endorsements)
            && same_list(&self.virtual_.host_data, &other.virtual_.host_data)
            && same_list(&self.virtual_.measurements, &other.virtual_.measurements)
    }
}

/// The values by kind; of host data without the policies, which it is the digest of.
impl fmt::Display for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = |map: &BTreeMap<String, Value>| map.iter().map(|(key, value)| format!("{key} {value}")).collect();
        let kinds: [(&str, Vec<String>); 7] = [
            ("SGX code", self.sgx.measurements.clone()),
            ("SNP host data", self.snp.host_data.keys().cloned().collect()),
            ("SNP measurement", self.snp.measurements.clone()),
            ("minimum TCB", pairs(&self.snp.tcb_versions)),
            ("UVM endorsement", pairs(&self.snp.uvm_endorsements)),
            ("virtual host data", self.virtual_.host_data.clone()),
            ("virtual measurement", self.virtual_.measurements.clone()),
        ];
        let each = kinds.iter().flat_map(|(kind, values)| {
            values.iter().map(move |value| format!("{kind} {}", visible(&clip(value, 200))))
        });
        let each: Vec<_> = each.collect();
        f.write_str(if each.is_empty() { "nothing".into() } else { each.join("; ") }.as_str())
    }
}
