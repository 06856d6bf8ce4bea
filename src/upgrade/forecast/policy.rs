//! What a registration does to a join policy.

use crate::proposal::{Action, Registration};
use crate::service::{JoinPolicy, MinimumTcbEntry, UvmEntry};
use crate::tcb::MinimumTcb;

/// What the policy is after this action.
pub(super) fn apply(policy: &mut JoinPolicy, action: &Action) {
    let Some(kind) = Registration::of(&action.name) else { return };
    let Some(key) = kind.key(action) else { return };
    remove(policy, kind, &key);
    if action.name != kind.remove() {
        add(policy, kind, key, action);
    }
}

fn remove(policy: &mut JoinPolicy, kind: Registration, key: &str) {
    let without = |list: &mut Vec<String>| list.retain(|known| known != key);
    match kind {
        Registration::SgxCode => without(&mut policy.sgx.measurements),
        Registration::SnpHostData => drop(policy.snp.host_data.remove(key)),
        Registration::SnpMeasurement => without(&mut policy.snp.measurements),
        Registration::SnpUvmEndorsement => {
            policy.snp.uvm_endorsements.retain(|uvm| format!("{} {}", uvm.did, uvm.feed) != key);
        }
        Registration::SnpMinimumTcb => drop(policy.snp.tcb_versions.remove(key)),
        Registration::VirtualHostData => without(&mut policy.virtual_.host_data),
        Registration::VirtualMeasurement => without(&mut policy.virtual_.measurements),
        Registration::JoinPolicyScript => {}
    }
}

fn add(policy: &mut JoinPolicy, kind: Registration, key: String, action: &Action) {
    let text = |name: &str| action.text(name).unwrap_or_default().to_owned();
    match kind {
        Registration::SgxCode => policy.sgx.measurements.push(key),
        Registration::SnpHostData => drop(policy.snp.host_data.insert(key, text("security_policy"))),
        Registration::SnpMeasurement => policy.snp.measurements.push(key),
        Registration::SnpUvmEndorsement => policy.snp.uvm_endorsements.push(UvmEntry {
            did: text("did"),
            feed: text("feed"),
            svn: Some(text("svn")),
            written: action.args.clone().unwrap_or_default(),
        }),
        Registration::SnpMinimumTcb => {
            let written = action.arg("tcb_version").cloned().unwrap_or_default();
            let minimum = MinimumTcb::from_json(&written);
            policy.snp.tcb_versions.insert(key, MinimumTcbEntry { written, minimum });
        }
        Registration::VirtualHostData => policy.virtual_.host_data.push(key),
        Registration::VirtualMeasurement => policy.virtual_.measurements.push(key),
        Registration::JoinPolicyScript => {}
    }
}
