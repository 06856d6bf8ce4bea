//! Steps on a sandbox where something goes wrong: nobody is harmed, and somebody is named.

use ccf_gov::cose::{CreatedAt, Message};
use ccf_gov::digest::{HostData, sha256};
use ccf_gov::evidence::node::Trust;
use ccf_gov::sandbox::{NodeCode, Sandbox};
use ccf_gov::service::{Options, Service};
use ccf_gov::signer::{Signer, sign};
use ccf_gov::upgrade::{
    Act, Code, Did, Doing, Observed, Plan, Stepped, Task, UpgradeError, Walk, Who, Whom, example_signers, was_outrun,
};

use crate::support::consortium::options;

struct Stage {
    sandbox: Sandbox,
    service: Service,
    plan: Plan,
    signers: Vec<Box<dyn Signer>>,
}

fn new_code() -> HostData {
    HostData(sha256(b"new"))
}

impl Stage {
    async fn new() -> Self {
        let sandbox = Sandbox::start(options(3)).await.unwrap();
        let addresses = sandbox.nodes().iter().map(|n| n.url.parse().unwrap()).collect();
        let service = Service::connect(Options::new(addresses, sandbox.service_certificate().into_bytes())).await;
        let plan = Plan::of(Code::virtual_node(new_code()), 3);
        Self { service: service.unwrap(), sandbox, plan, signers: example_signers().unwrap() }
    }

    async fn member(&self, at: usize) -> Stepped {
        let signer = &*self.signers[at];
        let trust = Trust::pinned(time::OffsetDateTime::now_utc());
        let who = Who { member: Some(signer.certificate().member_id()), operator: false };
        let walk = Walk { service: &self.service, plan: &self.plan, trust: &trust, who };
        let perform = async |seen: &Observed, act: &Act| -> Result<Option<Did>, UpgradeError> {
            let request = act.request(&self.plan, seen)?.unwrap();
            let message = Message::new(request.kind, CreatedAt::now()?, request.proposal, request.payload)?;
            match self.service.submit(&sign(signer, message).await?).await {
                Ok(done) => Ok(Some(Did::signed(act.title(), &done))),
                Err(error) if was_outrun(&error) => Ok(None),
                Err(error) => Err(error.into()),
            }
        };
        walk.step(perform).await.unwrap()
    }

    async fn register(&self) {
        self.member(0).await;
        let stepped = self.member(1).await;
        assert_eq!(stepped.next.wanted.tasks, [Task::Start(3)]);
    }
}

#[tokio::test]
async fn a_node_that_runs_other_code_is_never_trusted() {
    let stage = Stage::new().await;
    stage.register().await;
    let id = stage.sandbox.join(NodeCode::named("old")).await.unwrap();
    let stepped = stage.member(0).await;
    assert!(stepped.did.is_empty(), "{:?}", stepped.did);
    assert!(stepped.seen.node(id).is_some() && stepped.next.wanted.tasks == [Task::Start(3)]);
    let Doing::Wait(waiting) = &stepped.next.doing else { panic!("{:?}", stepped.next.doing) };
    assert_eq!(waiting.iter().map(|w| &w.whom).collect::<Vec<_>>(), [&Whom::Operator]);
}

#[tokio::test]
async fn a_dead_old_node_is_retired_before_a_new_one_is_trusted_where_the_rest_would_be_no_majority() {
    let stage = Stage::new().await;
    stage.register().await;
    let backup = stage.sandbox.nodes().into_iter().find(|n| Some(n.id) != stage.sandbox.primary()).unwrap().id;
    stage.sandbox.stop(backup).unwrap();
    stage.sandbox.join(NodeCode::virtual_node(new_code())).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    let did: Vec<String> = stage.member(0).await.did.into_iter().map(|d| d.what).collect();
    assert!(did.first().is_some_and(|d| *d == format!("propose to retire node {}", backup.short())), "{did:?}");
}
