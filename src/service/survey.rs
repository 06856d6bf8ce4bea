//! Looking around: which nodes there are, by the word of as many as it takes to know.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::NodeAddress;
use super::error::NodeFailure;
use super::http::{Bounds, Http, Reply, Request};
use super::model::{ConsensusDetails, NodeList};
use super::nodes::{self, Belief, Contradiction, MAX_NODES, Report};
use super::retry::Pause;
use crate::id::NodeId;

/// How long a look at one node may take.
const LOOK: Duration = Duration::from_secs(5);
/// How long nodes that are listed by one that has answered are waited for. Others, who may contradict it, have the whole time.
const GRACE: Duration = Duration::from_millis(1500);

/// What looking around found.
#[derive(Debug)]
pub(super) struct Survey {
    /// Whom to believe; nobody answered if that is empty.
    pub belief: Result<Belief, Contradiction>,
    /// Those that did not answer, and those that are not trusted.
    pub failures: Vec<(NodeAddress, NodeFailure)>,
}

/// Looks at `addresses`, at the primary that they report, and if none leads, or they contradict each other, at every node that
/// they know. Ends with what is known by `end`.
pub(super) async fn survey(http: &Http, addresses: &[NodeAddress], end: Instant) -> Survey {
    let mut look = Looking { http: http.hurried(LOOK), end, reports: Vec::new(), failures: Vec::new() };
    look.at(addresses).await;
    for _ in 0..3 {
        let next = look.unseen();
        if next.is_empty() {
            break;
        }
        look.at(&next).await;
    }
    let mut belief = nodes::conclude(&look.reports);
    for mut pause in Pause::until_agreed() {
        if belief.is_ok() || !pause.ends_before(end) {
            break;
        }
        pause.wait().await;
        look.again().await;
        belief = nodes::conclude(&look.reports);
    }
    let mut failures = look.failures;
    if let Ok(belief) = &belief {
        failures.extend(belief.removed.iter().map(|address| (address.clone(), NodeFailure::NotTrusted)));
    }
    Survey { belief, failures }
}

struct Looking {
    http: Http,
    end: Instant,
    reports: Vec<Report>,
    failures: Vec<(NodeAddress, NodeFailure)>,
}

impl Looking {
    /// Looks at all of them at once.
    async fn at(&mut self, addresses: &[NodeAddress]) {
        let mut looks = JoinSet::new();
        let before = self.reports.len() + self.failures.len();
        for (index, address) in addresses.iter().take(MAX_NODES).cloned().enumerate() {
            let http = self.http.clone();
            looks.spawn(async move { (address.clone(), look(&http, address, before + index).await) });
        }
        let mut waiting: Vec<NodeAddress> = addresses.iter().take(MAX_NODES).cloned().collect();
        let whole = (Instant::now() + LOOK).min(self.end);
        while !waiting.is_empty() {
            let grace = Instant::now() + GRACE;
            let until = if self.would_not_contradict(&waiting) { whole.min(grace) } else { whole };
            match timeout_at(until, looks.join_next()).await {
                Ok(Some(Ok((address, result)))) => {
                    waiting.retain(|a| *a != address);
                    match result {
                        Ok(report) => self.reports.push(report),
                        Err(failure) => self.failures.push((address, failure)),
                    }
                }
                Ok(Some(Err(_))) => {}
                Ok(None) | Err(_) => break,
            }
        }
        let seconds = |at: Duration| at.as_secs_f32().ceil() as u64;
        let waited = if self.reports.is_empty() { LOOK } else { GRACE };
        self.failures.extend(waiting.into_iter().map(|a| (a, NodeFailure::Timeout(seconds(waited)))));
    }

    /// Whether those who are waited for are all nodes that one that has answered lists: they cannot say much else.
    fn would_not_contradict(&self, waiting: &[NodeAddress]) -> bool {
        let knows = |s: &Report, address: &NodeAddress| s.nodes.is_empty() || s.others(false).contains(address);
        self.reports.iter().any(|s| waiting.iter().all(|a| knows(s, a)))
    }

    /// Whom to look at next: nobody, if a primary is known and nobody contradicts.
    fn unseen(&self) -> Vec<NodeAddress> {
        let seen = |a: &NodeAddress| {
            self.reports.iter().any(|s| s.address == *a) || self.failures.iter().any(|(failed, _)| failed == a)
        };
        let mut next: Vec<_> = match nodes::conclude(&self.reports) {
            Ok(belief) if belief.has_primary => return Vec::new(),
            Ok(_) => self.reports.iter().flat_map(|s| s.others(true)).collect(),
            Err(_) => Vec::new(),
        };
        next.retain(|a| !seen(a));
        if next.is_empty() {
            next = self.reports.iter().flat_map(|s| s.others(false)).filter(|a| !seen(a)).collect();
        }
        next.sort();
        next.dedup();
        next.truncate(MAX_NODES);
        next
    }

    /// Asks everybody who has answered once more. Who does not answer now has said what it said.
    async fn again(&mut self) {
        let mut looks = JoinSet::new();
        for report in &self.reports {
            let (http, address, rank) = (self.http.clone(), report.address.clone(), report.rank);
            looks.spawn(async move { look(&http, address, rank).await });
        }
        let until = (Instant::now() + GRACE).min(self.end);
        while let Ok(Some(result)) = timeout_at(until, looks.join_next()).await {
            if let Ok(Ok(new)) = result
                && let Some(old) = self.reports.iter_mut().find(|s| s.address == new.address)
            {
                *old = new;
            }
        }
    }
}

/// One node's word. A node whose node API is closed to us is taken as it is; it has answered, after all.
async fn look(http: &Http, address: NodeAddress, rank: usize) -> Result<Report, NodeFailure> {
    let ask = async |path: &str, bounds| http.send(&address, &Request::get(path, bounds)).await;
    let all = async {
        let list = ask("/node/network/nodes", Bounds::LIST).await?;
        let nodes = read::<NodeList>(&list).map(|l| l.nodes).unwrap_or_default();
        // A node whose key is that of a listed node has nothing to add to that.
        let proven = list.peer.filter(|peer| nodes.iter().any(|node| node.node_id == *peer));
        let named = nodes.iter().find(|node| node.primary).map(|node| node.node_id);
        let leads = match (proven, named) {
            // Its list names the primary by the same knowledge by which it would report that it leads.
            (Some(id), Some(primary)) => id == primary,
            _ => {
                let consensus = ask("/node/consensus", Bounds::LIST).await?;
                read::<ConsensusDetails>(&consensus).is_some_and(|c| c.details.leads())
            }
        };
        let claimed = match proven {
            Some(id) => Some(id),
            None => read::<OwnState>(&ask("/node/state", Bounds::WORDS).await?).map(|s| s.node_id),
        };
        Ok((list, leads, nodes, claimed))
    };
    let looked = timeout(LOOK, all).await.unwrap_or(Err(NodeFailure::Timeout(LOOK.as_secs())));
    let (list, leads, nodes, claimed) = looked?;
    Ok(Report { address, rank, peer: list.peer, claimed, at: list.transaction, nodes, leads })
}

#[derive(serde::Deserialize)]
struct OwnState {
    node_id: NodeId,
}

fn read<T: serde::de::DeserializeOwned>(reply: &Reply) -> Option<T> {
    let value = reply.json().ok().filter(|_| reply.status.is_success())?;
    serde_json::from_value(value).ok()
}
