//! The walk: one phase after the other, each step guarded, done, checked and reported.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::quorum::{GuardError, Quorum};
use super::{Code, Consortium, NodeLine, Operator, Passed, Phase, Step, UpgradeError};
use crate::id::NodeId;
use crate::proposal::{Action, Proposal};
use crate::service::{Node, NodeStatus, Replication, Service};

/// How long anything may take that the walk waits for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a node may be behind before it counts as one that is not there.
const CATCH_UP: Duration = Duration::from_secs(5);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(50);

/// The constitution and the application that are wanted; what is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The constitution's source, one module.
    pub constitution: Option<String>,
    /// The application's bundle: `{"metadata": {"endpoints": …}, "modules": [{"name", "module"}]}`.
    pub application: Option<Value>,
}

/// A code upgrade of one service.
pub struct Upgrade<'a> {
    /// The service.
    pub service: &'a Service,
    /// Who proposes and votes.
    pub consortium: &'a Consortium,
    /// Who starts and stops processes.
    pub operator: &'a dyn Operator,
    /// What every node is to run in the end.
    pub new: Code,
    /// How many nodes there are to be in the end.
    pub nodes: usize,
    /// For how many days a new node's certificate is valid.
    pub validity_days: u32,
    /// The rules and the application that are wanted.
    pub rules: Rules,
    /// Told every step when it is done.
    pub report: &'a mut dyn FnMut(&Step),
}

impl Upgrade<'_> {
    /// Walks all phases. Stops at the first step that does not do what it claims.
    pub async fn walk(&mut self) -> Result<Vec<Step>, UpgradeError> {
        let old: Vec<NodeId> = self.trusted().await?.iter().map(|n| n.node_id).collect();
        let mut steps = vec![self.step(Phase::Before, "the service before the upgrade", None).await?];
        self.register(&mut steps).await?;
        self.join_and_trust(&mut steps).await?;
        let retired = self.retire(&old, &mut steps).await?;
        self.delete(&retired, &mut steps).await?;
        self.set_rules(&mut steps).await?;
        self.deregister(&mut steps).await?;
        self.check(&old, &mut steps).await?;
        Ok(steps)
    }

    /// Carries one proposal of these actions through.
    pub(super) async fn pass(&self, actions: Vec<Action>) -> Result<Passed, UpgradeError> {
        self.consortium.pass(self.service, &Proposal::of(actions)).await
    }

    /// Reports what was done and how the service stands now.
    pub(super) async fn done(
        &mut self,
        steps: &mut Vec<Step>,
        phase: Phase,
        title: impl Into<String>,
        proposal: Option<Passed>,
    ) -> Result<(), UpgradeError> {
        let step = self.step(phase, title, proposal).await?;
        steps.push(step);
        Ok(())
    }

    async fn step(
        &mut self,
        phase: Phase,
        title: impl Into<String>,
        proposal: Option<Passed>,
    ) -> Result<Step, UpgradeError> {
        let replication = self.replication().await?;
        let nodes = self.service.nodes().await?;
        let line = |node: &Node| NodeLine {
            node_id: node.node_id,
            status: node.status,
            code: self.kind_of(node),
            primary: node.node_id == replication.primary,
            caught_up: replication.caught_up.contains(&node.node_id),
            removable: node.retired_committed,
        };
        let nodes: Vec<NodeLine> = nodes.iter().map(line).collect();
        let trusted = nodes.iter().filter(|n| n.status == NodeStatus::Trusted).count();
        if trusted != replication.configured.len() {
            let configured = replication.configured.len();
            return Err(claim(format!("{trusted} nodes are trusted, and {configured} take part in the consensus")));
        }
        let step =
            Step { phase, title: title.into(), proposal, nodes, quorum: Quorum::of(trusted), view: replication.view };
        (self.report)(&step);
        Ok(step)
    }

    fn kind_of(&self, node: &Node) -> &'static str {
        match (&node.quote_info, check_node(&self.new, node)) {
            (_, Ok(())) => "new",
            (Some(_), Err(_)) => "old",
            (None, Err(_)) => "other",
        }
    }

    pub(super) async fn trusted(&self) -> Result<Vec<Node>, UpgradeError> {
        let nodes = self.service.nodes().await?.value;
        Ok(nodes.into_iter().filter(|n| n.status == NodeStatus::Trusted).collect())
    }

    /// The network, when no change of it is under way.
    pub(super) async fn replication(&self) -> Result<Replication, UpgradeError> {
        self.wait("the network has one committed configuration and a primary", async || {
            Ok(Replication::take(self.service).await?.filter(|s| s.settled))
        })
        .await
    }

    /// Lets a step pass that the quorum guard allows. A node may be a moment behind; one that stays behind is a no.
    pub(super) async fn guard(
        &self,
        check: impl Fn(&Replication) -> Result<Quorum, GuardError>,
    ) -> Result<Quorum, UpgradeError> {
        let end = Instant::now() + CATCH_UP;
        loop {
            match check(&self.replication().await?) {
                Ok(after) => return Ok(after),
                Err(refused) if Instant::now() > end => return Err(refused.into()),
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    /// Waits until `look` finds what it looks for.
    pub(super) async fn wait<T>(
        &self,
        what: impl Into<String>,
        look: impl AsyncFn() -> Result<Option<T>, UpgradeError>,
    ) -> Result<T, UpgradeError> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            if Instant::now() > end {
                return Err(UpgradeError::Timeout { what: what.into(), seconds: PATIENCE.as_secs() });
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// A step was done, and what it claims is not so.
pub(super) fn claim(text: impl Into<String>) -> UpgradeError {
    UpgradeError::Claim(text.into())
}

/// Whether a virtual node's attestation is about this code and about that node; if not, why.
pub(super) fn check_node(code: &Code, node: &Node) -> Result<(), String> {
    let quote = node.quote_info.as_ref().ok_or("the service shows no attestation of it")?;
    let attestation =
        crate::evidence::virt::Attestation::parse(quote.raw_quote.as_bytes()).map_err(|e| e.to_string())?;
    let running = super::Running {
        platform: crate::platform::Platform::Virtual,
        host_data: Some(attestation.host_data.to_string()),
        measurement: attestation.measurement,
        uvm: None,
    };
    if code.is(&running) { Ok(()) } else { Err("node-host-data: it runs other code".into()) }
}
