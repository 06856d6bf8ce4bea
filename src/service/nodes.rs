//! Which nodes there are, and whom to ask first.
//!
//! A node that was removed goes on answering and believes that it is part of the network; so nobody is
//! believed about himself alone: the newest state that any node shows decides who is trusted.

use std::time::Duration;

use tokio::task::JoinSet;

use super::NodeAddress;
use super::error::NodeFailure;
use super::http::{Http, Reply, Request};
use super::model::{ConsensusDetails, NetworkNode, NodeList, NodeStatus};
use crate::id::{NodeId, TransactionId};
use crate::json;

/// How many nodes are looked at, at most.
const MAX_NODES: usize = 64;
/// How long a look at one node may take.
const LOOK: Duration = Duration::from_secs(5);
/// How long the others are waited for once a node has answered.
const GRACE: Duration = Duration::from_millis(1500);

/// What looking around found.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Addresses in the order in which they are to be asked: the primary first.
    pub order: Vec<NodeAddress>,
    /// Those that are not, and why.
    pub failures: Vec<(NodeAddress, NodeFailure)>,
    /// Whether any node answered at all.
    pub answered: bool,
}

/// One node's word.
#[derive(Debug)]
struct Sight {
    address: NodeAddress,
    /// Its place in the order in which nodes were given and found.
    rank: usize,
    /// Its id, if it says it.
    id: Option<NodeId>,
    /// The transaction at which it showed the list.
    at: Option<TransactionId>,
    nodes: Vec<NetworkNode>,
    leads: bool,
}

/// Looks at `addresses`, then at the primary that they name, then, if none leads, at every node that they know.
pub(super) async fn survey(http: &Http, addresses: &[NodeAddress]) -> Survey {
    let http = http.hurried(LOOK);
    let mut sights = Vec::new();
    let mut failures = Vec::new();
    look_at(&http, addresses, &mut sights, &mut failures).await;
    for _ in 0..3 {
        if sights.iter().any(|s| s.leads) || sights.is_empty() {
            break;
        }
        let seen = |a: &NodeAddress| sights.iter().any(|s| s.address == *a) || failures.iter().any(|(f, _)| f == a);
        let mut next: Vec<_> = newest(&sights).map_or_else(Vec::new, |s| others(s, true));
        next.retain(|a| !seen(a));
        if next.is_empty() {
            next = sights.iter().flat_map(|s| others(s, false)).filter(|a| !seen(a)).collect();
        }
        next.sort();
        next.dedup();
        next.truncate(MAX_NODES);
        if next.is_empty() {
            break;
        }
        look_at(&http, &next, &mut sights, &mut failures).await;
    }
    conclude(sights, failures)
}

async fn look_at(
    http: &Http,
    addresses: &[NodeAddress],
    sights: &mut Vec<Sight>,
    failures: &mut Vec<(NodeAddress, NodeFailure)>,
) {
    let mut looks = JoinSet::new();
    let before = sights.len() + failures.len();
    for (index, address) in addresses.iter().take(MAX_NODES).cloned().enumerate() {
        let http = http.clone();
        looks.spawn(async move { (address.clone(), look(&http, address, before + index).await) });
    }
    let mut waiting: Vec<NodeAddress> = addresses.to_vec();
    loop {
        let next = if sights.is_empty() {
            looks.join_next().await
        } else {
            match tokio::time::timeout(GRACE, looks.join_next()).await {
                Ok(next) => next,
                Err(_) => {
                    let late = waiting.drain(..).map(|a| (a, NodeFailure::Timeout(GRACE.as_secs())));
                    failures.extend(late);
                    return;
                }
            }
        };
        match next {
            Some(Ok((address, result))) => {
                waiting.retain(|a| *a != address);
                match result {
                    Ok(sight) => sights.push(sight),
                    Err(failure) => failures.push((address, failure)),
                }
            }
            Some(Err(_)) => {}
            None => return,
        }
    }
}

/// One node's word. A node whose node API is closed to us is taken as it is; it has answered, after all.
async fn look(http: &Http, address: NodeAddress, rank: usize) -> Result<Sight, NodeFailure> {
    let list = http.send(&address, &Request::get("/node/network/nodes")).await?;
    let consensus = http.send(&address, &Request::get("/node/consensus")).await?;
    let state = http.send(&address, &Request::get("/node/state")).await?;
    let id = read::<OwnState>(&state).map(|s| s.node_id);
    let leads = read::<ConsensusDetails>(&consensus).is_some_and(|c| c.details.leads());
    let nodes = read::<NodeList>(&list).map(|l| l.nodes).unwrap_or_default();
    Ok(Sight { address, rank, id, at: list.transaction, nodes, leads })
}

#[derive(serde::Deserialize)]
struct OwnState {
    node_id: NodeId,
}

fn read<T: serde::de::DeserializeOwned>(reply: &Reply) -> Option<T> {
    let value = json::parse(&reply.body).ok().filter(|_| reply.status.is_success())?;
    serde_json::from_value(value).ok()
}

fn newest(sights: &[Sight]) -> Option<&Sight> {
    sights.iter().max_by_key(|s| (s.at, s.leads))
}

/// The trusted nodes that `sight` lists, or the primary among them alone, on the interface that it was reached by.
fn others(sight: &Sight, primary_only: bool) -> Vec<NodeAddress> {
    let own = sight.nodes.iter().find(|n| Some(n.node_id) == sight.id);
    let interface = own.and_then(|n| {
        let here = |i: &super::RpcInterface| NodeAddress::from_published(&i.published_address).ok();
        n.rpc_interfaces.iter().find(|(_, i)| here(i).as_ref() == Some(&sight.address)).map(|(name, _)| name)
    });
    let trusted = sight.nodes.iter().filter(|n| n.status == NodeStatus::Trusted && (n.primary || !primary_only));
    let address = |n: &NetworkNode| {
        let same = interface.and_then(|name| n.rpc_interfaces.get(name));
        let any = same.or_else(|| n.rpc_interfaces.values().next())?;
        NodeAddress::from_published(&any.published_address).ok()
    };
    trusted.filter(|n| Some(n.node_id) != sight.id).filter_map(address).take(MAX_NODES).collect()
}

fn conclude(sights: Vec<Sight>, mut failures: Vec<(NodeAddress, NodeFailure)>) -> Survey {
    let answered = !sights.is_empty();
    let Some(newest) = newest(&sights) else {
        return Survey { order: Vec::new(), failures, answered };
    };
    let standing = |s: &Sight| {
        let id = s.id?;
        newest.nodes.iter().find(|n| n.node_id == id)
    };
    let known = others(newest, false);
    let out = |s: &&Sight| {
        let listed = s.id.is_some() && !newest.nodes.is_empty();
        listed && standing(s).is_none_or(|n| n.status != NodeStatus::Trusted)
    };
    let (removed, mut usable): (Vec<_>, Vec<_>) = sights.iter().partition(out);
    failures.extend(removed.iter().map(|s| (s.address.clone(), NodeFailure::NotTrusted)));
    usable.sort_by_key(|s| (!s.leads, std::cmp::Reverse(s.at), s.rank));
    let mut order: Vec<_> = usable.iter().map(|s| s.address.clone()).collect();
    for address in known {
        let off = removed.iter().any(|s| s.address == address);
        if !order.contains(&address) && !off {
            order.push(address);
        }
    }
    Survey { order, failures, answered }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn id(n: u8) -> NodeId {
        NodeId::from_bytes([n; 32])
    }

    fn address(n: u8) -> NodeAddress {
        NodeAddress::from_published(&format!("10.0.0.{n}:80")).unwrap()
    }

    fn listed(n: u8, status: NodeStatus, primary: bool) -> NetworkNode {
        let interface = super::super::RpcInterface { published_address: format!("10.0.0.{n}:80") };
        NetworkNode { node_id: id(n), status, primary, rpc_interfaces: BTreeMap::from([("main".into(), interface)]) }
    }

    fn sight(n: u8, at: (u64, u64), nodes: Vec<NetworkNode>, leads: bool) -> Sight {
        let at = Some(TransactionId { view: at.0, seqno: at.1 });
        Sight { address: address(n), rank: n.into(), id: Some(id(n)), at, nodes, leads }
    }

    #[test]
    fn a_removed_node_is_not_believed_and_the_primary_comes_first() {
        use NodeStatus::{Retired, Trusted};
        let old = vec![listed(1, Trusted, true), listed(2, Trusted, false)];
        let new = vec![listed(1, Retired, false), listed(2, Trusted, false), listed(3, Trusted, true)];
        let sights =
            vec![sight(1, (2, 50), old, true), sight(2, (4, 60), new.clone(), false), sight(3, (4, 61), new, true)];
        let survey = conclude(sights, Vec::new());
        assert_eq!(survey.order, [address(3), address(2)]);
        assert_eq!(survey.failures, [(address(1), NodeFailure::NotTrusted)]);
    }

    #[test]
    fn nodes_that_were_not_given_are_found() {
        use NodeStatus::{Pending, Trusted};
        let nodes = vec![listed(1, Trusted, true), listed(2, Trusted, false), listed(3, Pending, false)];
        let survey = conclude(vec![sight(1, (2, 5), nodes, true)], Vec::new());
        assert_eq!(survey.order, [address(1), address(2)]);
    }

    #[test]
    fn a_node_that_says_nothing_of_the_network_is_used_as_it_is() {
        let closed = Sight { address: address(9), rank: 0, id: None, at: None, nodes: Vec::new(), leads: false };
        assert_eq!(conclude(vec![closed], Vec::new()).order, [address(9)]);
    }
}
