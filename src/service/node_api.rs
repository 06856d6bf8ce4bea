//! The node (operator) API, as far as an upgrade needs it.

use std::time::Duration;

use reqwest::Method;
use tokio::time::Instant;

use super::client::{Service, refused};
use super::error::ServiceError;
use super::http::{Bounds, Request};
use super::model::{ConsensusDetails, NodeList};
use super::retry::SOON;
use super::submit::Sent;
use super::{Answer, Consensus, Network, NetworkNode, NodeAddress};
use crate::id::{NodeId, TransactionId};

/// How long nodes that do not answer are given to come back before nobody waits for an election.
const NO_QUORUM: Duration = Duration::from_secs(3);
/// How long a node may take to speak of itself.
const OWN_WORD: Duration = Duration::from_secs(3);

impl Service {
    /// `GET /node/network`.
    pub async fn network(&self) -> Result<Answer<Network>, ServiceError> {
        self.read_json("describe its network", "/node/network", Bounds::LIST).await
    }

    /// `GET /node/network/nodes`: which of them is the primary, and where they listen.
    pub async fn network_nodes(&self) -> Result<Answer<Vec<NetworkNode>>, ServiceError> {
        Ok(nodes(self.read_json("list the network's nodes", "/node/network/nodes", Bounds::LIST).await?))
    }

    /// `GET /node/network/removable_nodes`: retired, and safe to stop and delete.
    pub async fn removable_nodes(&self) -> Result<Answer<Vec<NetworkNode>>, ServiceError> {
        Ok(nodes(self.read_json("list the removable nodes", "/node/network/removable_nodes", Bounds::LIST).await?))
    }

    /// `GET /node/version`: the version of CCF that the first node runs, as it spells it.
    pub async fn version(&self) -> Result<String, ServiceError> {
        let answer: Answer<serde_json::Value> =
            self.read_json("report its version", "/node/version", Bounds::WORDS).await?;
        Ok(answer.value.get("ccf_version").and_then(|v| v.as_str()).unwrap_or_default().to_owned())
    }

    /// `GET /node/attestations`: what the trusted nodes showed when they joined, as the service tells it.
    ///
    /// Of a service that does not have it, `GET /node/quotes`, as that was called before.
    pub async fn attestations(&self) -> Result<Vec<serde_json::Value>, ServiceError> {
        const DOING: &str = "show its nodes' attestations";
        let (name, answer): (_, Answer<serde_json::Value>) =
            match self.read_json(DOING, "/node/attestations", Bounds::LIST).await {
                Err(ServiceError::Refused(refusal)) if refusal.status == 404 => {
                    ("quotes", self.read_json(DOING, "/node/quotes", Bounds::LIST).await?)
                }
                answer => ("attestations", answer?),
            };
        Ok(answer.value.get(name).and_then(|list| list.as_array()).cloned().unwrap_or_default())
    }

    /// `GET /node/attestations/self` (or `/node/quotes/self`, as that was called before) of the node at `address`
    /// alone: what it says of itself. Waits for nothing.
    pub async fn own_attestation(&self, address: &NodeAddress) -> Result<serde_json::Value, String> {
        let http = self.http.hurried(OWN_WORD);
        let ask =
            async |path: &str| http.send(address, &Request::get(path, Bounds::LIST)).await.map_err(|e| e.to_string());
        let mut reply = ask("/node/attestations/self").await?;
        if reply.status.as_u16() == 404 {
            reply = ask("/node/quotes/self").await?;
        }
        if !reply.status.is_success() {
            return Err(format!("it answered {}", reply.status.as_u16()));
        }
        reply.json().map_err(|e| e.to_string())
    }

    /// `GET /node/consensus` of the primary, whose `acks` tell how far the others are. Waits out an election, but not a service
    /// that stands still because too few of its nodes answer.
    pub async fn consensus(&self) -> Result<Answer<Consensus>, ServiceError> {
        let doing = "describe the consensus as its primary";
        let request = Request::get("/node/consensus", Bounds::LIST);
        let mut deadline = self.deadline();
        let began = Instant::now();
        loop {
            let reply = self.persist(doing, &request, &mut deadline).await?;
            if !reply.status.is_success() {
                return Err(refused(doing, &reply));
            }
            let answer = Answer::<ConsensusDetails>::read(doing, &reply)?;
            if answer.details.leads() {
                return Ok(answer.map(|consensus| consensus.details));
            }
            let quorum = self.lost_quorum();
            if quorum.is_none() && began.elapsed() > SOON {
                self.say(&mut deadline, "the service has no primary");
            }
            deadline.end = began + if quorum.is_some() { NO_QUORUM.min(self.patience) } else { self.patience };
            if !self.pause(&mut deadline, &[]).await {
                return Err(ServiceError::Unreachable { doing: doing.into(), nodes: Vec::new(), quorum });
            }
        }
    }

    /// `GET /node/commit`: the newest committed transaction that the first node knows of.
    pub async fn commit(&self) -> Result<TransactionId, ServiceError> {
        #[derive(serde::Deserialize)]
        struct Commit {
            transaction_id: TransactionId,
        }
        let answer: Answer<Commit> = self.read_json("report what is committed", "/node/commit", Bounds::WORDS).await?;
        Ok(answer.value.transaction_id)
    }

    /// `DELETE /node/network/nodes/{nodeId}`: forgets a node whose retirement is committed. Safe to repeat:
    /// `None` if an earlier sending, whose answer was lost, did it.
    pub async fn delete_node(&self, id: NodeId) -> Result<Option<TransactionId>, ServiceError> {
        let doing = format!("delete node {id}");
        let path = format!("/node/network/nodes/{id}");
        let request = Request { method: Method::DELETE, path, body: None, bounds: Bounds::WORDS };
        match self.write(&doing, &request, &mut self.deadline()).await? {
            Sent::Committed(_, transaction, _) => Ok(Some(transaction)),
            Sent::Refused(reply, true) if reply.status.as_u16() == 404 => Ok(None),
            Sent::Refused(reply, _) => Err(refused(&doing, &reply)),
        }
    }
}

fn nodes(answer: Answer<NodeList>) -> Answer<Vec<NetworkNode>> {
    answer.map(|list| list.nodes)
}
