//! What nodes run, as the join policy names it.

use serde::Serialize;
use serde_json::json;

use crate::digest::HostData;
use crate::evidence::virt::{Attestation, Expected, MEASUREMENT, QUOTE_FORMAT, verify};
use crate::proposal::Action;
use crate::service::{JoinPolicy, Node};

/// Code of the virtual platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Code {
    /// SHA-256 of the node's executable.
    pub host_data: HostData,
    /// CCF's constant, on real nodes.
    pub measurement: String,
}

impl Code {
    /// The code with this host data, and CCF's constant measurement.
    pub fn virtual_node(host_data: HostData) -> Self {
        Self { host_data, measurement: MEASUREMENT.into() }
    }

    /// Whether `policy` lets it join.
    pub fn is_admitted(&self, policy: &JoinPolicy) -> bool {
        let host_data = self.host_data.to_string();
        policy.virtual_.host_data.contains(&host_data) && policy.virtual_.measurements.contains(&self.measurement)
    }

    /// What is missing in `policy` to admit it.
    pub fn registration(&self, policy: &JoinPolicy) -> Vec<Action> {
        let mut actions = Vec::new();
        if !policy.virtual_.measurements.contains(&self.measurement) {
            let args = json!({"measurement": self.measurement});
            actions.push(Action::new("add_virtual_measurement", Some(args)));
        }
        if !policy.virtual_.host_data.contains(&self.host_data.to_string()) {
            actions.push(Action::new("add_virtual_host_data", Some(json!({"host_data": self.host_data}))));
        }
        actions
    }

    /// What is to be removed from `policy` so that nothing but this code may join.
    pub fn removal_of_others(&self, policy: &JoinPolicy) -> Vec<Action> {
        let own = self.host_data.to_string();
        let host_data = policy.virtual_.host_data.iter().filter(|h| **h != own);
        let measurements = policy.virtual_.measurements.iter().filter(|m| **m != self.measurement);
        let host_data = host_data.map(|h| Action::new("remove_virtual_host_data", Some(json!({"host_data": h}))));
        let measurements =
            measurements.map(|m| Action::new("remove_virtual_measurement", Some(json!({"measurement": m}))));
        host_data.chain(measurements).collect()
    }

    /// Whether `node`'s attestation is about this code and about that node; if not, why.
    pub fn check(&self, node: &Node) -> Result<(), String> {
        let quote = node.quote_info.as_ref().ok_or("the service shows no attestation of it")?;
        if quote.format != QUOTE_FORMAT {
            return Err(format!("its attestation is {}, not {QUOTE_FORMAT}", quote.format));
        }
        let attestation = Attestation::parse(quote.raw_quote.as_bytes()).map_err(|e| e.to_string())?;
        let expected = Expected {
            host_data: vec![self.host_data],
            measurement: vec![self.measurement.clone()],
            node_id: Some(node.node_id),
        };
        let checks = verify(&attestation, &expected);
        if checks.verdict() == "pass" {
            return Ok(());
        }
        let failed = checks.iter().filter(|c| c.verdict.to_string() == "fail");
        Err(failed.map(|c| format!("{}: {}", c.name, c.detail)).collect::<Vec<_>>().join("; "))
    }
}
