//! One proposal of several, in the order that works.
//!
//! A proposal is applied as a whole or not at all, its actions one after the other. The order that [`merge`] makes:
//!
//! 1. `assert_service_identity`, so that the wrong service refuses everything;
//! 2. members, users and their data; root certificates, then token issuers, then their keys;
//! 3. the recovery threshold before `remove_member`, which fails while the threshold is too high;
//! 4. what is registered to join before what is removed from it, and both before nodes;
//! 5. nodes trusted before nodes removed; certificates, then the application;
//! 6. actions that the catalogue does not know, as they stood;
//! 7. `transition_service_to_open`, then new secrets, ledger chunks and snapshots;
//! 8. `set_constitution` last: every other action is still judged and applied by the rules under which members voted.
//!
//! Actions of one name keep the order in which they were given.

use std::collections::{HashMap, HashSet};

use super::catalogue::find;
use super::parameter::Kind;
use super::pem_text;
use super::private_key::{self, PrivateKey};
use super::{Action, Proposal};

/// The known actions in the order in which they are applied; unknown ones go where [`UNKNOWN`] stands.
const ORDER: &[&str] = &[
    "assert_service_identity",
    "set_member",
    "set_member_data",
    "set_user",
    "set_user_data",
    "remove_user",
    "set_ca_cert_bundle",
    "set_jwt_issuer",
    "set_jwt_public_signing_keys",
    "remove_jwt_issuer",
    "cleanup_legacy_jwt_records",
    "remove_ca_cert_bundle",
    "set_service_configuration",
    "set_recovery_threshold",
    "remove_member",
    "add_node_code",
    "add_executor_node_code",
    "add_snp_measurement",
    "add_snp_host_data",
    "add_snp_uvm_endorsement",
    "set_snp_minimum_tcb_version",
    "set_snp_minimum_tcb_version_hex",
    "add_virtual_measurement",
    "add_virtual_host_data",
    "set_node_join_policy",
    "remove_node_code",
    "remove_executor_node_code",
    "remove_snp_measurement",
    "remove_snp_host_data",
    "remove_snp_uvm_endorsement",
    "remove_snp_minimum_tcb_version",
    "remove_virtual_measurement",
    "remove_virtual_host_data",
    "remove_node_join_policy",
    "transition_node_to_trusted",
    "set_node_data",
    "set_node_certificate_validity",
    "remove_node",
    "set_all_nodes_certificate_validity",
    "set_service_certificate_validity",
    "trigger_acme_refresh",
    "set_js_runtime_options",
    "set_js_app",
    "remove_js_app",
    "refresh_js_app_bytecode_cache",
    UNKNOWN,
    "transition_service_to_open",
    "trigger_recovery_shares_refresh",
    "trigger_ledger_rekey",
    "trigger_ledger_chunk",
    "trigger_snapshot",
    "set_constitution",
];

const UNKNOWN: &str = "";

/// What an action decides: a thing, and the arguments that say which one (none if there is only one).
type Decides = (&'static str, &'static [&'static str]);

/// What each action decides. Two different actions that decide the same thing contradict each other.
const DECIDES: &[(&str, &[Decides])] = &[
    ("set_member", &[("member", &["cert"]), ("data of member", &["cert"])]),
    ("remove_member", &[("member", &["member_id"]), ("data of member", &["member_id"])]),
    ("set_member_data", &[("data of member", &["member_id"])]),
    ("set_user", &[("user", &["cert"]), ("data of user", &["cert"])]),
    ("remove_user", &[("user", &["user_id"]), ("data of user", &["user_id"])]),
    ("set_user_data", &[("data of user", &["user_id"])]),
    ("set_ca_cert_bundle", &[("certificate bundle", &["name"])]),
    ("remove_ca_cert_bundle", &[("certificate bundle", &["name"])]),
    ("set_jwt_issuer", &[("token issuer", &["issuer"])]),
    ("remove_jwt_issuer", &[("token issuer", &["issuer"]), ("keys of token issuer", &["issuer"])]),
    ("set_jwt_public_signing_keys", &[("keys of token issuer", &["issuer"])]),
    ("set_service_configuration", &[("service configuration", &[])]),
    ("set_recovery_threshold", &[("service configuration", &[])]),
    ("add_node_code", &[("SGX code", &["code_id"])]),
    ("remove_node_code", &[("SGX code", &["code_id"])]),
    ("add_executor_node_code", &[("executor code", &["executor_code_id"])]),
    ("remove_executor_node_code", &[("executor code", &["executor_code_id"])]),
    ("add_snp_measurement", &[("SNP measurement", &["measurement"])]),
    ("remove_snp_measurement", &[("SNP measurement", &["measurement"])]),
    ("add_snp_host_data", &[("SNP host data", &["host_data"])]),
    ("remove_snp_host_data", &[("SNP host data", &["host_data"])]),
    ("add_snp_uvm_endorsement", &[("UVM endorsement", &["did", "feed"])]),
    ("remove_snp_uvm_endorsement", &[("UVM endorsement", &["did", "feed"])]),
    ("set_snp_minimum_tcb_version", &[("minimum TCB version of CPUID", &["cpuid"])]),
    ("set_snp_minimum_tcb_version_hex", &[("minimum TCB version of CPUID", &["cpuid"])]),
    ("remove_snp_minimum_tcb_version", &[("minimum TCB version of CPUID", &["cpuid"])]),
    ("add_virtual_measurement", &[("virtual measurement", &["measurement"])]),
    ("remove_virtual_measurement", &[("virtual measurement", &["measurement"])]),
    ("add_virtual_host_data", &[("virtual host data", &["host_data"])]),
    ("remove_virtual_host_data", &[("virtual host data", &["host_data"])]),
    ("set_node_join_policy", &[("join policy script", &[])]),
    ("remove_node_join_policy", &[("join policy script", &[])]),
    ("transition_node_to_trusted", &[("node", &["node_id"]), ("certificate of node", &["node_id"])]),
    ("remove_node", &[("node", &["node_id"]), ("certificate of node", &["node_id"]), ("data of node", &["node_id"])]),
    ("set_node_data", &[("data of node", &["node_id"])]),
    ("set_node_certificate_validity", &[("certificate of node", &["node_id"])]),
    ("set_all_nodes_certificate_validity", &[("certificates of all nodes", &[])]),
    ("set_service_certificate_validity", &[("service certificate", &[])]),
    ("set_js_runtime_options", &[("runtime options", &[])]),
    ("set_js_app", &[("application", &[])]),
    ("remove_js_app", &[("application", &[])]),
    ("transition_service_to_open", &[("service state", &[])]),
    ("assert_service_identity", &[("service identity", &[])]),
    ("set_constitution", &[("constitution", &[])]),
];

/// Two actions that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The first one's place in the list, from 0.
    pub first: usize,
    /// The second one's.
    pub second: usize,
    /// What both decide, for example `SNP host data 5f70…`.
    pub about: String,
}

impl Conflict {
    /// The contradiction in a sentence; `actions` are those in which it was found.
    pub(crate) fn told(&self, actions: &[&Action]) -> String {
        let title = |at: usize| actions.get(at).map_or_else(String::new, |action| action.title(at));
        format!("{} and {} both decide about the {}, and not alike", title(self.first), title(self.second), self.about)
    }
}

/// Why proposals cannot be merged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Two of them decide the same thing in different ways.
    #[error("{} and {} both decide about the {about}, and not alike", first.1, second.1)]
    Conflict {
        /// The first one's proposal (from 0) and action.
        first: (usize, String),
        /// The second one's.
        second: (usize, String),
        /// What both decide.
        about: String,
    },
    /// One of them holds a private key.
    #[error("{key}")]
    PrivateKey {
        /// The proposal, from 0.
        proposal: usize,
        /// The key.
        key: PrivateKey,
    },
    /// Something beside the actions, which a merged proposal has no place for.
    #[error("it says {key:?}, which no constitution reads and no merged proposal can keep")]
    Surplus {
        /// The proposal, from 0.
        proposal: usize,
        /// The key.
        key: String,
    },
}

/// One proposal of all actions of `proposals`, in the order that the module describes.
///
/// Actions that are the same stand once.
///
/// # Errors
/// Actions that contradict each other, keys beside the actions, and private keys.
pub fn merge(proposals: &[Proposal]) -> Result<Proposal, MergeError> {
    let mut all: Vec<(usize, &Action)> = Vec::new();
    let mut known: HashSet<&Action> = HashSet::new();
    for (at, proposal) in proposals.iter().enumerate() {
        if let Some(key) = proposal.surplus().into_iter().next() {
            return Err(MergeError::Surplus { proposal: at, key });
        }
        if let Some(key) = private_key::find(proposal.value()).into_iter().next() {
            return Err(MergeError::PrivateKey { proposal: at, key });
        }
        for action in proposal.actions() {
            if known.insert(action) {
                all.push((at, action));
            }
        }
    }
    let actions: Vec<&Action> = all.iter().map(|(_, action)| *action).collect();
    if let Some(Conflict { first, second, about }) = conflicts(&actions).into_iter().next() {
        let place = |at: usize| (all[at].0, all[at].1.name.clone());
        return Err(MergeError::Conflict { first: place(first), second: place(second), about });
    }
    let mut actions: Vec<Action> = actions.into_iter().cloned().collect();
    actions.sort_by_key(|action| rank(&action.name));
    Ok(Proposal::of(actions))
}

/// Every two different actions that decide the same thing.
pub fn conflicts(actions: &[&Action]) -> Vec<Conflict> {
    let mut decided: HashMap<String, usize> = HashMap::new();
    let mut conflicts: Vec<Conflict> = Vec::new();
    let mut told = HashSet::new();
    for (second, action) in actions.iter().enumerate() {
        for about in decides(action) {
            let first = *decided.entry(about.clone()).or_insert(second);
            if first != second && !actions[first].is_same(action) && told.insert((first, second)) {
                conflicts.push(Conflict { first, second, about });
            }
        }
    }
    conflicts
}

fn rank(name: &str) -> Option<usize> {
    let place = |name: &str| ORDER.iter().position(|known| *known == name);
    place(name).or_else(|| place(UNKNOWN))
}

/// What an action decides, as text; nothing where an argument that says which one is missing.
fn decides(action: &Action) -> Vec<String> {
    let of = DECIDES.iter().find(|(name, _)| *name == action.name);
    let of = of.map(|(_, decides)| *decides).unwrap_or_default();
    of.iter().filter_map(|(what, keys)| Some(format!("{what}{}", which(action, keys)?))).collect()
}

fn which(action: &Action, keys: &[&str]) -> Option<String> {
    let mut text = String::new();
    for key in keys {
        let value = action.text(key)?;
        let kind = find(&action.name).and_then(|t| t.parameter(key)).map(|p| &p.kind);
        text += " ";
        text += &if kind == Some(&Kind::Certificate) { pem_text::id(value)? } else { value.to_string() };
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proposal::catalogue;
    use serde_json::json;

    fn one(name: &str, args: serde_json::Value) -> Proposal {
        Proposal::of(vec![Action::new(name, Some(args))])
    }

    fn names(proposal: &Proposal) -> Vec<&str> {
        proposal.actions().iter().map(|a| a.name.as_str()).collect()
    }

    #[test]
    fn every_action_of_the_catalogue_has_its_place() {
        for template in catalogue::all() {
            assert!(ORDER.contains(&template.name), "{}", template.name);
        }
        assert_eq!(ORDER.len(), catalogue::all().len() + 1);
        for (name, decides) in DECIDES {
            let template = catalogue::find(name).unwrap();
            for key in decides.iter().flat_map(|(_, keys)| keys.iter()) {
                assert!(template.parameter(key).is_some(), "{name} {key}");
            }
        }
    }

    #[test]
    fn the_order_is_the_one_that_works() {
        let merged = merge(&[
            one("set_constitution", json!({"constitution": "x"})),
            one("own_action", json!({"b": 1})),
            one("remove_virtual_host_data", json!({"host_data": "a"})),
            one("own_action", json!({"a": 1})),
            one("add_virtual_host_data", json!({"host_data": "b"})),
            one("remove_virtual_host_data", json!({"host_data": "a"})),
        ]);
        let merged = merged.unwrap();
        assert_eq!(
            names(&merged),
            ["add_virtual_host_data", "remove_virtual_host_data", "own_action", "own_action", "set_constitution"]
        );
        assert_eq!(merged.actions()[2].arg("b"), Some(&json!(1)));
    }

    #[test]
    fn contradictions_are_refused_by_name() {
        let host_data = |policy: &str| one("add_snp_host_data", json!({"host_data": "ab", "security_policy": policy}));
        let remove = one("remove_snp_host_data", json!({"host_data": "ab"}));
        let error = merge(&[host_data("x"), remove]).unwrap_err().to_string();
        assert_eq!(
            error,
            "add_snp_host_data and remove_snp_host_data both decide about the SNP host data ab, and not alike"
        );
        assert!(merge(&[host_data("x"), host_data("y")]).is_err());
        assert_eq!(merge(&[host_data("x"), host_data("x")]).unwrap().actions().len(), 1);
        let uvm = |svn: &str| one("add_snp_uvm_endorsement", json!({"did": "d", "feed": "f", "svn": svn}));
        assert!(merge(&[uvm("100"), uvm("101")]).is_err());
        let example = catalogue::find("set_member").unwrap().example();
        let id = pem_text::id(example.text("cert").unwrap()).unwrap();
        assert!(merge(&[Proposal::of(vec![example]), one("remove_member", json!({"member_id": id}))]).is_err());
        let surplus = Proposal::parse(br#"{"actions": [{"name": "x", "why": 1}]}"#).unwrap();
        assert!(matches!(merge(&[surplus]), Err(MergeError::Surplus { .. })));
    }
}
