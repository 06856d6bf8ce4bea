//! A sandbox with three old nodes, the plan to replace them, and the people who walk it.

use std::time::{Duration, Instant};

use ccf_gov::cose::{CreatedAt, Envelope, Message, MessageType};
use ccf_gov::digest::{HostData, sha256};
use ccf_gov::evidence::node::Trust;
use ccf_gov::id::{MemberId, NodeId, ProposalId};
use ccf_gov::proposal::Proposal;
use ccf_gov::sandbox::{NodeCode, Sandbox};
use ccf_gov::service::{NodeStatus, Options, ProposalState, Service, Submission};
use ccf_gov::signer::{Signer, sign};
use ccf_gov::upgrade::{
    Act, Code, Did, Doing, Next, Observed, Plan, Stepped, Task, Topology, UpgradeError, Verification, Walk, Who,
    example_signers, was_outrun,
};

use crate::support::consortium::options;

pub struct Stage {
    pub sandbox: Sandbox,
    pub service: Service,
    pub plan: Plan,
    signers: Vec<Box<dyn Signer>>,
    verification: Verification,
}

/// What the new nodes run.
pub fn new_code() -> HostData {
    HostData(sha256(b"new"))
}

impl Stage {
    pub async fn new() -> Self {
        let sandbox = Sandbox::start(options(3)).await.unwrap();
        let service = connect(&sandbox).await;
        let plan = Plan::of(Code::virtual_node(new_code()), 3);
        let verification = Trust::pinned(time::OffsetDateTime::now_utc()).into();
        Self { sandbox, service, plan, signers: example_signers().unwrap(), verification }
    }

    /// One whose new code is registered, by two of the members.
    pub async fn registered() -> Self {
        let stage = Self::new().await;
        stage.member(0).await;
        let stepped = stage.member(1).await;
        assert_eq!(stepped.next.wanted.tasks, [Task::Start(3)]);
        stage
    }

    pub fn id(&self, member: usize) -> MemberId {
        self.signers[member].certificate().member_id()
    }

    fn walk(&self, member: Option<usize>) -> Walk<'_> {
        let who = Who { member: member.map(|at| self.id(at)), operator: member.is_none() };
        Walk { service: &self.service, plan: &self.plan, verification: &self.verification, who }
    }

    /// How a member sees the service; nothing is done.
    pub async fn look(&self, member: usize) -> (Observed, Next) {
        self.walk(Some(member)).look().await.unwrap()
    }

    /// A member's step.
    pub async fn member(&self, at: usize) -> Stepped {
        self.walk(Some(at)).step(async |seen: &Observed, act: &Act| self.perform(at, seen, act).await).await.unwrap()
    }

    pub async fn perform(&self, at: usize, seen: &Observed, act: &Act) -> Result<Option<Did>, UpgradeError> {
        let request = act.request(&self.plan, seen)?.unwrap();
        let envelope = self.envelope(at, request.kind, request.proposal, request.payload).await;
        match self.service.submit(&envelope).await {
            Ok(done) => Ok(Some(Did::signed(act.title(&self.plan), &done))),
            Err(error) if was_outrun(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Something that a member does by hand.
    pub async fn by_hand(
        &self,
        at: usize,
        kind: MessageType,
        proposal: Option<ProposalId>,
        payload: &[u8],
    ) -> Submission {
        self.service.submit(&self.envelope(at, kind, proposal, payload.to_vec()).await).await.unwrap()
    }

    pub async fn propose(&self, at: usize, proposal: &Proposal) -> ProposalId {
        self.by_hand(at, MessageType::Proposal, None, proposal.bytes()).await.proposal.unwrap().proposal_id
    }

    async fn envelope(&self, at: usize, kind: MessageType, proposal: Option<ProposalId>, payload: Vec<u8>) -> Envelope {
        let message = Message::new(kind, CreatedAt::now().unwrap(), proposal, payload).unwrap();
        sign(&*self.signers[at], message).await.unwrap()
    }

    /// The operator's step, and what only an operator can do.
    pub async fn operator(&self) -> Stepped {
        let delete = async |_: &Observed, act: &Act| -> Result<Option<Did>, UpgradeError> {
            let Act::Delete(id) = act else { panic!("an operator signs nothing: {act:?}") };
            // It may be dead already.
            let _ = self.sandbox.stop(*id);
            let transaction = self.service.delete_node(*id).await?;
            Ok(Some(Did::unsigned(act.title(&self.plan), transaction)))
        };
        let stepped = self.walk(None).step(delete).await.unwrap();
        for task in &stepped.next.wanted.tasks {
            let Task::Start(count) = task else { continue };
            for _ in 0..*count {
                self.join().await;
            }
        }
        stepped
    }

    pub async fn join(&self) -> NodeId {
        self.sandbox.join(NodeCode::virtual_node(new_code())).await.unwrap()
    }

    /// Lets these members and the operator repeat their steps until all is done.
    pub async fn finish(&self, members: &[usize]) {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let mut done = true;
            for at in members {
                done &= is_done(&self.member(*at).await);
            }
            done &= is_done(&self.operator().await);
            if done {
                break;
            }
            assert!(Instant::now() < end, "not done: {:?}", self.look(0).await.1);
        }
        let (seen, _) = self.look(0).await;
        let topology = Topology::of(&self.plan, &seen);
        let nodes: Vec<_> = topology.nodes.iter().filter(|n| n.status != NodeStatus::Pending).collect();
        assert_eq!(nodes.len(), self.plan.nodes, "{topology:?}");
        assert!(nodes.iter().all(|n| self.plan.word(n.code) == ccf_gov::upgrade::CodeKind::New), "{topology:?}");
        let open = seen.proposals.values().filter(|known| known.state == ProposalState::Open);
        assert_eq!(open.count(), 0, "nothing that was proposed is left open");
    }
}

pub fn is_done(stepped: &Stepped) -> bool {
    assert!(!matches!(stepped.next.doing, Doing::Blocked(_)), "{:?}", stepped.next.doing);
    matches!(stepped.next.doing, Doing::Done)
}

/// What was done, in words.
pub fn did(stepped: &Stepped) -> Vec<&str> {
    stepped.did.iter().map(|did| did.what.as_str()).collect()
}

pub async fn connect(sandbox: &Sandbox) -> Service {
    let addresses = sandbox.nodes().iter().map(|n| n.url.parse().unwrap()).collect();
    Service::connect(Options::new(addresses, sandbox.service_certificate().into_bytes())).await.unwrap()
}
