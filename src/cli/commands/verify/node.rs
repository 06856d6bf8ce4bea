//! `verify node`: a node's attestation, as the service tells it, checked here.

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
use ccf_gov::evidence::node::Attestation;
use ccf_gov::id::NodeId;
use ccf_gov::review::node as review;
use ccf_gov::service::{Node as ServiceNode, NodeStatus, Reference};

/// Verify a node of the service before it is trusted
///
/// The service checks a node when it joins, but not when members vote. This fetches what the service
/// reports about the node, verifies its attestation here, and compares it with the join policy and with artefacts.
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov verify node ID --service https://HOST:PORT --service-cert service_cert.pem --evidence js_generic
  ccf-gov verify node ID --report report.bin --report /security-context-… --evidence template.json

The service gives no report of an SNP node that is pending: its operator does. Exit code 3 unless every rule holds \
and could be checked, and the node runs what --evidence is. A trusted node that cannot be asked for /node/attestations/self is a warning (node-itself): the \
rules are then checked on what the service tells of it.")]
pub struct Node {
    /// The node: its id, the first digits of it, or its address
    #[arg(value_name = "ID")]
    id: Reference<NodeId>,
    /// What the operator provided: a report, its endorsements, a UVM endorsement, or folders of these; repeat
    #[arg(long, value_name = "FILE")]
    report: Vec<PathBuf>,
    /// The artefacts that the node should run; without them the node does not pass; repeat, or give several
    #[arg(long, num_args = 1.., value_name = "FILE")]
    evidence: Vec<PathBuf>,
    /// The version of CCF whose rules count; by default the one that the service runs
    #[arg(long, value_name = "VERSION")]
    ccf_version: Option<CcfVersion>,
    #[command(flatten)]
    trust: TrustArgs,
}

impl Node {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let trust = self.trust.trust()?;
        let evidence = evidence::read_trusting(&self.evidence, self.ccf_version, &trust)?;
        let service = context.connect().await?;
        let id = context.node(&service, &self.id).await?;
        let mut given = Attestation::of(Some(id));
        let passed_over = super::attestation::add(&mut given, &self.report)?;
        let ccf = review::running_version(self.ccf_version, &service).await?;
        let read = async || {
            let answer = service.node(id).await?.ok_or_else(|| crate::cli::commands::node::not_there(id))?;
            let policy = service.join_policy().await?.value;
            let trusted = answer.value.status == NodeStatus::Trusted;
            Ok((answer, policy, if trusted { service.attestations().await? } else { Vec::new() }))
        };
        let ((answer, policy, attested), committed) = context.read(&service, read).await?;
        let (attestation, mut problems) = review::gather(given, id, &answer.raw, &attested);
        review::check_committed(committed, &mut problems);
        review::ask_itself(&service, &answer.value, &attested, &mut problems).await;
        let outcome = review::check(id, &answer.value, &attestation, &policy, ccf, &trust);
        let mut outcome = match outcome {
            Some(outcome) => outcome,
            None => {
                let mut found = trust.preface();
                found.append(problems);
                return without_attestation(context, id, &answer.value, found);
            }
        };
        outcome.checks.append(problems);
        outcome.checks.append(passed_over);
        outcome.checks.append(review::against_artefacts(&outcome, &evidence));
        super::attestation::show(context, &outcome)?;
        Ok(checks::exit(&outcome.checks))
    }
}

/// The result of a node that shows no attestation, as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unverified<'a> {
    verdict: Conclusion,
    /// Whether made-up roots were trusted, with --rehearsal-roots.
    rehearsal: bool,
    node_id: NodeId,
    status: NodeStatus,
    checks: &'a Checks,
}

/// Nothing could be verified, and that is said.
fn without_attestation(context: &Context, id: NodeId, node: &ServiceNode, mut found: Checks) -> Result<Exit, CliError> {
    found.append(review::without_attestation(id, node));
    let result = Unverified {
        verdict: found.verdict(),
        rehearsal: found.is_rehearsal(),
        node_id: id,
        status: node.status,
        checks: &found,
    };
    context.output.result(&result, || checks::lines(&found))?;
    Ok(checks::exit(&found))
}
