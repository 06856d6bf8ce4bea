//! `node trust`: nodes that wait are verified, and proposed to be trusted, as many as the network can take at once.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::guard::Guarded;
use crate::cli::object::beside;
use crate::cli::reports;
use crate::cli::trust::TrustArgs;
use crate::cli::{checks, evidence, sign_and_submit};
use ccf_gov::ccf_version::CcfVersion;
use ccf_gov::cose::MessageType;
use ccf_gov::evidence::node::Attestation;
use ccf_gov::id::NodeId;
use ccf_gov::review::node::running_version;
use ccf_gov::review::{ObservedNode, ServiceView, proposed, vain};
use ccf_gov::service::{Reference, Service};
use ccf_gov::upgrade::{Basis, Candidate, Network, NetworkChange, choose, passing, pending};

/// Verify nodes that wait, and propose to trust those that pass
///
/// The attestation of each node is verified here, as `verify node` does it. Of those that pass, as many are proposed as can be
/// trusted at once: the nodes that are caught up now must stay a majority. The members vote on the proposal; when the new nodes have
/// caught up, the same command goes on with those that are left. It proposes nothing while a proposal for one of the nodes is open.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 proposed, or no node waits; 3 no node passes, or one that is named does not; 6 not now: a proposal is open, or \
nodes have to catch up first.

Examples:
  ccf-gov node trust --pending --evidence js_generic --key alice_privk.pem --cert alice_cert.pem
  ccf-gov node trust 10.0.0.4:8000 --evidence template.json --report /security-context-…"
)]
pub struct Trust {
    #[command(flatten)]
    which: Which,
    /// The artefacts that the nodes should run; repeat, or give several
    #[arg(long, num_args = 1.., required = true, value_name = "FILE")]
    evidence: Vec<PathBuf>,
    /// What an operator provided of one node: a file or folder with its report, endorsements and UVM endorsement; repeat for several nodes
    #[arg(long, value_name = "FILE")]
    report: Vec<PathBuf>,
    /// For how many days the nodes' certificates are valid
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..))]
    validity_days: u32,
    /// The version of CCF whose rules count; by default the one that the service runs
    #[arg(long, value_name = "VERSION")]
    ccf_version: Option<CcfVersion>,
    #[command(flatten)]
    trust: TrustArgs,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The nodes: their ids, the first digits of these, or their addresses; each must pass
    #[arg(value_name = "ID")]
    ids: Vec<Reference<NodeId>>,
    /// All nodes that wait; those that do not pass are left out
    #[arg(long)]
    pending: bool,
}

/// What is printed, beside the proposal if one was made.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Outcome<'a> {
    /// Whether made-up roots were trusted, with --rehearsal-roots.
    rehearsal: bool,
    /// The nodes that wait, or those that were named.
    candidates: &'a [Candidate],
    /// Those that pass, and are for a later proposal.
    left: &'a [NodeId],
    /// Why none is proposed now.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<String>,
}

impl Trust {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let roots = self.trust.trust()?;
        let evidence = evidence::read_trusting(&self.evidence, self.ccf_version, &roots)?;
        let mut reports = reports::read(&self.report)?;
        let signer = context.signer().await?;
        let service = context.connect().await?;
        vain::active(&service.members().await?, signer.certificate().member_id())?;
        let these = self.these(context, &service).await?;
        let ccf = running_version(self.ccf_version, &service).await?;
        let read = async || {
            let (_, nodes) = ObservedNode::all(&service).await?;
            Ok((nodes, service.join_policy().await?.value, proposed(&service).await?))
        };
        let ((nodes, policy, proposals), committed) = context.read(&service, read).await?;
        let basis = Basis { evidence: &evidence, trust: &roots };
        let verify = |node: &ObservedNode| {
            let given = reports.remove(&node.node.node_id).unwrap_or_else(|| Attestation::of(Some(node.node.node_id)));
            Candidate::verify(given, node, &policy, ccf, basis, committed)
        };
        let candidates: Vec<_> = pending(&nodes, these.as_deref())?.into_iter().map(verify).collect();
        candidates.iter().for_each(|candidate| show(context, candidate));
        for id in reports.keys() {
            context
                .output
                .warn(format!("the report of node {id} was not used: it is none of the nodes that are verified"));
        }
        let rehearsal = roots.preface().is_rehearsal();
        let nothing = |left, waiting| Outcome { rehearsal, candidates: &candidates, left, waiting };
        let passed = match passing(&candidates, !self.which.pending) {
            Ok(passed) => passed,
            Err(why) => {
                if context.output.is_json() {
                    context.output.result(&nothing(&[], None), String::new)?;
                }
                return Err(CliError::from(why).unsigned().hint("the checks say why"));
            }
        };
        if passed.is_empty() {
            context.output.result(&nothing(&[], None), || "No node waits to be trusted.\n".into())?;
            return Ok(Exit::Done);
        }
        let network = Network::look(&service).await;
        let trusting = match choose(&passed, &network, &proposals) {
            Ok(trusting) => trusting,
            Err(why) if why.passes() => {
                let text = || format!("Nothing is proposed now: {why}.\n");
                context.output.result(&nothing(&passed, Some(why.to_string())), text)?;
                return Ok(Exit::Waiting);
            }
            Err(why) => return Err(CliError::from(why).unsigned()),
        };
        let proposal = trusting
            .proposal(OffsetDateTime::now_utc(), self.validity_days)
            .map_err(|error| CliError::failed("the time cannot be written into a certificate", error))?;
        let verified = candidates.iter().map(|c| (c.node_id, c.checks.clone())).collect();
        let change = NetworkChange::of(proposal.value(), &nodes, &network, &verified);
        let view = ServiceView { nodes: Some(nodes), join_policy: Some(policy), ..ServiceView::default() };
        let beside_it = context.beside_proposal(proposal.value(), &view, Some(&change));
        let (kind, payload) = (MessageType::Proposal, proposal.bytes().to_vec());
        let made =
            sign_and_submit::sign_and_submit(context, &service, &*signer, kind, None, payload, &beside_it).await?;
        let json = beside(&sign_and_submit::taken(&made)?, &Guarded { guard: Some(&change) })?;
        let json = beside(&json, &nothing(&trusting.later, None))?;
        context.output.result(&json, || sign_and_submit::became(&made) + &left(&trusting.later))?;
        Ok(Exit::Done)
    }

    /// The nodes that were named.
    async fn these(&self, context: &Context, service: &Service) -> Result<Option<Vec<NodeId>>, CliError> {
        if self.which.pending {
            return Ok(None);
        }
        let mut ids = Vec::new();
        for given in &self.which.ids {
            ids.push(context.node(service, given).await?);
        }
        Ok(Some(ids))
    }
}

fn show(context: &Context, candidate: &Candidate) {
    let address = candidate.address.as_deref().unwrap_or("without an address");
    context.output.note(format!("Node {} ({address}):\n{}", candidate.node_id, checks::lines(&candidate.checks)));
    if !candidate.passes() {
        context.output.warn(format!("node {} does not pass, and is not proposed to be trusted", candidate.node_id));
    }
}

fn left(later: &[NodeId]) -> String {
    match later.len() {
        0 => String::new(),
        1 => "1 node is left: run this command again when these are trusted and caught up.\n".into(),
        more => format!("{more} nodes are left: run this command again when these are trusted and caught up.\n"),
    }
}
