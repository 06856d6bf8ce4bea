//! The whole walk on a sandbox: three old nodes, the members and an operator, each of whom repeats one step until all is done.

use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{Act, Code, Did, Observed, Phase, Plan, Task, Topology, UpgradeError, Verification, Walk, Who, was_outrun};
use crate::constitution::DEFAULT;
use crate::cose::{CreatedAt, Envelope, MemberCertificate, Message, SigningRequest};
use crate::digest::{HostData, sha256};
use crate::evidence::node::Trust;
use crate::id::MemberId;
use crate::sandbox::{Member, NodeCode, Options, Sandbox, SandboxError};
use crate::service::{self, Progress, Service};
use crate::signer::{self, PemSigner, Signer, SignerError};

/// How many nodes there are before and after.
const NODES: usize = 3;
/// More rounds than a walk takes.
const ROUNDS: usize = 100;

/// How a member's signature comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// Signed where it is made.
    Direct,
    /// Prepared as a request file, signed apart from it, finished from the file and the signature.
    PrepareAndFinish,
}

/// What is rehearsed, and by whom.
pub struct Rehearsal {
    /// The members' keys.
    pub signers: Vec<Box<dyn Signer>>,
    /// How their signatures come about.
    pub signing: Signing,
    /// Told why a request is waiting.
    pub progress: Option<Progress>,
}

/// What one person did in one step, and how the service stands after it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct RehearsedStep {
    /// The phase in which it was done.
    pub phase: Phase,
    /// Which member took the step; null for the operator.
    pub member: Option<MemberId>,
    /// What was done.
    pub did: Vec<Did>,
    /// The nodes after it.
    #[serde(flatten)]
    pub topology: Topology,
}

/// The keys of the three example members, which come with the sources and are public.
pub fn example_signers() -> Result<Vec<Box<dyn Signer>>, SignerError> {
    let pairs = [
        (include_str!("../../keys-example/member0_privk.pem"), include_str!("../../keys-example/member0_cert.pem")),
        (include_str!("../../keys-example/member1_privk.pem"), include_str!("../../keys-example/member1_cert.pem")),
        (include_str!("../../keys-example/member2_privk.pem"), include_str!("../../keys-example/member2_cert.pem")),
    ];
    let signer = |(key, certificate): (&str, &str)| -> Result<Box<dyn Signer>, SignerError> {
        let certificate = MemberCertificate::from_pem(certificate.as_bytes())?;
        Ok(Box::new(PemSigner::new(key, certificate)?))
    };
    pairs.into_iter().map(signer).collect()
}

/// Rehearses a code upgrade: starts a sandbox, lets each of the members and an operator repeat their step until nobody has anything
/// to do, and starts a node with the old code, which must be refused.
///
/// # Errors
/// A step fails, somebody waits for nobody, or what came of it is not what was wanted.
pub async fn rehearse(
    rehearsal: Rehearsal,
    report: &mut dyn FnMut(&RehearsedStep),
) -> Result<Vec<RehearsedStep>, UpgradeError> {
    let (old, new) = (HostData(sha256(b"old")), HostData(sha256(b"new")));
    let member =
        |s: &dyn Signer| Member { certificate: s.certificate().clone(), encryption_key: None, data: Value::Null };
    let members = rehearsal.signers.iter().map(|s| member(&**s)).collect();
    let nodes = vec![NodeCode::virtual_node(old); NODES];
    let sandbox = Sandbox::start(Options::new(members, DEFAULT.into(), nodes)).await.map_err(UpgradeError::Sandbox)?;
    let service = connect(&sandbox, rehearsal.progress).await?;
    let certificate = MemberCertificate::from_pem(sandbox.service_certificate().as_bytes()).map(|c| sha256(c.der()));
    let plan = Plan {
        service: certificate.unwrap_or_default(),
        constitution: Some(format!("{DEFAULT}\n// Set in a rehearsal.\n")),
        application: Some(application()),
        ..Plan::of(Code::virtual_node(new), NODES)
    };
    let verification = Verification::from(Trust::pinned(OffsetDateTime::now_utc()));
    let mut stage = Stage {
        sandbox: &sandbox,
        service: &service,
        plan: &plan,
        verification: &verification,
        new,
        steps: Vec::new(),
    };
    let mut done = false;
    for _ in 0..ROUNDS {
        let before = stage.steps.len();
        done = true;
        for signer in &rehearsal.signers {
            done &= stage.member(&**signer, rehearsal.signing, report).await?;
        }
        done &= stage.operator(report).await?;
        if done {
            break;
        }
        if stage.steps.len() == before && !stage.waits_for_the_service().await? {
            return Err(UpgradeError::Claim("everybody waits, and nobody has anything to do".into()));
        }
    }
    if !done {
        return Err(UpgradeError::Claim(format!("the walk was not over after {ROUNDS} rounds")));
    }
    stage.check(old).await?;
    Ok(stage.steps)
}

async fn connect(sandbox: &Sandbox, progress: Option<Progress>) -> Result<Service, UpgradeError> {
    let addresses = sandbox.nodes().iter().filter_map(|node| node.url.parse().ok()).collect();
    let options =
        service::Options { progress, ..service::Options::new(addresses, sandbox.service_certificate().into_bytes()) };
    Ok(Service::connect(options).await?)
}

struct Stage<'a> {
    sandbox: &'a Sandbox,
    service: &'a Service,
    plan: &'a Plan,
    verification: &'a Verification,
    new: HostData,
    steps: Vec<RehearsedStep>,
}

impl Stage<'_> {
    fn walk(&self, who: Who) -> Walk<'_> {
        Walk { service: self.service, plan: self.plan, verification: self.verification, who }
    }

    /// A member's step. Whether all is done.
    async fn member(
        &mut self,
        signer: &dyn Signer,
        signing: Signing,
        report: &mut dyn FnMut(&RehearsedStep),
    ) -> Result<bool, UpgradeError> {
        let id = signer.certificate().member_id();
        let mut phase = None;
        let stepped = self
            .walk(Who { member: Some(id), operator: false })
            .step(async |seen: &Observed, act: &Act| {
                phase = phase.or(act.phase());
                self.sign(signer, signing, seen, act).await
            })
            .await?;
        self.told(phase.unwrap_or(stepped.next.phase()), Some(id), stepped, report)
    }

    /// The operator's step: starts what is to be started, stops and deletes what can go.
    async fn operator(&mut self, report: &mut dyn FnMut(&RehearsedStep)) -> Result<bool, UpgradeError> {
        let who = Who { member: None, operator: true };
        let mut phase = None;
        let mut stepped = self
            .walk(who)
            .step::<UpgradeError>(async |_: &Observed, act: &Act| {
                phase = phase.or(act.phase());
                let Act::Delete(id) = act else { return Ok(None) };
                self.sandbox.stop(*id).map_err(UpgradeError::Sandbox)?;
                let transaction_id = self.service.delete_node(*id).await?;
                Ok(Some(Did::unsigned(act.title(self.plan), transaction_id)))
            })
            .await?;
        for task in &stepped.next.wanted.tasks {
            let Task::Start(count) = task else { continue };
            for _ in 0..*count {
                let id = self.sandbox.join(NodeCode::virtual_node(self.new)).await.map_err(UpgradeError::Sandbox)?;
                let what = format!("start node {}, which runs the new code, and let it join", id.short());
                stepped.did.push(Did::unsigned(what, None));
            }
        }
        if !stepped.did.is_empty() {
            stepped.seen = self.walk(who).look().await?.0;
        }
        self.told(phase.unwrap_or(stepped.next.phase()), None, stepped, report)
    }

    fn told(
        &mut self,
        phase: Phase,
        member: Option<MemberId>,
        stepped: super::Stepped,
        report: &mut dyn FnMut(&RehearsedStep),
    ) -> Result<bool, UpgradeError> {
        if let super::Doing::Blocked(reasons) = &stepped.next.doing {
            return Err(UpgradeError::Claim(reasons.join("; ")));
        }
        let done = matches!(stepped.next.doing, super::Doing::Done);
        if !stepped.did.is_empty() {
            let topology = Topology::of(self.plan, &stepped.seen);
            let step = RehearsedStep { phase, member, did: stepped.did, topology };
            report(&step);
            self.steps.push(step);
        }
        Ok(done)
    }

    async fn sign(
        &self,
        signer: &dyn Signer,
        signing: Signing,
        seen: &Observed,
        act: &Act,
    ) -> Result<Option<Did>, UpgradeError> {
        let Some(request) = act.request(self.plan, seen)? else { return Ok(None) };
        let message = Message::new(request.kind, CreatedAt::now()?, request.proposal, request.payload)?;
        let envelope = match signing {
            Signing::Direct => signer::sign(signer, message).await?,
            Signing::PrepareAndFinish => prepare_and_finish(signer, message).await?,
        };
        match self.service.submit(&envelope).await {
            Ok(done) => Ok(Some(Did::signed(act.title(self.plan), &done))),
            Err(error) if was_outrun(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn waits_for_the_service(&self) -> Result<bool, UpgradeError> {
        let (_, next) = self.walk(Who::default()).look().await?;
        Ok(matches!(next.wanted.need, super::Need::Time(_)))
    }

    /// Only the new code runs, and only the new code is let in.
    async fn check(&self, old: HostData) -> Result<(), UpgradeError> {
        let (seen, _) = self.walk(Who::default()).look().await?;
        let found = Topology::of(self.plan, &seen);
        if found.nodes.len() != NODES || found.nodes.iter().any(|node| node.code != super::CodeKind::New) {
            return Err(UpgradeError::Claim(format!("the nodes are not {NODES} that run the new code")));
        }
        match self.sandbox.join(NodeCode::virtual_node(old)).await {
            Err(SandboxError::Refused(_)) => Ok(()),
            Err(error) => Err(UpgradeError::Sandbox(error)),
            Ok(id) => Err(UpgradeError::Claim(format!("node {id} with the old code was let in"))),
        }
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

/// The smallest application: one endpoint.
fn application() -> Value {
    json!({
        "metadata": {"endpoints": {"/hello": {"get": {
            "js_module": "hello.js",
            "js_function": "hello",
            "forwarding_required": "never",
            "authn_policies": ["no_auth"],
            "mode": "readonly",
            "openapi": {},
        }}}},
        "modules": [{"name": "hello.js", "module": "export function hello() {\n  return { body: { hello: \"new code\" } };\n}\n"}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn walked(signing: Signing) -> Vec<RehearsedStep> {
        let rehearsal = Rehearsal { signers: example_signers().unwrap(), signing, progress: None };
        rehearse(rehearsal, &mut |_| {}).await.unwrap()
    }

    #[tokio::test]
    async fn a_rehearsal_walks_every_phase() {
        let steps = walked(Signing::Direct).await;
        let mut phases: Vec<Phase> = steps.iter().map(|s| s.phase).collect();
        phases.dedup();
        assert_eq!(phases.iter().copied().collect::<std::collections::BTreeSet<_>>().len(), 6, "{phases:?}");
        assert!(steps.iter().all(|step| step.topology.quorum.f >= 1), "the network always tolerates a failure");
        let last = steps.last().unwrap();
        assert!(last.topology.nodes.iter().all(|n| n.code == crate::upgrade::CodeKind::New && n.caught_up));
        // Two of three members decide: each proposal is made once, and has two votes.
        let votes = |what: &str| steps.iter().flat_map(|s| &s.did).filter(|d| d.what.starts_with(what)).count();
        assert_eq!(votes("vote"), 2 * votes("propose"));
    }

    #[tokio::test]
    async fn a_rehearsal_can_prepare_and_finish_every_signature() {
        assert!(!walked(Signing::PrepareAndFinish).await.is_empty());
    }
}
