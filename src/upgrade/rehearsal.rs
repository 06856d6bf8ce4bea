//! The whole walk on a sandbox: three old nodes, three members, real requests over real TLS.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Code, Consortium, Operator, OperatorError, Rules, Signing, Step, Upgrade, UpgradeError};
use crate::constitution::DEFAULT;
use crate::cose::MemberCertificate;
use crate::digest::{HostData, sha256};
use crate::id::NodeId;
use crate::sandbox::{Member, NodeCode, Options, Sandbox, SandboxError};
use crate::service::{self, Progress, Service};
use crate::signer::{PemSigner, Signer, SignerError};

/// How many nodes there are before and after.
const NODES: usize = 3;

/// What is rehearsed, and by whom.
pub struct Rehearsal {
    /// The members' keys: the first proposes, all vote.
    pub signers: Vec<Box<dyn Signer>>,
    /// How their signatures come about.
    pub signing: Signing,
    /// Told why a request is waiting.
    pub progress: Option<Progress>,
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

/// Rehearses a code upgrade: starts a sandbox, walks every phase on it, and checks what came of it.
pub async fn rehearse(rehearsal: Rehearsal, report: &mut dyn FnMut(&Step)) -> Result<Vec<Step>, UpgradeError> {
    let (old, new) = (code("old"), code("new"));
    let member =
        |s: &dyn Signer| Member { certificate: s.certificate().clone(), encryption_key: None, data: Value::Null };
    let members = rehearsal.signers.iter().map(|s| member(&**s)).collect();
    let sandbox = Sandbox::start(Options::new(members, DEFAULT.into(), vec![node_code(&old); NODES]))
        .await
        .map_err(|e| OperatorError::Failed(Box::new(e)))?;
    let mut addresses = Vec::new();
    for node in sandbox.nodes() {
        let address = node.url.parse().map_err(|e| OperatorError::Failed(Box::<service::AddressError>::new(e)))?;
        addresses.push(address);
    }
    let options = service::Options {
        progress: rehearsal.progress,
        ..service::Options::new(addresses, sandbox.service_certificate().into_bytes())
    };
    let service = Service::connect(options).await?;
    let consortium = Consortium::new(rehearsal.signers, rehearsal.signing);
    let mut upgrade = Upgrade {
        service: &service,
        consortium: &consortium,
        operator: &sandbox,
        new,
        nodes: NODES,
        validity_days: 90,
        rules: Rules {
            constitution: Some(format!("{DEFAULT}\n// Set in a rehearsal.\n")),
            application: Some(application()),
        },
        report,
    };
    let mut steps = upgrade.walk().await?;
    upgrade.check_refused(&old, &mut steps).await?;
    Ok(steps)
}

#[async_trait(?Send)]
impl Operator for Sandbox {
    async fn start(&self, code: &Code) -> Result<NodeId, OperatorError> {
        self.join(node_code(code)).await.map_err(|e| match e {
            SandboxError::Refused(refused) => OperatorError::Refused(refused.to_string()),
            other => OperatorError::Failed(Box::new(other)),
        })
    }

    async fn stop(&self, node: NodeId) -> Result<(), OperatorError> {
        Sandbox::stop(self, node).map_err(|e| OperatorError::Failed(Box::new(e)))
    }
}

/// Code that is called `name` for the rehearsal.
fn code(name: &str) -> Code {
    Code::virtual_node(HostData(sha256(name.as_bytes())))
}

fn node_code(code: &Code) -> NodeCode {
    let host_data = code.values.iter().find_map(|v| v.key().parse().ok()).unwrap_or(HostData([0; 32]));
    NodeCode::Virtual { host_data, measurement: crate::evidence::virt::MEASUREMENT.into() }
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
    use crate::upgrade::Phase;

    async fn walked(signing: Signing) -> Vec<Step> {
        let rehearsal = Rehearsal { signers: example_signers().unwrap(), signing, progress: None };
        rehearse(rehearsal, &mut |_| {}).await.unwrap()
    }

    #[tokio::test]
    async fn a_rehearsal_walks_every_phase() {
        let steps = walked(Signing::Direct).await;
        let phases: Vec<Phase> = steps.iter().map(|s| s.phase).collect();
        use Phase::*;
        let expected = [
            Before,
            Register,
            JoinAndTrust,
            JoinAndTrust,
            JoinAndTrust,
            Retire,
            Retire,
            Retire,
            Delete,
            Delete,
            Delete,
            Rules,
            Deregister,
            Check,
            Check,
        ];
        assert_eq!(phases, expected);
        let n: Vec<usize> = steps.iter().map(|s| s.quorum.n).collect();
        assert_eq!(n, [3, 3, 4, 5, 6, 5, 4, 3, 3, 3, 3, 3, 3, 3, 3]);
        let last = steps.last().unwrap();
        assert!(last.nodes.len() == 3 && last.nodes.iter().all(|n| n.code == "new" && n.caught_up));
        assert!(last.title.contains("refused"));
        // The primary among the old nodes is retired last, so the view changes there at the earliest.
        let before_last = &steps[6];
        assert_eq!(before_last.view, steps[0].view);
    }

    #[tokio::test]
    async fn a_rehearsal_can_prepare_and_finish_every_signature() {
        assert_eq!(walked(Signing::PrepareAndFinish).await.len(), 15);
    }
}
