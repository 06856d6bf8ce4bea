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
//! Each template states its [`Stage`], and its order within it. Actions of one name keep the order in which they were given.

use std::collections::{HashMap, HashSet};

use super::catalogue::{Catalogue, Decides, Stage, Template};
use super::parameter::ParameterKind;
use super::pem_text;
use super::private_key::{self, PrivateKey};
use super::{Action, Proposal};

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
pub fn merge(proposals: &[Proposal], catalogue: &Catalogue) -> Result<Proposal, MergeError> {
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
    if let Some(Conflict { first, second, about }) = conflicts(&actions, catalogue).into_iter().next() {
        let place = |at: usize| (all[at].0, all[at].1.name.clone());
        return Err(MergeError::Conflict { first: place(first), second: place(second), about });
    }
    let mut actions: Vec<Action> = actions.into_iter().cloned().collect();
    actions.sort_by_key(|action| catalogue.find(&action.name).map_or((Stage::Other, u32::MAX), Template::rank));
    Ok(Proposal::of(actions))
}

/// Every two different actions that decide the same thing.
pub fn conflicts(actions: &[&Action], catalogue: &Catalogue) -> Vec<Conflict> {
    let mut decided: HashMap<String, usize> = HashMap::new();
    let mut conflicts: Vec<Conflict> = Vec::new();
    let mut told = HashSet::new();
    for (second, action) in actions.iter().enumerate() {
        for about in decides(action, catalogue) {
            let first = *decided.entry(about.clone()).or_insert(second);
            if first != second && !actions[first].is_same(action) && told.insert((first, second)) {
                conflicts.push(Conflict { first, second, about });
            }
        }
    }
    conflicts
}

/// What an action decides, as text; nothing where an argument that says which one is missing.
fn decides(action: &Action, catalogue: &Catalogue) -> Vec<String> {
    let Some(template) = catalogue.find(&action.name) else { return Vec::new() };
    let about = |decides: &Decides| Some(format!("{}{}", decides.what, which(action, template, &decides.by)?));
    template.decides.iter().filter_map(about).collect()
}

fn which(action: &Action, template: &Template, keys: &[String]) -> Option<String> {
    let mut text = String::new();
    for key in keys {
        let value = action.text(key)?;
        let kind = template.parameter(key).map(|p| &p.kind);
        text += " ";
        text += &if kind == Some(&ParameterKind::Certificate) { pem_text::id(value)? } else { value.to_string() };
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn one(name: &str, args: serde_json::Value) -> Proposal {
        Proposal::of(vec![Action::new(name, Some(args))])
    }

    fn merge(proposals: &[Proposal]) -> Result<Proposal, MergeError> {
        super::merge(proposals, Catalogue::builtin())
    }

    fn names(proposal: &Proposal) -> Vec<&str> {
        proposal.actions().iter().map(|a| a.name.as_str()).collect()
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
        let example = Catalogue::builtin().find("set_member").unwrap().example();
        let id = pem_text::id(example.text("cert").unwrap()).unwrap();
        assert!(merge(&[Proposal::of(vec![example]), one("remove_member", json!({"member_id": id}))]).is_err());
        let surplus = Proposal::parse(br#"{"actions": [{"name": "x", "why": 1}]}"#).unwrap();
        assert!(matches!(merge(&[surplus]), Err(MergeError::Surplus { .. })));
    }
}
