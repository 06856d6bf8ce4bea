//! Each node as its operator needs to see it: what it runs, whether it is heard of, whether it can be stopped.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::evidence::node::Attestation;
use crate::id::NodeId;
use crate::platform::Platform;
use crate::service::{
    Answer, Follower, Node, NodeAddress, NodeStatus, OwnWord, Replication, Service, ServiceError, Validity,
};

/// How long the primary's view of its network is waited for: with the quorum lost, there is none.
const PATIENCE: Duration = Duration::from_secs(3);

/// The code in a node's attestation. It is not verified here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunningCode {
    /// What it runs on.
    pub platform: Platform,
    /// What it was started with: the digest of its security policy or, on the virtual platform, of its executable.
    pub host_data: Option<String>,
    /// The launch measurement, the MRENCLAVE, or CCF's constant.
    pub measurement: String,
}

impl RunningCode {
    /// What tells a platform's code apart: the host data, or where there is none, the measurement.
    pub fn label(&self) -> &str {
        self.host_data.as_deref().unwrap_or(&self.measurement)
    }
}

/// A node, and how it stands.
#[derive(Clone, Debug)]
pub struct ObservedNode {
    /// The node.
    pub node: Node,
    /// The service's JSON of it.
    pub raw: Value,
    /// What is known beside that.
    pub more: NodeDetails,
}

/// Why a node is not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDeletable {
    /// It has retired, and an election could undo that.
    #[error("node {0} is not deleted: its retirement is not committed yet, and the service may still need it")]
    NotCommitted(NodeId),
    /// It is part of the network.
    #[error("node {0} is not deleted: it is a trusted node of the service")]
    Trusted(NodeId),
    /// It has only joined.
    #[error("node {0} is not deleted: it has joined and is not trusted yet")]
    Pending(NodeId),
}

/// What is known of a node beside what the governance API lists. `null` is what nobody says.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct NodeDetails {
    /// Whether it is the primary.
    pub primary: bool,
    /// Heard of within the last second, with everything that is committed; by the primary's word.
    pub caught_up: Option<bool>,
    /// It had everything that is committed when the primary last heard of it.
    pub has_everything: Option<bool>,
    /// For how many milliseconds the primary has not heard of it.
    pub silent_ms: Option<u64>,
    /// The code in its attestation, not verified.
    pub code: Option<RunningCode>,
    /// Whether it answers at its address, and says that it is this node.
    pub answers: Option<bool>,
    /// The version of CCF that it says it runs.
    pub ccf_version: Option<String>,
    /// How long its certificate is valid.
    pub certificate_validity: Option<Validity>,
}

impl ObservedNode {
    /// Whose certificate ends first, of the nodes that are part of the service.
    pub fn first_to_expire(nodes: &[Self]) -> Option<(Validity, &Self)> {
        let alive = nodes.iter().filter(|n| n.node.status != NodeStatus::Retired);
        alive.filter_map(|n| Some((n.more.certificate_validity?, n))).min_by_key(|(v, _)| v.not_after)
    }

    /// Every node: Trusted ones first, the primary before the others, then by address.
    pub async fn all(service: &Service) -> Result<(Answer<Vec<Node>>, Vec<Self>), ServiceError> {
        let answer = service.nodes().await?;
        let raw = answer.raw.get("value").and_then(Value::as_array).cloned().unwrap_or_default();
        let nodes = answer.value.iter().cloned().zip(raw).collect();
        let observed = Self::look(service, nodes).await;
        Ok((answer, observed))
    }

    /// One node; `None` if the service does not list it.
    pub async fn of(service: &Service, id: NodeId) -> Result<Option<(Answer<Node>, Self)>, ServiceError> {
        let Some(answer) = service.node(id).await? else { return Ok(None) };
        let mut observed = Self::look(service, vec![(answer.value.clone(), answer.raw.clone())]).await;
        Ok(observed.pop().map(|standing| (answer, standing)))
    }

    async fn look(service: &Service, nodes: Vec<(Node, Value)>) -> Vec<Self> {
        let addresses = nodes.iter().filter_map(|(node, _)| address(node)).collect();
        let words = service.own_words(addresses).await;
        // The node API may be closed to members, and where there is no primary nobody knows: then it is not said.
        let (replication, network) = match service.lost_quorum() {
            Some(_) => (None, None),
            None => (
                timeout(PATIENCE, Replication::take(service)).await.ok().and_then(Result::ok).flatten(),
                timeout(PATIENCE, service.network()).await.ok().and_then(Result::ok),
            ),
        };
        let primary = replication.as_ref().map(|s| s.primary).or_else(|| network.and_then(|n| n.primary_id));
        let attested = match nodes.iter().any(|(node, _)| node.status == NodeStatus::Trusted) {
            true => service.attestations().await.unwrap_or_default(),
            false => Vec::new(),
        };
        let more = |node: &Node, raw: &Value| NodeDetails {
            primary: primary == Some(node.node_id),
            code: running_code(node.node_id, raw, &attested),
            ..NodeDetails::of(node, replication.as_ref(), &words)
        };
        let mut observed: Vec<_> =
            nodes.into_iter().map(|(node, raw)| Self { more: more(&node, &raw), node, raw }).collect();
        observed.sort_by_cached_key(Self::order);
        observed
    }

    fn order(&self) -> (u8, bool, String, NodeId) {
        let status = match self.node.status {
            NodeStatus::Trusted => 0,
            NodeStatus::Pending => 1,
            NodeStatus::Retired => 2,
        };
        (status, !self.more.primary, self.node.address().unwrap_or_default().to_owned(), self.node.node_id)
    }

    /// Whether the service lets its operator delete the node: when its retirement is committed.
    ///
    /// # Errors
    /// Why it does not.
    pub fn check_deletable(&self) -> Result<(), NotDeletable> {
        let id = self.node.node_id;
        match (self.node.status, self.node.retired_committed) {
            (NodeStatus::Retired, true) => Ok(()),
            (NodeStatus::Retired, false) => Err(NotDeletable::NotCommitted(id)),
            (NodeStatus::Trusted, _) => Err(NotDeletable::Trusted(id)),
            (NodeStatus::Pending, _) => Err(NotDeletable::Pending(id)),
        }
    }

    /// What is to be known of the node before anything is done to it, in a few words.
    pub fn describe(&self) -> String {
        let silent = || format!("not heard of for {} s", self.more.silent_ms.unwrap_or_default() / 1000);
        let heard = self.heard();
        match (self.node.status, self.node.retired_committed) {
            (NodeStatus::Pending, _) => "not trusted yet".into(),
            (NodeStatus::Retired, false) => "its retirement is not committed yet: keep it running".into(),
            (NodeStatus::Retired, true) if self.more.answers == Some(true) => {
                "its retirement is committed: it can be stopped, and then deleted".into()
            }
            (NodeStatus::Retired, true) => "its retirement is committed: it can be deleted".into(),
            (NodeStatus::Trusted, _) => match (self.more.caught_up, heard) {
                _ if self.more.primary => "primary".into(),
                (Some(true), _) if self.more.answers == Some(false) => {
                    "caught up a moment ago; does not answer at its address".into()
                }
                (Some(true), _) => "caught up".into(),
                (_, Some(heard)) if heard.has_everything => {
                    format!("{}; it had everything that is committed", silent())
                }
                (_, Some(heard)) if !heard.is_live() => format!("{}, and not caught up", silent()),
                (Some(false), _) => "not caught up yet".into(),
                (None, _) if self.more.answers == Some(false) => "does not answer".into(),
                (None, _) => "no primary says how far it is".into(),
            },
        }
    }

    fn heard(&self) -> Option<Follower> {
        Some(Follower { silent_ms: self.more.silent_ms?, has_everything: self.more.has_everything? })
    }

    /// The service's JSON of the node, with [`NodeDetails`] beside it.
    pub fn json(&self) -> Value {
        let mut json = self.raw.clone();
        if let (Value::Object(json), Ok(Value::Object(more))) = (&mut json, serde_json::to_value(&self.more)) {
            json.extend(more);
        }
        json
    }
}

impl NodeDetails {
    fn of(
        node: &Node,
        replication: Option<&Replication>,
        words: &BTreeMap<NodeAddress, Result<OwnWord, crate::service::NodeFailure>>,
    ) -> Self {
        let id = node.node_id;
        let heard = replication.and_then(|s| s.heard.get(&id));
        let word = address(node).and_then(|a| words.get(&a));
        // Another node may have taken the address over.
        let own = word.and_then(|w| w.as_ref().ok()).filter(|w| w.node_id.is_none_or(|own| own == id));
        Self {
            caught_up: replication.map(|s| s.caught_up.contains(&id)),
            has_everything: heard.map(|h| h.has_everything),
            silent_ms: heard.map(|h| h.silent_ms),
            answers: word.map(|_| own.is_some()),
            ccf_version: own.and_then(|w| w.version.clone()),
            certificate_validity: node.validity(),
            ..Self::default()
        }
    }
}

fn address(node: &Node) -> Option<NodeAddress> {
    NodeAddress::from_published(node.address()?).ok()
}

/// The code in what the service shows of a node's attestation.
fn running_code(id: NodeId, node: &Value, attested: &[Value]) -> Option<RunningCode> {
    let own = attested.iter().find(|a| a.get("node_id").and_then(Value::as_str) == Some(&id.to_string()));
    let mut attestation = Attestation::of(Some(id));
    for part in own.into_iter().chain(node.get("quoteInfo")) {
        for (name, value) in part.as_object().into_iter().flatten() {
            let _ = attestation.complete(json!({name: value}).to_string().as_bytes());
        }
    }
    let claim = attestation.claim()?;
    Some(RunningCode {
        platform: claim.platform,
        host_data: claim.host_data.map(|h| h.to_string()),
        measurement: claim.measurement,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(status: &str, committed: bool, more: NodeDetails) -> ObservedNode {
        let raw = json!({"nodeId": "ab".repeat(32), "status": status, "retiredCommitted": committed});
        ObservedNode { node: serde_json::from_value(raw.clone()).unwrap(), raw, more }
    }

    #[test]
    fn a_node_whose_retirement_is_not_committed_is_kept_running() {
        let describe = |status, committed, more| standing(status, committed, more).describe();
        assert!(describe("Retired", false, NodeDetails::default()).ends_with("not committed yet: keep it running"));
        assert!(describe("Retired", true, NodeDetails::default()).ends_with("it can be deleted"));
        let answers = NodeDetails { answers: Some(true), ..NodeDetails::default() };
        assert!(describe("Retired", true, answers).ends_with("it can be stopped, and then deleted"));
        assert_eq!(describe("Pending", false, NodeDetails::default()), "not trusted yet");
    }

    #[test]
    fn a_dead_node_that_has_everything_is_not_one_that_is_behind() {
        let trusted = |caught_up, heard: Option<(u64, bool)>| {
            let (silent_ms, has_everything) = (heard.map(|h| h.0), heard.map(|h| h.1));
            standing("Trusted", false, NodeDetails { caught_up, silent_ms, has_everything, ..NodeDetails::default() })
                .describe()
        };
        assert_eq!(trusted(Some(true), Some((5, true))), "caught up");
        assert_eq!(
            trusted(Some(false), Some((4263, true))),
            "not heard of for 4 s; it had everything that is committed"
        );
        assert_eq!(trusted(Some(false), Some((4263, false))), "not heard of for 4 s, and not caught up");
        assert_eq!(trusted(Some(false), Some((5, false))), "not caught up yet");
        assert_eq!(trusted(Some(false), None), "not caught up yet");
        assert_eq!(trusted(None, None), "no primary says how far it is");
    }
}
