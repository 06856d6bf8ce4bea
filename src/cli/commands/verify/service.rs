//! `verify service`: every registered value and every node, against the artefacts.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::checks;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::evidence;
use crate::cli::exit::Exit;
use crate::cli::trust::TrustArgs;
use ccf_gov::ccf_version::CcfVersion;
use ccf_gov::check::{Checks, Conclusion};
use ccf_gov::digest::HostData;
use ccf_gov::id::NodeId;
use ccf_gov::review::{self, RegisteredValue, ShownNode, ShownService};
use ccf_gov::service::NodeStatus;
use ccf_gov::text::visible;

/// Compare every registered value and every node with the artefacts
#[derive(Args)]
#[command(after_help = "Example:
  ccf-gov verify service --evidence js_generic --service https://HOST:PORT --service-cert service_cert.pem

A value is backed if an artefact has it, and stale if no node runs it. Exit code 3 unless every value is backed, \
every node was verified and every trusted one was heard, and none runs code that is not registered. What the nodes' own checks warn of is told once; \
node-itself names a trusted node that could not be asked for /node/attestations/self.")]
pub struct Service {
    /// The artefacts that should be registered and running; repeat, or give several
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    evidence: Vec<PathBuf>,
    /// The version of CCF whose rules count; by default the one that the service runs
    #[arg(long, value_name = "VERSION")]
    ccf_version: Option<CcfVersion>,
    #[command(flatten)]
    trust: TrustArgs,
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verified<'a> {
    verdict: Conclusion,
    /// Whether made-up roots were trusted, with --rehearsal-roots.
    rehearsal: bool,
    checks: &'a Checks,
    /// Every value of the join policy.
    values: &'a [RegisteredValue],
    /// Every node that has not retired.
    nodes: Vec<VerifiedNode<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct VerifiedNode<'a> {
    node_id: NodeId,
    status: NodeStatus,
    verdict: Conclusion,
    /// Null, as the next two, if the node shows no attestation.
    measurement: Option<&'a str>,
    /// Null for SGX, too.
    host_data: Option<HostData>,
    checks: Option<&'a Checks>,
}

impl Service {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let trust = self.trust.trust()?;
        let evidence = evidence::read_trusting(&self.evidence, self.ccf_version, &trust)?;
        let service = context.connect().await?;
        let ccf = review::node::running_version(self.ccf_version, &service).await?;
        let read = async || {
            let policy = service.join_policy().await?.value;
            Ok((policy, service.nodes().await?, service.attestations().await?))
        };
        let ((policy, nodes, attested), committed) = context.read(&service, read).await?;
        let raw = nodes.raw.get("value").and_then(|v| v.as_array()).cloned().unwrap_or_default();
        let mut shown = ShownService { policy, nodes: Vec::new(), attested, committed };
        // A service lists its nodes in one order, as JSON and as read from it.
        for (node, raw) in nodes.value.into_iter().zip(raw) {
            let mut itself = Checks::new();
            review::node::ask_itself(&service, &node, &shown.attested, &mut itself).await;
            shown.nodes.push(ShownNode { node, raw, itself });
        }
        let reviewed = review::review_service(&shown, &evidence, ccf, &trust);
        let nodes = reviewed.nodes.iter().map(|n| VerifiedNode {
            node_id: n.id,
            status: n.status,
            verdict: n.outcome.as_ref().map_or(Conclusion::Incomplete, |o| o.checks.verdict()),
            measurement: n.outcome.as_ref().map(|o| o.measurement.as_str()),
            host_data: n.outcome.as_ref().and_then(|o| o.host_data),
            checks: n.outcome.as_ref().map(|o| &o.checks),
        });
        let result = Verified {
            verdict: reviewed.checks.verdict(),
            rehearsal: reviewed.checks.is_rehearsal(),
            checks: &reviewed.checks,
            values: &reviewed.values,
            nodes: nodes.collect(),
        };
        context.output.result(&result, || {
            let width = reviewed.values.iter().map(|r| r.kind.len()).max().unwrap_or(0);
            let mut text = String::new();
            for row in &reviewed.values {
                let nodes = if row.nodes.len() == 1 { "1 node".into() } else { format!("{} nodes", row.nodes.len()) };
                text += &format!("{:8}  {:width$}  {}  {nodes}\n", row.state, row.kind, visible(&row.value));
            }
            checks::report(&text, &reviewed.checks)
        })?;
        Ok(checks::exit(&reviewed.checks))
    }
}
