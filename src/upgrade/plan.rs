//! What an upgrade is to come to: everything that `upgrade.toml` and its artefacts say, and nothing of how far it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Value, json};

use super::{Code, Observed, ObservedNode, Running, Way};
use crate::ccf_version::CcfVersion;
use crate::digest::sha256;
use crate::id::{MemberId, NodeId};
use crate::proposal::Registration;
use crate::service::{Member, NodeStatus, Reference};

/// The end to which a service is to be brought. Whoever has the same `upgrade.toml` and artefacts has the same plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// SHA-256 of the service certificate's DER encoding.
    pub service: [u8; 32],
    /// What its nodes are to run.
    pub new: Code,
    /// The version of CCF that the new code is, if `upgrade.toml` says so.
    pub version: Option<CcfVersion>,
    /// How many nodes are to run it.
    pub nodes: usize,
    /// What is to be removed, where that is named.
    pub old: Option<Named>,
    /// The least number of nodes that may fail at any moment of the walk.
    pub minimum_f: usize,
    /// For how many days the certificates of the new nodes are valid.
    pub validity_days: u32,
    /// The constitution that is wanted; `None` leaves it.
    pub constitution: Option<String>,
    /// The application's bundle that is wanted; `None` leaves it.
    pub application: Option<Value>,
    /// Who proposes, as `upgrade.toml` says it; `None` is whoever comes first.
    pub proposer: Option<Reference<MemberId>>,
    /// Preconditions that are passed over: their names, and why.
    pub waived: BTreeMap<String, String>,
    /// Why the new code, or a part of it, is given by values that nobody can measure again; `None` if all of it was measured.
    pub without_artefact: Option<String>,
    /// SHA-256 of each artefact, by the name that `upgrade.toml` gives it.
    pub artefacts: BTreeMap<String, [u8; 32]>,
    /// Which way it walks: how things are called, and not part of the digest.
    pub way: Way,
}

/// Old code and nodes that `upgrade.toml` names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Registered values, by kind and key.
    pub values: BTreeSet<(Registration, String)>,
    /// Nodes to be retired whatever they run.
    pub nodes: BTreeSet<NodeId>,
}

/// What the code of a node is to the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize, serde::Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CodeKind {
    /// What is to be retired.
    Old,
    /// What is to run.
    New,
    /// Neither: it is never touched.
    Other,
}

impl fmt::Display for CodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Old => "old",
            Self::New => "new",
            Self::Other => "other",
        })
    }
}

/// Which code is old, as a service stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OldCode {
    /// What identifies it.
    identities: BTreeSet<String>,
    /// Nodes that are old whatever they run.
    nodes: BTreeSet<NodeId>,
    /// The values that are to be deregistered in the end.
    pub registered: Vec<(Registration, String)>,
    /// Set if nothing names the old code and several could be meant: their identities.
    pub ambiguous: BTreeSet<String>,
}

/// A plan's digest: what everybody compares before they start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PlanDigest([u8; 32]);

impl Plan {
    /// So many nodes that run this code, and nothing else: nothing named, nothing waived, at least one node may fail, and
    /// certificates are valid for 90 days.
    pub fn of(new: Code, nodes: usize) -> Self {
        Self {
            service: [0; 32],
            new,
            version: None,
            nodes,
            old: None,
            minimum_f: 1,
            validity_days: 90,
            constitution: None,
            application: None,
            proposer: None,
            waived: BTreeMap::new(),
            without_artefact: None,
            artefacts: BTreeMap::new(),
            way: Way::Forward,
        }
    }

    /// SHA-256 of everything that the plan says, in one written form.
    pub fn digest(&self) -> PlanDigest {
        PlanDigest(sha256(self.to_json().to_string().as_bytes()))
    }

    /// The plan as JSON: what its digest is made of.
    pub fn to_json(&self) -> Value {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let values = self.new.values.iter().map(|v| json!({"action": v.addition().name, "args": v.args}));
        let named = self.old.as_ref().map(|old| {
            let values = old.values.iter().map(|(kind, key)| json!([kind.remove(), key]));
            json!({"values": values.collect::<Vec<_>>(), "nodes": old.nodes})
        });
        json!({
            "service": hex(&self.service),
            "new": {"platform": self.new.platform, "values": values.collect::<Vec<_>>(),
                "version": self.version.map(|v| v.to_string()), "nodes": self.nodes},
            "old": named,
            "minimum_fault_tolerance": self.minimum_f,
            "validity_days": self.validity_days,
            "constitution": self.constitution,
            "application": self.application,
            "proposer": self.proposer.as_ref().map(|given| given.whole().map_or_else(|| given.text().to_owned(), MemberId::to_string)),
            "waive": self.waived,
            "without_artefact": self.without_artefact,
            "artefacts": self.artefacts.iter().map(|(name, digest)| (name.clone(), hex(digest))).collect::<BTreeMap<_, _>>(),
        })
    }

    /// Which code is old.
    ///
    /// It is what `upgrade.toml` names. If it names nothing, it is whatever else the trusted nodes run or the join policy
    /// admits, provided that is one code; with several, none of them is old, and they are to be named.
    pub fn old_code(&self, observed: &Observed) -> OldCode {
        let registered = self.new.others(&observed.join_policy);
        if let Some(named) = &self.old {
            let identities = named.values.iter().filter(|(kind, _)| *kind == self.new.identifying());
            return OldCode {
                identities: identities.map(|(_, key)| key.clone()).collect(),
                nodes: named.nodes.clone(),
                registered: registered.into_iter().filter(|value| named.values.contains(value)).collect(),
                ambiguous: BTreeSet::new(),
            };
        }
        let runs = |status| observed.nodes_that_are(status).filter_map(|node| self.foreign(node));
        let admitted = registered.iter().filter(|(kind, _)| Code::tells_apart(*kind)).map(|(_, key)| key.clone());
        let mut identities: BTreeSet<String> = runs(NodeStatus::Trusted).chain(admitted).collect();
        if identities.is_empty() {
            // Deregistered and retired already, but not deleted.
            identities = runs(NodeStatus::Retired).collect();
        }
        match identities.len() {
            0 | 1 => OldCode { identities, nodes: BTreeSet::new(), registered, ambiguous: BTreeSet::new() },
            _ => OldCode { ambiguous: identities, ..OldCode::default() },
        }
    }

    /// The member who proposes; `None` is whoever comes first.
    ///
    /// # Errors
    /// Not exactly one member of the service has that name, or an id that begins so.
    pub fn proposing(&self, observed: &Observed) -> Result<Option<MemberId>, String> {
        let Some(given) = &self.proposer else { return Ok(None) };
        if let Some(id) = given.whole() {
            return Ok(Some(*id));
        }
        let is = |member: &&Member| given.begins(member.member_id) || member.name().is_some_and(|n| given.is_name(&n));
        let found: Vec<MemberId> = observed.members.iter().filter(is).map(|member| member.member_id).collect();
        match found.as_slice() {
            [one] => Ok(Some(*one)),
            [] => Err(format!("the service has no member {given}")),
            several => Err(format!("{} members are called {given}: give the id", several.len())),
        }
    }

    /// Whether trusted nodes run an older major version of CCF than the new ones will: those join from a snapshot.
    pub(super) fn joins_from_snapshot(&self, observed: &Observed) -> bool {
        let Some(new) = self.version else { return false };
        let trusted = observed.nodes_that_are(NodeStatus::Trusted);
        trusted.filter_map(|node| node.version).any(|version| version.major < new.major)
    }

    /// What identifies the code of a node, if it is not the new code.
    fn foreign(&self, node: &ObservedNode) -> Option<String> {
        let running = node.running.as_ref()?;
        (!self.new.is(running)).then(|| running.identity().to_owned())
    }
}

impl OldCode {
    /// What a node's code is to the plan. The new code is new only if that was verified here.
    pub fn kind_of(&self, plan: &Plan, node: &ObservedNode) -> CodeKind {
        let old = |running: &Running| self.identities.contains(running.identity());
        match &node.running {
            _ if self.nodes.contains(&node.id) => CodeKind::Old,
            Some(running) if plan.new.is(running) => match node.verified {
                Ok(()) => CodeKind::New,
                Err(_) => CodeKind::Other,
            },
            Some(running) if old(running) => CodeKind::Old,
            _ => CodeKind::Other,
        }
    }
}

impl PlanDigest {
    /// The whole digest, 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        self.0.iter().map(|b| format!("{b:02x}")).collect()
    }
}

impl fmt::Display for PlanDigest {
    /// The first 16 digits in four groups: short enough to read out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = self.hex();
        let groups: Vec<&str> = (0..4).filter_map(|at| hex.get(4 * at..4 * at + 4)).collect();
        f.pad(&groups.join("-"))
    }
}

impl fmt::Debug for PlanDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
