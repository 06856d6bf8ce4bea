//! Services to play on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::policy;
use crate::digest::HostData;
use crate::id::{MemberId, NodeId};
use crate::review::Application;
use crate::service::{Follower, JoinPolicy, Member, NodeStatus, Replication};
use crate::upgrade::{Code, Observed, ObservedNode};

pub(in crate::upgrade) fn id(n: u8) -> NodeId {
    NodeId::from_bytes([n; 32])
}

pub(in crate::upgrade) fn virtual_code(n: u8) -> Code {
    Code::virtual_node(HostData([n; 32]))
}

/// A service of so many nodes that run this code, the first of which leads.
pub(in crate::upgrade) fn service(code: &Code, nodes: u8) -> Observed {
    let ids: BTreeSet<NodeId> = (1..=nodes).map(id).collect();
    let mut join_policy = JoinPolicy::default();
    code.values.iter().for_each(|value| policy::apply(&mut join_policy, &value.addition()));
    let node = |id: &NodeId| ObservedNode {
        id: *id,
        status: NodeStatus::Trusted,
        retired_committed: false,
        address: None,
        running: Some(code.running()),
        verified: Ok(()),
        version: None,
        validity: None,
    };
    let member: Member = serde_json::from_value(json!({
        "memberId": MemberId::from_bytes([9; 32]), "status": "Active", "certificate": "", "memberData": null,
    }))
    .unwrap();
    let heard = ids.iter().map(|id| (*id, Follower { silent_ms: 0, has_everything: true })).collect();
    Observed {
        at: time::OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000),
        committed: true,
        info: None,
        members: vec![member],
        nodes: ids.iter().map(node).collect(),
        replication: Some(Replication {
            primary: id(1),
            view: Some(2),
            commit: "2.10".parse().unwrap(),
            configured: ids.clone(),
            caught_up: ids,
            heard,
            settled: true,
        }),
        lost_quorum: None,
        join_policy,
        constitution: Some("old".into()),
        registered: None,
        basis: None,
        application: Some(Application::default()),
        proposals: BTreeMap::new(),
    }
}
