//! A service as a whole: every request goes to the node that can answer it best, and on to the next if it can't.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::answer::Answer;
use super::error::{NodeFailure, ServiceError};
use super::http::{Http, Reply, Request};
use super::{NodeAddress, nodes};
use crate::id::TransactionId;

/// Told, in a sentence, why a request is waiting.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// How to reach a service.
#[derive(Clone)]
pub struct Options {
    /// Some of its nodes; the others are found.
    pub addresses: Vec<NodeAddress>,
    /// The service's certificate, PEM: the only root.
    pub certificate: Vec<u8>,
    /// The governance API's version, for example `2024-07-01`.
    pub api_version: String,
    /// How long elections, restarts and commits are waited out, for each request.
    pub patience: Duration,
    /// How long one node may take to answer.
    pub timeout: Duration,
    /// Told why a request is waiting.
    pub progress: Option<Progress>,
}

impl Options {
    /// These addresses and this certificate, with API version 2024-07-01, 60 s of patience and 10 s for each answer.
    pub fn new(addresses: Vec<NodeAddress>, certificate: Vec<u8>) -> Self {
        Self {
            addresses,
            certificate,
            api_version: "2024-07-01".into(),
            patience: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
            progress: None,
        }
    }
}

/// A CCF service, through whichever of its nodes answer.
pub struct Service {
    pub(super) http: Http,
    api_version: String,
    pub(super) patience: Duration,
    progress: Option<Progress>,
    given: Vec<NodeAddress>,
    order: Mutex<Vec<NodeAddress>>,
    committed: Mutex<Option<TransactionId>>,
    /// The newest seqno of each view that a read showed.
    pub(super) seen: Mutex<BTreeMap<u64, u64>>,
}

impl Service {
    /// Looks for the service's nodes. Fails at once if none of the given ones answers.
    pub async fn connect(options: Options) -> Result<Self, ServiceError> {
        if options.addresses.is_empty() {
            return Err(ServiceError::NoAddress);
        }
        let http = Http::new(&options.certificate, options.timeout)?;
        let survey = nodes::survey(&http, &options.addresses).await;
        if survey.order.is_empty() {
            return Err(ServiceError::Unreachable { doing: "tell the service's nodes".into(), nodes: survey.failures });
        }
        let service = Self {
            http,
            api_version: options.api_version,
            patience: options.patience,
            progress: options.progress,
            given: options.addresses,
            order: Mutex::new(survey.order),
            committed: Mutex::new(None),
            seen: Mutex::new(BTreeMap::new()),
        };
        for (node, failure) in &survey.failures {
            service.report(&format!("{node} is passed over: {failure}"));
        }
        Ok(service)
    }

    /// The nodes in the order in which they are asked now.
    pub fn addresses(&self) -> Vec<NodeAddress> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A path of the governance API, with the version.
    pub(super) fn gov(&self, path: &str) -> String {
        let separator = if path.contains('?') { '&' } else { '?' };
        let version: String =
            percent_encoding::utf8_percent_encode(&self.api_version, percent_encoding::NON_ALPHANUMERIC).collect();
        // The versions are dates; `-` needs no escape and reads better.
        format!("/gov{path}{separator}api-version={}", version.replace("%2D", "-"))
    }

    pub(super) fn report(&self, text: &str) {
        tracing::info!("{text}");
        if let Some(progress) = &self.progress {
            progress(text);
        }
    }

    pub(super) fn deadline(&self) -> Deadline {
        Deadline { end: Instant::now() + self.patience, pause: Duration::from_millis(50), told: false }
    }

    /// Nothing older than `transaction` is believed from now on.
    pub(super) fn remember_committed(&self, transaction: TransactionId) {
        let mut committed = self.committed.lock().unwrap_or_else(PoisonError::into_inner);
        *committed = (*committed).max(Some(transaction));
    }

    /// Reads `path` from the first node that can answer; waits out elections.
    pub(super) async fn read(&self, doing: &str, path: &str) -> Result<Reply, ServiceError> {
        let reply = self.read_any(doing, &Request::get(path)).await?;
        self.remember_seen(reply.transaction);
        match reply.status.is_success() {
            true => Ok(reply),
            false => Err(refused(doing, &reply)),
        }
    }

    /// Like [`Service::read`], as JSON.
    pub(super) async fn read_json<T: DeserializeOwned>(
        &self,
        doing: &'static str,
        path: &str,
    ) -> Result<Answer<T>, ServiceError> {
        Answer::read(doing, &self.read(doing, path).await?)
    }

    async fn read_any(&self, doing: &str, request: &Request) -> Result<Reply, ServiceError> {
        let mut deadline = self.deadline();
        loop {
            let mut nodes = Vec::new();
            if let Some(reply) = self.attempt(request, &mut nodes).await {
                return Ok(reply);
            }
            if !self.pause(&mut deadline, &nodes).await {
                return Err(ServiceError::Unreachable { doing: doing.into(), nodes });
            }
        }
    }

    /// Asks each node once until one answers; whoever does is asked first from then on. The others go into `failures`.
    pub(super) async fn attempt(
        &self,
        request: &Request,
        failures: &mut Vec<(NodeAddress, NodeFailure)>,
    ) -> Option<Reply> {
        for node in self.addresses() {
            match self.ask(&node, request).await {
                Ok(reply) => {
                    self.prefer(&node);
                    return Some(reply);
                }
                Err(failure) => {
                    tracing::info!(%node, %failure, "passed over");
                    failures.push((node, failure));
                }
            }
        }
        None
    }

    /// Asks one node; "not now" and answers from the past are failures.
    async fn ask(&self, node: &NodeAddress, request: &Request) -> Result<Reply, NodeFailure> {
        let reply = self.http.send(node, request).await?;
        if let Some(failure) = not_now(&reply) {
            return Err(failure);
        }
        let committed = *self.committed.lock().unwrap_or_else(PoisonError::into_inner);
        match (reply.transaction, committed) {
            (Some(shown), Some(committed)) if request.body.is_none() && shown < committed => {
                Err(NodeFailure::Lags { shown, committed })
            }
            _ => Ok(reply),
        }
    }

    fn prefer(&self, node: &NodeAddress) {
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = order.iter().position(|n| n == node) {
            order[..=at].rotate_right(1);
        }
    }

    /// Waits a little and looks around again; `false` when the time is over.
    pub(super) async fn pause(&self, deadline: &mut Deadline, failures: &[(NodeAddress, NodeFailure)]) -> bool {
        if Instant::now() + deadline.pause >= deadline.end {
            return false;
        }
        if !deadline.told
            && let Some((node, failure)) = failures.first()
        {
            self.report(&format!("{node}: {failure}; waiting, at most {} s", self.patience.as_secs()));
            deadline.told = true;
        }
        tokio::time::sleep(deadline.pause).await;
        deadline.pause = (deadline.pause * 2).min(Duration::from_secs(1));
        self.look_around().await;
        true
    }

    /// Finds out again which nodes there are, when somebody knows that they have changed.
    pub async fn refresh(&self) {
        self.look_around().await;
    }

    /// Finds out again which nodes there are and which of them leads.
    pub(super) async fn look_around(&self) {
        let mut known = self.addresses();
        known.extend(self.given.iter().filter(|g| !known.contains(g)).cloned().collect::<Vec<_>>());
        let survey = nodes::survey(&self.http, &known).await;
        if survey.answered && !survey.order.is_empty() {
            *self.order.lock().unwrap_or_else(PoisonError::into_inner) = survey.order;
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("nodes", &self.addresses()).finish_non_exhaustive()
    }
}

/// Until when a request is worth repeating, and how long to wait before the next time.
#[derive(Debug)]
pub(super) struct Deadline {
    pub end: Instant,
    pause: Duration,
    told: bool,
}

impl Deadline {
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }
}

/// The answers that mean "not now, or not on this connection": no primary, a primary that does not answer,
/// too many requests, and a connection that an election made void.
fn not_now(reply: &Reply) -> Option<NodeFailure> {
    let status = reply.status.as_u16();
    let refusal = reply.refusal();
    let void = refusal.as_ref().is_some_and(|r| r.code == "SessionConsistencyLost");
    if !matches!(status, 502..=504 | 429) && !void {
        return None;
    }
    let message = match refusal {
        Some(refusal) => format!("{} {}", refusal.code, refusal.message),
        None => reply.excerpt(),
    };
    Some(NodeFailure::Unavailable { status, message: message.chars().take(300).collect() })
}

/// The error for an answer that is a refusal, or nothing known.
pub(super) fn refused(doing: &str, reply: &Reply) -> ServiceError {
    match reply.refusal() {
        Some(refusal) => ServiceError::Refused(Box::new(refusal)),
        None => ServiceError::NotUnderstood {
            node: reply.node.clone(),
            what: doing.into(),
            reason: format!("status {} with {:?}", reply.status.as_u16(), reply.excerpt()),
        },
    }
}
