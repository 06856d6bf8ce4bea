//! What was measured of artefacts, and the one proposal that registers it, or deregisters it.

use serde_json::{Value, json};

use super::{Action, Proposal, Registration};
use crate::digest::{HostData, MrEnclave, SnpMeasurement};

/// A value that was measured, and can be registered and deregistered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeasuredValue {
    /// The digest of a virtual node's executable.
    VirtualHostData(HostData),
    /// The measurement is every virtual node's, so deregistering one code never removes it.
    VirtualMeasurement(&'static str),
    /// An enclave.
    NodeCode(MrEnclave),
    /// The digest of a security policy, and the policy.
    SnpHostData {
        /// The digest.
        host_data: HostData,
        /// The policy itself.
        policy: String,
    },
    /// The measurement of a guest's launch.
    SnpMeasurement(SnpMeasurement),
    /// An endorsement of a utility VM.
    SnpUvm {
        /// The issuer.
        did: String,
        /// The feed.
        feed: String,
        /// The security version, decimal digits.
        svn: String,
    },
}

impl MeasuredValue {
    fn registration(&self) -> (Registration, Value) {
        match self {
            Self::VirtualHostData(value) => (Registration::VirtualHostData, json!({"host_data": value})),
            Self::VirtualMeasurement(value) => (Registration::VirtualMeasurement, json!({"measurement": value})),
            Self::NodeCode(value) => (Registration::SgxCode, json!({"code_id": value})),
            Self::SnpHostData { host_data, policy } => {
                (Registration::SnpHostData, json!({"host_data": host_data, "security_policy": policy}))
            }
            Self::SnpMeasurement(value) => (Registration::SnpMeasurement, json!({"measurement": value})),
            Self::SnpUvm { did, feed, svn } => {
                (Registration::SnpUvmEndorsement, json!({"did": did, "feed": feed, "svn": svn}))
            }
        }
    }
}

/// Every value that was measured, as it is to be registered: each once.
#[derive(Clone, Debug, Default)]
pub struct MeasuredValues(Vec<MeasuredValue>);

impl MeasuredValues {
    /// Adds a value. Of two endorsements with the same issuer and feed the lower svn stays, for one entry admits both.
    pub fn add(&mut self, value: MeasuredValue) {
        let integer = |svn: &str| svn.parse::<u64>().unwrap_or(u64::MAX);
        for known in &mut self.0 {
            match (known, &value) {
                (MeasuredValue::SnpHostData { host_data, .. }, MeasuredValue::SnpHostData { host_data: new, .. })
                    if host_data == new =>
                {
                    return;
                }
                (
                    MeasuredValue::SnpUvm { did, feed, svn },
                    MeasuredValue::SnpUvm { did: new_did, feed: new_feed, svn: new },
                ) if did == new_did && feed == new_feed => {
                    if integer(new) < integer(svn) {
                        svn.clone_from(new);
                    }
                    return;
                }
                _ => {}
            }
        }
        self.0.push(value);
    }

    /// The proposal that registers them; `None` if there are none.
    pub fn registered(&self) -> Option<Proposal> {
        let add = |value: &MeasuredValue| {
            let (kind, args) = value.registration();
            kind.addition(args)
        };
        proposal(self.0.iter().map(add).collect())
    }

    /// The proposal that deregisters them, but for the virtual measurement, which all virtual nodes share.
    pub fn deregistered(&self) -> Option<Proposal> {
        let remove = |value: &MeasuredValue| {
            let (kind, args) = value.registration();
            (kind != Registration::VirtualMeasurement).then(|| kind.removal(&args))
        };
        proposal(self.0.iter().filter_map(remove).collect())
    }
}

impl FromIterator<MeasuredValue> for MeasuredValues {
    fn from_iter<I: IntoIterator<Item = MeasuredValue>>(values: I) -> Self {
        let mut all = Self::default();
        values.into_iter().for_each(|value| all.add(value));
        all
    }
}

fn proposal(actions: Vec<Action>) -> Option<Proposal> {
    (!actions.is_empty()).then(|| Proposal::of(actions))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(proposal: Option<Proposal>) -> Vec<String> {
        proposal.iter().flat_map(|proposal| proposal.actions()).map(|action| action.name.clone()).collect()
    }

    #[test]
    fn both_forms_of_an_endorsement_are_admitted_by_one_entry_of_the_lower_svn() {
        let uvm = |feed: &str, svn: &str| MeasuredValue::SnpUvm { did: "d".into(), feed: feed.into(), svn: svn.into() };
        let values: MeasuredValues =
            [uvm("f", "101"), uvm("f", "99"), uvm("f", "100"), uvm("g", "5")].into_iter().collect();
        let made = values.registered().unwrap();
        let svn: Vec<_> = made.actions().iter().filter_map(|action| action.text("svn")).collect();
        assert_eq!(svn, ["99", "5"]);
    }

    #[test]
    fn the_measurement_that_all_virtual_nodes_share_is_never_deregistered() {
        let shared = MeasuredValue::VirtualMeasurement("constant");
        let own = MeasuredValue::VirtualHostData(HostData([7; 32]));
        let values: MeasuredValues = [own, shared.clone()].into_iter().collect();
        assert_eq!(names(values.deregistered()), ["remove_virtual_host_data"]);
        assert_eq!(names(MeasuredValues::from_iter([shared]).deregistered()), [""; 0]);
        assert_eq!(names(MeasuredValues::default().registered()), [""; 0]);
    }
}
