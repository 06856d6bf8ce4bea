//! What nodes run, as the join policy names it.

use serde::Serialize;
use serde_json::{Value, json};

use crate::check::{Conclusion, Verdict};
use crate::digest::HostData;
use crate::evidence::virt::{Attestation, Expected, MEASUREMENT, QUOTE_FORMAT, verify};
use crate::proposal::{Action, Registration};
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
        self.registration(policy).is_empty()
    }

    /// What is missing in `policy` to admit it.
    pub fn registration(&self, policy: &JoinPolicy) -> Vec<Action> {
        let missing = self.registered().into_iter().filter(|(kind, key, _)| !policy.has(*kind, key));
        missing.map(|(kind, _, args)| kind.addition(args)).collect()
    }

    /// What is to be removed from `policy` so that nothing but this code may join.
    pub fn removal_of_others(&self, policy: &JoinPolicy) -> Vec<Action> {
        let [measurement, host_data] = self.registered();
        let others = [host_data, measurement].into_iter().flat_map(|(kind, own, _)| {
            let others = policy.keys(kind).into_iter().filter(move |key| *key != own);
            others.map(move |key| kind.removal(&json!({kind.identity()[0]: key})))
        });
        others.collect()
    }

    /// What has to be registered for it to join: the kind, its key, and the arguments.
    fn registered(&self) -> [(Registration, String, Value); 2] {
        [
            (Registration::VirtualMeasurement, self.measurement.clone(), json!({"measurement": self.measurement})),
            (Registration::VirtualHostData, self.host_data.to_string(), json!({"host_data": self.host_data})),
        ]
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
        if checks.verdict() == Conclusion::Pass {
            return Ok(());
        }
        let failed = checks.iter().filter(|c| c.verdict == Verdict::Fail);
        Err(failed.map(|c| format!("{}: {}", c.name, c.detail)).collect::<Vec<_>>().join("; "))
    }
}
