//! The walk of an upgrade when something is not as it claims to be: it stops, and says where.

use async_trait::async_trait;
use ccf_gov::id::NodeId;
use ccf_gov::sandbox::{NodeCode, Sandbox};
use ccf_gov::service::{Options, Service};
use ccf_gov::upgrade::{
    Code, Consortium, Operator, OperatorError, Phase, Rules, Signing, Step, Upgrade, UpgradeError, example_signers,
};

use crate::support::consortium::options;

/// An operator who does something else than what was asked for.
struct Careless<'a> {
    sandbox: &'a Sandbox,
    /// Starts this instead of the new code.
    starts: Option<NodeCode>,
    /// Ends the process of some other node, once, before a node is started.
    kills: std::cell::Cell<Option<NodeId>>,
}

#[async_trait(?Send)]
impl Operator for Careless<'_> {
    async fn start(&self, code: &Code) -> Result<NodeId, OperatorError> {
        if let Some(id) = self.kills.take() {
            self.sandbox.stop(id).unwrap();
        }
        match &self.starts {
            Some(other) => Ok(self.sandbox.join(other.clone()).await.unwrap()),
            None => Operator::start(self.sandbox, code).await,
        }
    }

    async fn stop(&self, node: NodeId) -> Result<(), OperatorError> {
        Operator::stop(self.sandbox, node).await
    }
}

async fn walk(
    sandbox: &Sandbox,
    operator: &dyn Operator,
    rules: Rules,
) -> (Vec<Phase>, Result<Vec<Step>, UpgradeError>) {
    let addresses = sandbox.nodes().iter().map(|n| n.url.parse().unwrap()).collect();
    let service = Service::connect(Options::new(addresses, sandbox.service_certificate().into_bytes())).await.unwrap();
    let consortium = Consortium::new(example_signers().unwrap(), Signing::Direct);
    let mut phases = Vec::new();
    let mut report = |step: &Step| phases.push(step.phase);
    let NodeCode::Virtual { host_data, .. } = NodeCode::named("new") else { unreachable!() };
    let mut upgrade = Upgrade {
        service: &service,
        consortium: &consortium,
        operator,
        new: Code::virtual_node(host_data),
        nodes: 3,
        validity_days: 90,
        rules,
        report: &mut report,
    };
    let result = upgrade.walk().await;
    (phases, result)
}

#[tokio::test]
async fn a_node_that_runs_other_code_is_never_trusted() {
    let sandbox = Sandbox::start(options(3)).await.unwrap();
    let careless = Careless { sandbox: &sandbox, starts: Some(NodeCode::named("old")), kills: Default::default() };
    let (phases, result) = walk(&sandbox, &careless, Rules::default()).await;
    assert!(matches!(&result, Err(UpgradeError::Attestation { .. })), "{result:?}");
    assert_eq!(phases, [Phase::Before, Phase::Register]);
}

#[tokio::test]
async fn a_node_is_not_trusted_while_another_is_dead_and_the_rest_would_be_no_majority() {
    let sandbox = Sandbox::start(options(3)).await.unwrap();
    let primary = sandbox.primary();
    let backup = sandbox.nodes().into_iter().find(|n| Some(n.id) != primary).unwrap().id;
    let careless = Careless { sandbox: &sandbox, starts: None, kills: std::cell::Cell::new(Some(backup)) };
    let (phases, result) = walk(&sandbox, &careless, Rules::default()).await;
    let Err(UpgradeError::Guard(guard)) = &result else { panic!("{result:?}") };
    assert!(guard.to_string().contains("2 live nodes that are caught up, but the new majority is 3 of 4"), "{guard}");
    assert_eq!(phases, [Phase::Before, Phase::Register]);
}

#[tokio::test]
async fn rules_that_the_service_does_not_take_stop_the_walk() {
    let sandbox = Sandbox::start(options(3)).await.unwrap();
    let rules = Rules { constitution: Some("export function validate(input) { }".into()), application: None };
    let (phases, result) = walk(&sandbox, &sandbox, rules).await;
    assert!(matches!(&result, Err(UpgradeError::Service(_))), "{result:?}");
    assert_eq!(phases.last(), Some(&Phase::Delete));
}
