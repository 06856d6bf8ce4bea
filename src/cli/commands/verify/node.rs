//! `verify node`: a node's attestation, as the service tells it, checked here.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::cli::checks;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::evidence;
use crate::cli::exit::Exit;
use ccf_gov::ccf_version::CcfVersion;
use ccf_gov::check::Checks;
use ccf_gov::digest::sha256;
use ccf_gov::evidence::node::{Attestation, Expected, Outcome, Trust};
use ccf_gov::evidence::recognise::{Evidence, EvidenceKind};
use ccf_gov::evidence::snp::join_policy::JoinPolicy as SnpPolicy;
use ccf_gov::evidence::snp::uvm::TrustedUvm;
use ccf_gov::id::NodeId;
use ccf_gov::review::backing;
use ccf_gov::service::{JoinPolicy, Node as ServiceNode, NodeAddress, NodeStatus, Reference, Service as ServiceClient};
use ccf_gov::tcb::minimum::MinimumTcb;
use ccf_gov::text::visible;

/// Verify a node of the service before it is trusted
///
/// The service checks a node when it joins, and nobody checks it when members vote. This fetches what the service
/// tells of the node, verifies its attestation here, and compares it with the join policy and with artefacts.
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
    /// What the operator gave: a report, its endorsements, a UVM endorsement, or folders of these; repeat
    #[arg(long, value_name = "FILE")]
    report: Vec<PathBuf>,
    /// The artefacts that the node should run, without which the answer is not a yes; repeat, or give several
    #[arg(long, num_args = 1.., value_name = "FILE")]
    evidence: Vec<PathBuf>,
    /// The version of CCF whose rules count; by default the one that the service runs
    #[arg(long, value_name = "VERSION")]
    ccf_version: Option<CcfVersion>,
}

impl Node {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let evidence = evidence::read(&self.evidence, self.ccf_version)?;
        let service = context.connect().await?;
        let id = context.node(&service, &self.id).await?;
        let mut given = Attestation::of(Some(id));
        let passed_over = super::attestation::add(&mut given, &self.report)?;
        let ccf = running_version(self.ccf_version, &service).await?;
        let read = async || {
            let answer = service.node(id).await?.ok_or_else(|| crate::cli::commands::node::not_there(id))?;
            let policy = service.join_policy().await?.value;
            let trusted = answer.value.status == NodeStatus::Trusted;
            Ok((answer, policy, if trusted { service.attestations().await? } else { Vec::new() }))
        };
        let ((answer, policy, attested), committed) = context.read(&service, read).await?;
        let (attestation, mut problems) = gather(given, id, &answer.raw, &attested);
        check_committed(committed, &mut problems);
        ask_itself(&service, &answer.value, &attested, &mut problems).await;
        let outcome = check(id, &answer.value, &attestation, &policy, ccf);
        let mut outcome = match outcome {
            Some(outcome) => outcome,
            None => return without_attestation(context, id, &answer.value, problems),
        };
        outcome.checks.append(problems);
        outcome.checks.append(passed_over);
        if evidence.is_empty() {
            // What a join policy admits, the service has looked at already.
            outcome.checks.incomplete(
                "artefacts",
                "nothing was compared with an artefact: give what the node should run with --evidence",
            );
        } else {
            let mut further = backing::judge(&evidence);
            check_artefacts(&outcome, &evidence, &mut further);
            outcome.checks.append(further);
        }
        super::attestation::show(context, &outcome)?;
        Ok(checks::exit(&outcome.checks))
    }
}

/// The result of a node that shows no attestation, as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unverified<'a> {
    #[cfg_attr(test, schemars(with = "crate::cli::shapes::Verdict"))]
    verdict: &'static str,
    node_id: NodeId,
    status: NodeStatus,
    checks: &'a Checks,
}

/// Nothing could be verified, and that is said.
fn without_attestation(context: &Context, id: NodeId, node: &ServiceNode, mut found: Checks) -> Result<Exit, CliError> {
    found.incomplete("attestation", missing(node));
    check_certificate(id, node, &mut found);
    let result = Unverified { verdict: found.verdict(), node_id: id, status: node.status, checks: &found };
    context.output.result(&result, || checks::lines(&found))?;
    Ok(checks::exit(&found))
}

/// Whether a trusted node is there, and says of itself what the service says of it.
pub async fn ask_itself(service: &ServiceClient, node: &ServiceNode, attested: &[Value], found: &mut Checks) {
    const NAME: &str = "node-itself";
    const PATH: &str = "/node/attestations/self";
    if node.status != NodeStatus::Trusted {
        return;
    }
    let published = node.rpc_interfaces.values().next().map(|i| i.published_address.as_str()).unwrap_or_default();
    let who = format!("node {} at {}", node.node_id, visible(published));
    let answer = match NodeAddress::from_published(published) {
        Ok(address) => service.own_attestation(&address).await,
        Err(error) => Err(error.to_string()),
    };
    let of = |json: &Value, name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
    let id = Some(node.node_id.to_string());
    match answer {
        Err(why) => found.warn(
            NAME,
            format!("{who} could not be asked for {PATH} ({why}): all that is known of it is what the service tells"),
        ),
        Ok(own) if of(&own, "node_id") != id => {
            found.warn(NAME, format!("{PATH} at {} is answered by another node", visible(published)));
        }
        Ok(own) => {
            let told = attested.iter().find(|a| of(a, "node_id") == id);
            let same = told.is_none_or(|told| of(told, "raw") == of(&own, "raw"));
            let detail = if same {
                "shows the attestation that the service tells"
            } else {
                "shows another attestation than the service tells"
            };
            found.require(NAME, same, format!("{who} {detail}"));
        }
    }
}

/// What an election may undo is not known to be so.
pub fn check_committed(committed: bool, found: &mut Checks) {
    if !committed {
        found.incomplete("committed", "what the service shows is not committed yet: ask again in a moment");
    }
}

/// The version that was given; else what the service runs, if it says so in numbers.
pub async fn running_version(
    given: Option<CcfVersion>,
    service: &ServiceClient,
) -> Result<Option<CcfVersion>, CliError> {
    match given {
        Some(version) => Ok(Some(version)),
        None => Ok(service.version().await?.parse().ok()),
    }
}

fn missing(node: &ServiceNode) -> String {
    let format = node.quote_info.as_ref().map_or("no attestation", |q| q.format.as_str());
    format!(
        "the service gives no report of this {} node ({format}): ask its operator for report, endorsements and UVM \
         endorsement, and give them with --report",
        node.status.to_string().to_lowercase()
    )
}

/// The operator's files first; then what the service tells, where it adds something. What of that can't be read is told.
pub fn gather(mut attestation: Attestation, id: NodeId, node: &Value, attested: &[Value]) -> (Attestation, Checks) {
    let mut problems = Checks::new();
    let own = attested.iter().find(|a| a.get("node_id").and_then(Value::as_str) == Some(&id.to_string()));
    for part in own.into_iter().chain(node.get("quoteInfo")) {
        for (name, value) in part.as_object().into_iter().flatten() {
            let Err(error) = attestation.complete(json!({name: value}).to_string().as_bytes()) else { continue };
            let detail = format!("what the service gives of the node can't be used: {error}");
            if !problems.iter().any(|known| known.detail == detail) {
                problems.fail("service-attestation", detail);
            }
        }
    }
    (attestation, problems)
}

/// Verifies what there is of an attestation; `None` if there is no report.
pub fn check(
    id: NodeId,
    node: &ServiceNode,
    attestation: &Attestation,
    policy: &JoinPolicy,
    ccf: Option<CcfVersion>,
) -> Option<Outcome> {
    let expected = Expected { node_id: Some(id), ccf, policy: Some(snp_policy(policy)), ..Expected::default() };
    let mut outcome = attestation.verify(&expected, &Trust::pinned(OffsetDateTime::now_utc())).ok()?;
    let found = &mut outcome.checks;
    let mut registered = |name, list: &[String], value: &str| {
        let known = list.iter().any(|entry| entry == value);
        let detail = if known { format!("{value} is registered") } else { format!("{value} is not registered") };
        found.require(name, known, detail);
    };
    match outcome.platform {
        "sgx" => registered("join-policy-measurement", &policy.sgx.measurements, &outcome.measurement),
        "virtual" => {
            registered("join-policy-measurement", &policy.virtual_.measurements, &outcome.measurement);
            let host_data = outcome.host_data.map(|h| h.to_string()).unwrap_or_default();
            registered("join-policy-host-data", &policy.virtual_.host_data, &host_data);
        }
        _ => {}
    }
    check_certificate(id, node, found);
    if node.status == NodeStatus::Retired {
        found.warn("node-status", "the node is retired");
    }
    Some(outcome)
}

/// The service's policy for SNP nodes. What of it cannot be read admits nobody, and is never passed over.
fn snp_policy(policy: &JoinPolicy) -> SnpPolicy {
    let snp = &policy.snp;
    let uvm = snp.uvm_endorsements.iter().flat_map(|(did, feeds)| {
        let feeds = feeds.as_object().into_iter().flatten();
        feeds.map(|(feed, entry)| {
            let svn = entry.get("svn").map(|svn| svn.as_str().map_or_else(|| svn.to_string(), str::to_owned));
            TrustedUvm { did: did.clone(), feed: feed.clone(), svn: svn.unwrap_or_default() }
        })
    });
    let tcb = snp.tcb_versions.iter().map(|(cpuid, minimum)| (cpuid.clone(), MinimumTcb::from_json(minimum)));
    SnpPolicy {
        // Texts that are not in CCF's form never match, so they admit nobody.
        measurements: snp.measurements.iter().filter_map(|m| m.parse().ok()).collect(),
        host_data: snp.host_data.keys().filter_map(|h| h.parse().ok()).collect(),
        uvm: uvm.collect(),
        minimum_tcb: tcb.collect(),
    }
}

/// The key in the node's certificate must be the one that its id is the digest of.
fn check_certificate(id: NodeId, node: &ServiceNode, found: &mut Checks) {
    let Some(text) = &node.certificate else {
        found.warn("node-certificate", "the service has issued it no certificate yet: its id stands for its key");
        return;
    };
    let key = pem::parse(text).ok().and_then(|pem| {
        let certificate = ccf_gov::certificate::parse(pem.contents()).ok()?;
        Some(NodeId::from_bytes(sha256(certificate.public_key().raw)))
    });
    match key {
        Some(key) => {
            found.require("node-certificate", key == id, format!("the certificate's key is {key}"));
        }
        None => found.fail("node-certificate", "the service's certificate of it cannot be read"),
    }
}

/// Whether the node runs what the artefacts are.
pub fn check_artefacts(outcome: &Outcome, evidence: &[Evidence], found: &mut Checks) {
    let host_data = outcome.host_data;
    let (mut measured, mut hosted) = (Vec::new(), Vec::new());
    for item in evidence {
        match &item.kind {
            EvidenceKind::Executable(digest) if outcome.platform == "virtual" && Some(*digest) == host_data => {
                hosted.push(item.name.clone());
            }
            EvidenceKind::Enclave(enclave)
                if outcome.platform == "sgx"
                    && enclave.checks.verdict() == "pass"
                    && enclave.mrenclave.to_string() == outcome.measurement =>
            {
                measured.push(item.name.clone());
            }
            EvidenceKind::Policies(groups)
                if outcome.platform == "snp" && groups.iter().any(|g| Some(g.host_data()) == host_data) =>
            {
                hosted.push(item.name.clone());
            }
            EvidenceKind::Uvm { uvm, valid: true }
                if outcome.platform == "snp" && uvm.measurement.to_string() == outcome.measurement =>
            {
                measured.push(item.name.clone());
            }
            EvidenceKind::Guest(guest)
                if outcome.platform == "snp"
                    && guest.is_sound()
                    && guest.measurement.to_string() == outcome.measurement =>
            {
                measured.push(item.name.clone());
            }
            EvidenceKind::Launch(measurement)
                if outcome.platform == "snp" && measurement.to_string() == outcome.measurement =>
            {
                measured.push(item.name.clone());
            }
            _ => {}
        }
    }
    let mut backed = |name, value: &str, by: &[String]| {
        let detail = if by.is_empty() {
            format!("{value} is of none of the artefacts")
        } else {
            format!("{value} is that of {}", by.join(", "))
        };
        found.require(name, !by.is_empty(), detail);
    };
    if let Some(host_data) = host_data {
        backed("artefact-host-data", &host_data.to_string(), &hosted);
    }
    if outcome.platform != "virtual" {
        backed("artefact-measurement", &outcome.measurement, &measured);
    }
}
