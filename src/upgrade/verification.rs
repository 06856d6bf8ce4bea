//! How nodes' attestations are verified.

use std::collections::BTreeMap;

use crate::evidence::node::{Attestation, Trust};
use crate::id::NodeId;

/// Under whose roots attestations are verified, and what operators provided of their nodes.
#[derive(Clone, Debug)]
pub struct Verification {
    /// Whose roots count, and when.
    pub trust: Trust,
    /// The attestations of nodes of which the service shows none, or not all: it shows no report of an SNP node that waits.
    pub reports: BTreeMap<NodeId, Attestation>,
}

impl From<Trust> for Verification {
    fn from(trust: Trust) -> Self {
        Self { trust, reports: BTreeMap::new() }
    }
}

impl Verification {
    /// What there is of a node's attestation beside what the service shows.
    pub(super) fn given(&self, id: NodeId) -> Attestation {
        self.reports.get(&id).cloned().unwrap_or_else(|| Attestation::of(Some(id)))
    }
}
