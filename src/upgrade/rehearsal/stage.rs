//! The sandbox, and everybody who takes steps on it.

use std::collections::BTreeSet;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::sleep;

use super::inject::Injected;
use super::{End, Event, Fault, Rehearsal, Rehearsed, RehearsedStep, RehearsedWait, Signing, code};
use crate::certificate;
use crate::cose::{CreatedAt, Envelope, Message, SigningRequest};
use crate::digest::sha256;
use crate::evidence::node::{Attestation, Trust};
use crate::id::{MemberId, NodeId};
use crate::review;
use crate::sandbox::{NodeCode, NodeState, Sandbox, SandboxError};
use crate::service::{self, NodeStatus, Progress, Service};
use crate::signer::{self, Signer};
use crate::upgrade::{
    Act, CodeKind, Did, Doing, Need, Observed, Phase, Plan, Stepped, Task, Topology, UpgradeError, Verification, Walk,
    Who, Whom, was_outrun,
};

/// For so long after a fault, a step that fails is taken again, as a person would.
const UNSETTLED: Duration = Duration::from_secs(30);
/// How long one waits before that.
const AGAIN: Duration = Duration::from_millis(250);

pub(super) struct Stage {
    pub(super) sandbox: Sandbox,
    service: Service,
    pub(super) plan: Plan,
    verification: Verification,
    pub(super) signers: Vec<Box<dyn Signer>>,
    signing: Signing,
    new: NodeCode,
    pub(super) steps: Vec<RehearsedStep>,
    /// Faults that are still to come.
    pub(super) faults: Vec<Fault>,
    pub(super) injected: Vec<Injected>,
    /// Members who take no steps any more.
    pub(super) absent: BTreeSet<MemberId>,
}

/// How somebody's step ended.
enum Stood {
    Done,
    Going,
    Stopped(Vec<String>),
}

impl Stage {
    pub(super) async fn build(rehearsal: Rehearsal) -> Result<Self, UpgradeError> {
        let Rehearsal { plan, sandbox, signers, new, nodes, signing, faults, progress, .. } = rehearsal;
        let sandbox = Sandbox::start(sandbox).await.map_err(UpgradeError::Sandbox)?;
        let service = connect(&sandbox, progress).await?;
        let plan = code::as_on(plan, &sandbox, &nodes).map_err(UpgradeError::Sandbox)?;
        let certificate = certificate::from_pem(sandbox.service_certificate().as_bytes()).unwrap_or_default();
        let now = OffsetDateTime::now_utc();
        let trust = match &new {
            NodeCode::Snp(_) => Trust::rehearsal(sandbox.roots().map_err(UpgradeError::Sandbox)?, now),
            _ => Trust::pinned(now),
        };
        let mut stage = Self {
            plan: Plan { service: certificate.first().map(|der| sha256(der)).unwrap_or_default(), ..plan },
            verification: trust.into(),
            sandbox,
            service,
            signers,
            signing,
            new,
            steps: Vec::new(),
            faults,
            injected: Vec::new(),
            absent: BTreeSet::new(),
        };
        stage.provide();
        Ok(stage)
    }

    /// Everybody takes a step; the end, once it is reached.
    pub(super) async fn round(&mut self, report: &mut dyn FnMut(Event<'_>)) -> Result<Option<End>, UpgradeError> {
        let before = self.steps.len();
        let mut done = true;
        for at in 0..=self.signers.len() {
            self.inject(report).await?;
            let stood = match self.signers.get(at).map(|signer| signer.certificate().member_id()) {
                Some(id) if self.absent.contains(&id) => continue,
                Some(_) => self.member(at, report).await,
                None => self.operator(report).await,
            };
            match stood {
                Ok(Stood::Done) => {}
                Ok(Stood::Going) => done = false,
                Ok(Stood::Stopped(_)) | Err(UpgradeError::Service(_)) if self.is_unsettled() => {
                    done = false;
                    sleep(AGAIN).await;
                    self.service.refresh().await;
                }
                Ok(Stood::Stopped(reasons)) => return Ok(Some(End::Stopped(reasons))),
                Err(error) => return Err(error),
            }
        }
        if done {
            return Ok(Some(End::Done));
        }
        if self.steps.len() > before {
            return Ok(None);
        }
        if self.is_unsettled() {
            sleep(AGAIN).await;
            return Ok(None);
        }
        let (seen, next) = self.walk(Who::default()).look().await?;
        match next.doing {
            Doing::Wait(_) if matches!(next.wanted.need, Need::Time(_)) => Ok(None),
            Doing::Wait(waiting) => Ok(Some(End::Waiting(
                waiting
                    .into_iter()
                    .map(|waiting| RehearsedWait { whom: whom(&seen, &waiting.whom), what: waiting.what })
                    .collect(),
            ))),
            Doing::Blocked(reasons) => Ok(Some(End::Stopped(reasons))),
            Doing::Act(_) | Doing::Done => Ok(None),
        }
    }

    /// What came of it, once it is checked.
    pub(super) async fn close(self, end: End) -> Result<Rehearsed, UpgradeError> {
        if end == End::Done {
            self.check().await?;
        }
        let faults = self.told_faults(&end);
        Ok(Rehearsed { steps: self.steps, faults, end })
    }

    pub(super) fn walk(&self, who: Who) -> Walk<'_> {
        Walk { service: &self.service, plan: &self.plan, verification: &self.verification, who }
    }

    /// Whether something went wrong a moment ago.
    fn is_unsettled(&self) -> bool {
        self.injected.iter().any(|injected| injected.unsettles() && injected.at.elapsed() < UNSETTLED)
    }

    /// A member's step.
    async fn member(&mut self, at: usize, report: &mut dyn FnMut(Event<'_>)) -> Result<Stood, UpgradeError> {
        let Some(signer) = self.signers.get(at) else { return Ok(Stood::Done) };
        let id = signer.certificate().member_id();
        let mut phase = None;
        let stepped = self
            .walk(Who { member: Some(id), operator: false })
            .step(async |seen: &Observed, act: &Act| {
                phase = phase.or(act.phase());
                self.sign(&**signer, seen, act).await
            })
            .await?;
        Ok(self.told(phase.unwrap_or(stepped.next.phase()), Some(id), stepped, report))
    }

    /// The operator's step: starts what is to be started, stops and deletes what can go.
    async fn operator(&mut self, report: &mut dyn FnMut(Event<'_>)) -> Result<Stood, UpgradeError> {
        let who = Who { member: None, operator: true };
        let mut phase = None;
        let mut stepped = self
            .walk(who)
            .step::<UpgradeError>(async |_: &Observed, act: &Act| {
                phase = phase.or(act.phase());
                let Act::Delete(id) = act else { return Ok(None) };
                self.sandbox.stop(*id).map_err(UpgradeError::Sandbox)?;
                let transaction_id = self.service.delete_node(*id).await?;
                Ok(Some(Did::unsigned(act.title(&self.plan), transaction_id)))
            })
            .await?;
        for task in stepped.next.wanted.tasks.clone() {
            match task {
                Task::Start(count) => {
                    for _ in 0..count {
                        let id = self.sandbox.join(self.new.clone()).await.map_err(UpgradeError::Sandbox)?;
                        let what = format!("start node {}, which runs the new code, and let it join", id.short());
                        stepped.did.push(Did::unsigned(what, None));
                    }
                }
                Task::Restore(id) if self.is_stopped(id) => {
                    self.sandbox.restart(id).await.map_err(UpgradeError::Sandbox)?;
                    stepped.did.push(Did::unsigned(format!("start node {} again", id.short()), None));
                }
                _ => {}
            }
        }
        if !stepped.did.is_empty() {
            self.provide();
            stepped.seen = self.walk(who).look().await?.0;
        }
        Ok(self.told(phase.unwrap_or(stepped.next.phase()), None, stepped, report))
    }

    fn is_stopped(&self, id: NodeId) -> bool {
        self.sandbox.nodes().iter().any(|node| node.id == id && node.state == NodeState::Stopped)
    }

    /// Gives everybody the reports of SNP nodes, which a service does not show before they are trusted.
    fn provide(&mut self) {
        for node in self.sandbox.nodes() {
            let (NodeCode::Snp(_), Some(quote)) = (&node.code, self.sandbox.attestation(node.id)) else { continue };
            let shown = serde_json::json!({ "quoteInfo": quote });
            let (attestation, _) = review::node::gather(Attestation::of(Some(node.id)), node.id, &shown, &[]);
            self.verification.reports.insert(node.id, attestation);
        }
    }

    fn told(
        &mut self,
        phase: Phase,
        member: Option<MemberId>,
        stepped: Stepped,
        report: &mut dyn FnMut(Event<'_>),
    ) -> Stood {
        if !stepped.did.is_empty() {
            let topology = Topology::of(&self.plan, &stepped.seen);
            let who = member.map_or_else(|| "the operator".into(), |id| stepped.seen.name(id));
            let step = RehearsedStep { phase, member, did: stepped.did, topology };
            report(Event::Step(&step));
            self.steps.push(step);
            self.recovered(&who);
        }
        match stepped.next.doing {
            Doing::Done => Stood::Done,
            Doing::Blocked(reasons) => Stood::Stopped(reasons),
            Doing::Act(_) | Doing::Wait(_) => Stood::Going,
        }
    }

    async fn sign(&self, signer: &dyn Signer, seen: &Observed, act: &Act) -> Result<Option<Did>, UpgradeError> {
        let Some(request) = act.request(&self.plan, seen)? else { return Ok(None) };
        let message = Message::new(request.kind, CreatedAt::now()?, request.proposal, request.payload)?;
        let envelope = match self.signing {
            Signing::Direct => signer::sign(signer, message).await?,
            Signing::PrepareAndFinish => prepare_and_finish(signer, message).await?,
        };
        match self.service.submit(&envelope).await {
            Ok(done) => Ok(Some(Did::signed(act.title(&self.plan), &done))),
            Err(error) if was_outrun(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// No old node is left, enough new ones run, and where nothing but the new code is admitted, the old code is refused.
    async fn check(&self) -> Result<(), UpgradeError> {
        let (seen, _) = self.walk(Who::default()).look().await?;
        let nodes = Topology::of(&self.plan, &seen).nodes;
        let trusted = |kind| nodes.iter().filter(|n| n.status == NodeStatus::Trusted && n.code == kind).count();
        if trusted(CodeKind::New) < self.plan.nodes || trusted(CodeKind::Old) > 0 {
            return Err(UpgradeError::Claim(format!("the nodes are not {} that run the new code", self.plan.nodes)));
        }
        let old = self.sandbox.nodes().into_iter().map(|node| node.code).find(|code| *code != self.new);
        let Some(old) = old.filter(|_| self.plan.new.others(&seen.join_policy).is_empty()) else { return Ok(()) };
        match self.sandbox.join(old).await {
            Err(SandboxError::Refused(_)) => Ok(()),
            Err(error) => Err(UpgradeError::Sandbox(error)),
            Ok(id) => Err(UpgradeError::Claim(format!("node {id} with the old code was let in"))),
        }
    }
}

async fn connect(sandbox: &Sandbox, progress: Option<Progress>) -> Result<Service, UpgradeError> {
    let nodes = sandbox.nodes();
    let running = nodes.iter().filter(|node| node.state == NodeState::Running);
    let addresses = running.filter_map(|node| node.url.parse().ok()).collect();
    let options =
        service::Options { progress, ..service::Options::new(addresses, sandbox.service_certificate().into_bytes()) };
    Ok(Service::connect(options).await?)
}

fn whom(seen: &Observed, whom: &Whom) -> String {
    match whom {
        Whom::Members(ids) => {
            let mut names: Vec<String> = ids.iter().map(|id| seen.name(*id)).collect();
            names.sort();
            names.join(", ")
        }
        Whom::Operator => "the operator".into(),
        Whom::Service => "the service".into(),
    }
}

/// Writes the request file, reads it back as whoever holds the key does, signs, and finishes from the file.
async fn prepare_and_finish(signer: &dyn Signer, message: Message) -> Result<Envelope, UpgradeError> {
    let file = SigningRequest::new(message, signer.certificate().clone()).to_json().to_string();
    let mut read = SigningRequest::parse_file(file.as_bytes())?;
    let (Some(request), true) = (read.pop(), read.is_empty()) else {
        return Err(UpgradeError::Claim("a request was prepared, and its file holds another number of them".into()));
    };
    let signature = signer.sign(&request.to_be_signed()).await?;
    Ok(request.finish(signature)?)
}
