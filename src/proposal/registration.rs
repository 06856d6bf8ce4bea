//! What can be registered, so that nodes with it may join: the actions that add and remove it, and what identifies it.

use serde_json::{Map, Value};

use super::Action;
use crate::platform::Platform;

/// A kind of thing that can be registered. What of each kind is registered, a service's join policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Registration {
    /// An enclave, by its MRENCLAVE.
    SgxCode,
    /// The digest of a security policy.
    SnpHostData,
    /// The measurement of a guest's launch.
    SnpMeasurement,
    /// An endorser of utility VMs, one of his feeds, and the least security version.
    SnpUvmEndorsement,
    /// The least TCB of a processor.
    SnpMinimumTcb,
    /// The digest of an executable.
    VirtualHostData,
    /// The virtual platform's constant.
    VirtualMeasurement,
    /// A script that decides who joins.
    JoinPolicyScript,
}

/// What is known of a kind.
struct Facts {
    name: &'static str,
    platform: Platform,
    adds: &'static [&'static str],
    remove: &'static str,
    identity: &'static [&'static str],
}

impl Registration {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::SgxCode,
        Self::SnpHostData,
        Self::SnpMeasurement,
        Self::SnpUvmEndorsement,
        Self::SnpMinimumTcb,
        Self::VirtualHostData,
        Self::VirtualMeasurement,
        Self::JoinPolicyScript,
    ];

    /// The kind that an action of this name adds or removes.
    pub fn of(action: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.adds().contains(&action) || kind.remove() == action)
    }

    fn facts(self) -> Facts {
        let (name, platform, adds, remove, identity): (_, _, &[_], _, &[_]) = match self {
            Self::SgxCode => ("SGX measurement", Platform::Sgx, &["add_node_code"], "remove_node_code", &["code_id"]),
            Self::SnpHostData => {
                ("SNP host data", Platform::Snp, &["add_snp_host_data"], "remove_snp_host_data", &["host_data"])
            }
            Self::SnpMeasurement => {
                ("SNP measurement", Platform::Snp, &["add_snp_measurement"], "remove_snp_measurement", &["measurement"])
            }
            Self::SnpUvmEndorsement => (
                "UVM endorsement",
                Platform::Snp,
                &["add_snp_uvm_endorsement"],
                "remove_snp_uvm_endorsement",
                &["did", "feed"],
            ),
            Self::SnpMinimumTcb => (
                "minimum TCB",
                Platform::Snp,
                &["set_snp_minimum_tcb_version", "set_snp_minimum_tcb_version_hex"],
                "remove_snp_minimum_tcb_version",
                &["cpuid"],
            ),
            Self::VirtualHostData => (
                "virtual host data",
                Platform::Virtual,
                &["add_virtual_host_data"],
                "remove_virtual_host_data",
                &["host_data"],
            ),
            Self::VirtualMeasurement => (
                "virtual measurement",
                Platform::Virtual,
                &["add_virtual_measurement"],
                "remove_virtual_measurement",
                &["measurement"],
            ),
            Self::JoinPolicyScript => {
                ("join policy script", Platform::Snp, &["set_node_join_policy"], "remove_node_join_policy", &[])
            }
        };
        Facts { name, platform, adds, remove, identity }
    }

    /// What a person calls it.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The platform whose nodes it concerns.
    pub fn platform(self) -> Platform {
        self.facts().platform
    }

    /// The actions that add it. A minimum TCB has two, the second of which takes hexadecimal text.
    pub fn adds(self) -> &'static [&'static str] {
        self.facts().adds
    }

    /// The action that removes it.
    pub fn remove(self) -> &'static str {
        self.facts().remove
    }

    /// The arguments that say which one is meant; none if a service has only one.
    pub fn identity(self) -> &'static [&'static str] {
        self.facts().identity
    }

    /// Which one an action is about: the arguments that identify it, in one text. `None` if one is missing or no text.
    pub fn key(self, action: &Action) -> Option<String> {
        let parts: Option<Vec<_>> = self.identity().iter().map(|argument| action.text(argument)).collect();
        Some(parts?.join(" "))
    }

    /// The action that adds what `args` say.
    pub fn addition(self, args: Value) -> Action {
        Action::new(self.adds()[0], Some(args))
    }

    /// The action that removes what `args` identify, whatever else they say.
    pub fn removal(self, args: &Value) -> Action {
        let identity = self.identity().iter().filter_map(|name| Some(((*name).to_owned(), args.get(name)?.clone())));
        let identity: Map<String, Value> = identity.collect();
        Action::new(self.remove(), (!self.identity().is_empty()).then_some(Value::Object(identity)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::proposal::catalogue::Catalogue;

    #[test]
    fn every_registration_is_in_the_catalogue_with_its_platform_and_what_identifies_it() {
        for kind in Registration::ALL {
            for name in kind.adds().iter().chain([&kind.remove()]) {
                let template = Catalogue::builtin().find(name).unwrap_or_else(|| panic!("no template {name}"));
                assert_eq!(template.platform, Some(kind.platform()), "{name}");
                for argument in kind.identity() {
                    assert!(template.parameter(argument).is_some_and(|p| p.required), "{name} {argument}");
                }
            }
            let removed = Catalogue::builtin().find(kind.remove()).unwrap();
            let parameters: Vec<_> = removed.parameters.iter().map(|p| p.name.as_str()).collect();
            assert_eq!(parameters, kind.identity(), "{}", kind.remove());
        }
        let names = Registration::ALL.iter().flat_map(|kind| kind.adds().iter().copied().chain([kind.remove()]));
        assert_eq!(names.clone().collect::<BTreeSet<_>>().len(), names.count(), "no action is of two kinds");
    }

    #[test]
    fn what_is_removed_is_what_was_added_and_nothing_else_of_it() {
        let args = Catalogue::builtin().find("add_snp_uvm_endorsement").unwrap().example().args.unwrap();
        let kind = Registration::SnpUvmEndorsement;
        let (add, remove) = (kind.addition(args.clone()), kind.removal(&args));
        assert_eq!(
            (add.name.as_str(), remove.name.as_str()),
            ("add_snp_uvm_endorsement", "remove_snp_uvm_endorsement")
        );
        assert!(kind.key(&add).is_some() && kind.key(&add) == kind.key(&remove));
        assert!(remove.arg("svn").is_none());
    }
}
