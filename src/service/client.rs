//! A service as a whole: what is known of it, and who is asked.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout};

use super::answer::Answer;
use super::error::{NodeFailure, ServiceError};
use super::http::{Bounds, Http, Reply, Request};
use super::nodes::{Belief, LostQuorum};
use super::retry::SOON;
use super::survey::{Survey, survey};
use super::{NodeAddress, Refusal};
use crate::id::{NodeId, TransactionId};

/// How long the first look around may take.
const FIRST_LOOK: Duration = Duration::from_secs(15);

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
    /// Those of the given that did not answer, or are not trusted, when the service was looked for.
    missing: Vec<(NodeAddress, NodeFailure)>,
    belief: Mutex<Belief>,
    committed: Mutex<Option<TransactionId>>,
}

impl Service {
    /// Looks for the service's nodes. Fails at once if none of the given ones answers, or if they contradict each other.
    pub async fn connect(options: Options) -> Result<Self, ServiceError> {
        if options.addresses.is_empty() {
            return Err(ServiceError::NoAddress);
        }
        let http = Http::new(&options.certificate, options.timeout)?;
        let Survey { belief, failures } = first_look(&http, &options).await;
        let belief = match belief {
            Ok(belief) if belief.order.is_empty() => {
                let doing = "list the service's nodes".into();
                return Err(ServiceError::Unreachable { doing, nodes: failures, quorum: None });
            }
            Ok(belief) => belief,
            Err(contradiction) => {
                let about = "which nodes are trusted".into();
                return Err(ServiceError::Contradiction { about, sides: contradiction.sides });
            }
        };
        let missing = failures.iter().filter(|(node, _)| options.addresses.contains(node)).cloned().collect();
        let service = Self {
            http,
            api_version: options.api_version,
            patience: options.patience,
            progress: options.progress,
            given: options.addresses,
            missing,
            belief: Mutex::new(belief),
            committed: Mutex::new(None),
        };
        for (node, failure) in &failures {
            service.report(&format!("{node} is skipped: {failure}"));
        }
        Ok(service)
    }

    /// The nodes in the order in which they are asked now.
    pub fn addresses(&self) -> Vec<NodeAddress> {
        self.belief().order.clone()
    }

    /// Where the trusted nodes listen, as the service publishes it; empty if it does not say.
    pub fn published(&self) -> Vec<NodeAddress> {
        self.belief().published.clone()
    }

    /// Those of the given addresses that did not answer, or whose nodes are not trusted, when the service was looked for.
    pub fn missing(&self) -> &[(NodeAddress, NodeFailure)] {
        &self.missing
    }

    /// If the service has no primary because too few of its nodes answer: how many do, as the last look around found.
    pub fn lost_quorum(&self) -> Option<LostQuorum> {
        self.belief().lost_quorum()
    }

    /// Whether a node may speak for the service.
    pub(super) fn is_trusted(&self, peer: Option<NodeId>) -> bool {
        self.belief().trusted.as_ref().is_none_or(|trusted| peer.is_some_and(|id| trusted.contains(&id)))
    }

    fn belief(&self) -> MutexGuard<'_, Belief> {
        self.belief.lock().unwrap_or_else(PoisonError::into_inner)
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
        tell(self.progress.as_ref(), text);
    }

    /// The newest transaction that is known to be committed.
    pub(super) fn committed(&self) -> Option<TransactionId> {
        *self.committed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing older than `transaction` is believed from now on.
    pub(super) fn remember_committed(&self, transaction: TransactionId) {
        let mut committed = self.committed.lock().unwrap_or_else(PoisonError::into_inner);
        *committed = (*committed).max(Some(transaction));
    }

    /// Reads `path` from a node that can answer; waits out elections.
    pub(super) async fn read(&self, doing: &str, path: &str, bounds: Bounds) -> Result<Reply, ServiceError> {
        let reply = self.persist(doing, &Request::get(path, bounds), &mut self.deadline()).await?;
        super::settled::remember_seen(&reply);
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
        bounds: Bounds,
    ) -> Result<Answer<T>, ServiceError> {
        Answer::read(doing, &self.read(doing, path, bounds).await?)
    }

    /// `node` is asked first from now on.
    pub(super) fn prefer(&self, node: &NodeAddress) {
        let order = &mut self.belief().order;
        if let Some(at) = order.iter().position(|n| n == node) {
            order[..=at].rotate_right(1);
        }
    }

    /// Finds out again which nodes there are, when somebody knows that they have changed.
    pub async fn refresh(&self) {
        self.look_around(self.deadline().end).await;
    }

    /// Finds out again which nodes there are and which of them leads. Whoever nobody vouches for who was trusted before changes
    /// nothing, nor do nodes that contradict each other.
    pub(super) async fn look_around(&self, end: Instant) {
        let mut known = self.addresses();
        known.extend(self.given.iter().filter(|g| !known.contains(g)).cloned().collect::<Vec<_>>());
        let Survey { belief, failures } = survey(&self.http, &known, end).await;
        match belief {
            Ok(new) => {
                let mut belief = self.belief();
                let before = belief.trusted.clone();
                let strangers = |before: BTreeSet<NodeId>| new.trusted.as_ref().is_none_or(|t| t.is_disjoint(&before));
                if new.order.is_empty() || before.is_some_and(strangers) {
                    tracing::info!(?failures, "no other node of the service was found");
                    belief.count.1 = if new.order.is_empty() { 0 } else { belief.count.1 };
                    belief.has_primary &= !new.order.is_empty();
                } else {
                    *belief = new;
                }
            }
            Err(contradiction) => {
                for (node, claim) in contradiction.sides {
                    self.report(&format!("nodes of the service contradict each other: {node} reports {claim}"));
                }
            }
        }
    }
}

/// Looks at the given addresses; says so if that takes time.
async fn first_look(http: &Http, options: &Options) -> Survey {
    let end = Instant::now() + FIRST_LOOK.min(options.patience.max(SOON));
    let mut look = std::pin::pin!(survey(http, &options.addresses, end));
    if let Ok(survey) = timeout(SOON, &mut look).await {
        return survey;
    }
    let seconds = end.saturating_duration_since(Instant::now()).as_secs();
    let given = options.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let what = format!("looking for the nodes of the service at {given}; waiting, at most {seconds} s more");
    tell(options.progress.as_ref(), &what);
    look.await
}

fn tell(progress: Option<&Progress>, text: &str) {
    tracing::info!("{text}");
    if let Some(progress) = progress {
        progress(text);
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("nodes", &self.addresses()).finish_non_exhaustive()
    }
}

/// The error for an answer that is a refusal, or nothing known.
pub(super) fn refused(doing: &str, reply: &Reply) -> ServiceError {
    let status = reply.status.as_u16();
    match reply.refusal() {
        Some(refusal) => ServiceError::Refused(Box::new(refusal)),
        // Whoever stands before the node may say so in its own words.
        None if status == 413 => {
            let (code, message) = ("RequestBodyTooLarge".into(), reply.excerpt());
            ServiceError::Refused(Box::new(Refusal {
                status,
                code,
                message,
                details: Vec::new(),
                after_silence: false,
            }))
        }
        None => ServiceError::NotUnderstood {
            node: reply.node.clone(),
            what: doing.into(),
            reason: format!("status {status} with {:?}", reply.excerpt()),
        },
    }
}
