//! What people call the members and nodes of a service.

use std::collections::BTreeMap;

use super::{Member, Node, Service, ServiceError};
use crate::id::{MemberId, NodeId};
use crate::text::visible;

/// Members by the name in their certificates, nodes by their addresses; made fit to be shown.
///
/// Names are for reading. They decide nothing: several may be the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The members that have one.
    pub members: BTreeMap<MemberId, String>,
    /// The nodes that have one.
    pub nodes: BTreeMap<NodeId, String>,
}

impl Names {
    /// Those of these members and nodes.
    pub fn of(members: &[Member], nodes: &[Node]) -> Self {
        let member = |m: &Member| Some((m.member_id, visible(&m.name()?)));
        let node = |n: &Node| Some((n.node_id, visible(n.address()?)));
        Self { members: members.iter().filter_map(member).collect(), nodes: nodes.iter().filter_map(node).collect() }
    }

    /// The name of whatever has this id.
    pub fn get(&self, id: &str) -> Option<String> {
        let member = || self.members.get(&id.parse().ok()?).cloned();
        let node = || self.nodes.get(&id.parse().ok()?).cloned();
        member().or_else(node)
    }
}

impl Service {
    /// The names of its members and nodes.
    pub async fn names(&self) -> Result<Names, ServiceError> {
        Ok(Names::of(&self.members().await?, &self.nodes().await?))
    }
}
