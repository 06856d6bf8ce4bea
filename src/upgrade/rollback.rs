//! The way back: while old nodes live, the plan that brings a service to what it ran before.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Code, CodeKind, CodeValue, Named, Observed, Plan, Running};
use crate::platform::Platform;
use crate::proposal::Registration;
use crate::service::{JoinPolicy, NodeStatus};

/// Why there is no way back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWayBack {
    /// Every old node is retired.
    #[error("no trusted node runs the old code any more")]
    NoOldNode,
    /// The old nodes run several codes.
    #[error("the old nodes do not all run the same code")]
    Several,
    /// Nothing that is registered tells the codes apart.
    #[error("old and new code have the same {0}, so that the new nodes cannot be told apart from the old ones")]
    Alike(&'static str),
}

impl Plan {
    /// The plan that walks back: the old code is to run on as many nodes as this plan wants of the new one, and the new code is to be
    /// retired and deregistered. Constitution and application stay as they are.
    ///
    /// # Errors
    /// [`NoWayBack`]: then the old code is upgraded to by a plan of its own.
    pub fn back(&self, seen: &Observed) -> Result<Self, NoWayBack> {
        let old = self.old_code(seen);
        let trusted = seen.nodes_that_are(NodeStatus::Trusted).filter(|node| old.kind_of(self, node) == CodeKind::Old);
        let running: Vec<&Running> = trusted.filter_map(|node| node.running.as_ref()).collect();
        let Some(first) = running.first() else { return Err(NoWayBack::NoOldNode) };
        if running.iter().any(|other| other.identity() != first.identity()) {
            return Err(NoWayBack::Several);
        }
        let kind = self.new.identifying();
        let code = was(first, &seen.join_policy);
        let own: BTreeSet<(Registration, String)> = code.values.iter().map(|v| (v.kind, v.key())).collect();
        let values = self.new.values.iter().filter(|value| value.kind != Registration::SnpMinimumTcb);
        let values: BTreeSet<_> = values.map(|v| (v.kind, v.key())).filter(|value| !own.contains(value)).collect();
        if !values.iter().any(|(of, _)| *of == kind) {
            return Err(NoWayBack::Alike(kind.name()));
        }
        Ok(Self {
            new: code,
            version: None,
            old: Some(Named { values, nodes: BTreeSet::new() }),
            constitution: None,
            application: None,
            ..self.clone()
        })
    }
}

/// The code that a node runs, as it was registered.
fn was(running: &Running, policy: &JoinPolicy) -> Code {
    let value = |kind, args| CodeValue { kind, args };
    let host_data = running.identity();
    let values = match running.platform {
        Platform::Sgx => vec![value(Registration::SgxCode, json!({ "code_id": running.measurement }))],
        Platform::Virtual => vec![
            value(Registration::VirtualMeasurement, json!({ "measurement": running.measurement })),
            value(Registration::VirtualHostData, json!({ "host_data": host_data })),
        ],
        Platform::Snp => {
            let text = policy.snp.host_data.get(host_data).map(String::as_str).unwrap_or_default();
            let launch = match &running.uvm {
                Some(uvm) => {
                    let registered =
                        policy.snp.uvm_endorsements.iter().find(|e| e.did == uvm.did && e.feed == uvm.feed);
                    // What is registered admits old and new; where it has gone, the old node's own version does.
                    let svn = registered.and_then(|entry| entry.svn.clone()).filter(|least| at_most(least, &uvm.svn));
                    let svn = svn.unwrap_or_else(|| uvm.svn.clone());
                    value(Registration::SnpUvmEndorsement, json!({ "did": uvm.did, "feed": uvm.feed, "svn": svn }))
                }
                None => value(Registration::SnpMeasurement, json!({ "measurement": running.measurement })),
            };
            let args = json!({ "host_data": host_data, "security_policy": text });
            vec![launch, value(Registration::SnpHostData, args)]
        }
    };
    Code { platform: running.platform, values }
}

fn at_most(least: &str, svn: &str) -> bool {
    matches!((least.parse::<u64>(), svn.parse::<u64>()), (Ok(least), Ok(svn)) if least <= svn)
}
