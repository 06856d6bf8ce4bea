//! What is worth asking again, and every pause of this station ([`Pause`]).
//!
//! - A *read* goes to the node that answered last. When that fails, or takes longer than a second, the next one is asked beside it,
//!   and the first answer counts.
//! - A *write* goes to one node after the other: the same bytes, which is safe.
//! - When every node was asked in vain, there is a pause (50 ms, then twice as long each time, at most a second), a look around for
//!   nodes that came, and another round, until the patience is over. It bounds every request and every pause.
//! - Whoever waits longer than a second says for what, and how long at most.
//!
//! A key vault has a policy of its own, in `signer/azure_key_vault/web.rs`: it says itself how long to wait, and knows nothing of nodes.
//!
//! What counts as no answer: a connection that cannot be made, breaks, or takes too long; 429, 502, 503, 504 and
//! `SessionConsistencyLost`; a node that is not trusted; a state older than what is known to be committed.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::NodeAddress;
use super::client::Service;
use super::error::{NodeFailure, ServiceError};
use super::http::{Reply, Request};

/// After how long the next node is asked beside one that does not answer, and it is said that something is waited for.
pub(super) const SOON: Duration = Duration::from_secs(1);

/// How long is waited before something is asked again: each time twice as long, up to a bound.
#[derive(Debug)]
pub(super) struct Pause {
    next: Duration,
    longest: Duration,
}

impl Pause {
    /// After every node was asked in vain.
    const fn between_rounds() -> Self {
        Self { next: Duration::from_millis(50), longest: Duration::from_secs(1) }
    }

    /// Until a transaction is committed: a healthy service signs about once a second.
    pub(super) const fn until_committed() -> Self {
        Self { next: Duration::from_millis(10), longest: Duration::from_millis(250) }
    }

    /// Until members have resolved a proposal.
    pub(super) const fn until_resolved() -> Self {
        Self { next: Duration::from_millis(100), longest: Duration::from_secs(1) }
    }

    /// After an election, or until a node shows what another has taken already.
    pub(super) const fn for_catching_up() -> Self {
        Self::of(250)
    }

    /// How often, and how long apart, nodes that contradict each other are asked again: one of them may just lag.
    pub(super) fn until_agreed() -> [Self; 5] {
        [50, 150, 300, 500, 1000].map(Self::of)
    }

    /// Always as long.
    const fn of(milliseconds: u64) -> Self {
        let pause = Duration::from_millis(milliseconds);
        Self { next: pause, longest: pause }
    }

    /// Whether it would be over before `end`.
    pub(super) fn ends_before(&self, end: Instant) -> bool {
        Instant::now() + self.next < end
    }

    pub(super) async fn wait(&mut self) {
        sleep(self.next).await;
        self.next = (self.next * 2).min(self.longest);
    }
}

/// Until when something is worth trying.
#[derive(Debug)]
pub(super) struct Deadline {
    /// When the patience is over.
    pub end: Instant,
    pause: Pause,
    told: bool,
    told_quorum: bool,
}

/// Nodes that failed, and why.
pub(super) type Failures = Vec<(NodeAddress, NodeFailure)>;

impl Deadline {
    pub(super) fn at(end: Instant) -> Self {
        Self { end, pause: Pause::between_rounds(), told: false, told_quorum: false }
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }
}

impl Service {
    /// Until the patience is over, from now.
    pub(super) fn deadline(&self) -> Deadline {
        Deadline::at(Instant::now() + self.patience)
    }

    /// Asks until somebody answers or the time is over.
    pub(super) async fn persist(
        &self,
        doing: &str,
        request: &Request,
        deadline: &mut Deadline,
    ) -> Result<Reply, ServiceError> {
        loop {
            let mut nodes = Failures::new();
            if let Some(reply) = self.attempt(doing, request, deadline, &mut nodes).await {
                return Ok(reply);
            }
            if !self.pause(deadline, &nodes).await {
                let quorum = self.lost_quorum();
                return Err(ServiceError::Unreachable { doing: doing.into(), nodes, quorum });
            }
        }
    }

    /// One round: asks each node once until one answers; whoever does is asked first from then on.
    pub(super) async fn attempt(
        &self,
        doing: &str,
        request: &Request,
        deadline: &mut Deadline,
        failures: &mut Failures,
    ) -> Option<Reply> {
        let reply = match request.is_read() {
            true => self.ask_beside(doing, request, deadline, failures).await,
            false => self.ask_in_turn(doing, request, deadline, failures).await,
        }?;
        self.prefer(&reply.node);
        Some(reply)
    }

    async fn ask_beside(
        &self,
        doing: &str,
        request: &Request,
        deadline: &mut Deadline,
        failures: &mut Failures,
    ) -> Option<Reply> {
        let mut nodes = self.addresses().into_iter();
        let mut asked: Vec<NodeAddress> = Vec::new();
        let mut requests = JoinSet::new();
        while !deadline.is_over() {
            if let Some(node) = nodes.next() {
                asked.push(node.clone());
                let (http, request) = (self.http.hurried(deadline.left()), request.clone());
                requests.spawn(async move {
                    let result = http.send(&node, &request).await;
                    (node, result)
                });
            }
            match timeout_at((Instant::now() + SOON).min(deadline.end), requests.join_next()).await {
                Ok(Some(Ok((node, result)))) => {
                    asked.retain(|a| *a != node);
                    match result.and_then(|reply| self.judge(request, reply)) {
                        Ok(reply) => return Some(reply),
                        Err(failure) => note_failure(failures, node, failure),
                    }
                }
                Ok(Some(Err(_))) => {}
                Ok(None) => return None,
                Err(_) => self.tell(deadline, doing, asked.first()),
            }
        }
        asked
            .into_iter()
            .for_each(|node| note_failure(failures, node, NodeFailure::Timeout(self.patience.as_secs().max(1))));
        None
    }

    async fn ask_in_turn(
        &self,
        doing: &str,
        request: &Request,
        deadline: &mut Deadline,
        failures: &mut Failures,
    ) -> Option<Reply> {
        for node in self.addresses() {
            if deadline.is_over() {
                break;
            }
            let result = self.ask(doing, &node, request, deadline).await;
            match result.and_then(|reply| self.judge(request, reply)) {
                Ok(reply) => return Some(reply),
                Err(failure) => note_failure(failures, node, failure),
            }
        }
        None
    }

    async fn ask(
        &self,
        doing: &str,
        node: &NodeAddress,
        request: &Request,
        deadline: &mut Deadline,
    ) -> Result<Reply, NodeFailure> {
        let http = self.http.hurried(deadline.left());
        let mut answer = std::pin::pin!(http.send(node, request));
        if let Ok(result) = timeout(SOON, &mut answer).await {
            return result;
        }
        self.tell(deadline, doing, Some(node));
        answer.await
    }

    /// Says what is waited for, unless that was said before.
    pub(super) fn tell(&self, deadline: &mut Deadline, doing: &str, node: Option<&NodeAddress>) {
        if let Some(node) = node {
            self.say(deadline, &format!("{node} has not answered the request to {doing} yet"));
        }
    }

    /// Says, once, why it takes time.
    pub(super) fn say(&self, deadline: &mut Deadline, why: &str) {
        if !deadline.told {
            deadline.told = true;
            self.report(&format!("{why}; waiting, at most {} s more", deadline.left().as_secs()));
        }
    }

    /// Waits a little and looks around again; `false` when the time is over.
    pub(super) async fn pause(&self, deadline: &mut Deadline, failures: &[(NodeAddress, NodeFailure)]) -> bool {
        if !deadline.pause.ends_before(deadline.end) {
            return false;
        }
        if let Some((node, failure)) = failures.first() {
            self.say(deadline, &format!("{node}: {failure}"));
        }
        deadline.pause.wait().await;
        self.look_around(deadline.end).await;
        if let Some(quorum) = self.lost_quorum()
            && !deadline.told_quorum
        {
            deadline.told_quorum = true;
            self.report(&format!("{quorum}; waiting, at most {} s more", deadline.left().as_secs()));
        }
        !deadline.is_over()
    }

    /// "Not now", answers from the past and answers of strangers are failures.
    pub(super) fn judge(&self, request: &Request, reply: Reply) -> Result<Reply, NodeFailure> {
        if !self.is_trusted(reply.peer) {
            return Err(NodeFailure::NotTrusted);
        }
        if let Some(failure) = not_now(&reply) {
            return Err(failure);
        }
        match (reply.transaction, self.committed()) {
            (Some(shown), Some(committed)) if request.is_read() && shown < committed => {
                Err(NodeFailure::Lags { shown, committed })
            }
            _ => Ok(reply),
        }
    }
}

fn note_failure(failures: &mut Failures, node: NodeAddress, failure: NodeFailure) {
    tracing::info!(%node, %failure, "no answer");
    failures.push((node, failure));
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
    Some(NodeFailure::Unavailable { status, message: crate::text::excerpt(&message, 300) })
}
