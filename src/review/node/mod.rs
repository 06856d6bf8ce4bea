//! A node before it is trusted: its attestation, as the service shows it, against the join policy and artefacts.

use serde_json::{Value, json};

use super::{ObservedNode, rules};
use crate::ccf_version::CcfVersion;
use crate::check::{Checks, Conclusion};
use crate::digest::sha256;
use crate::evidence::node::{Attestation, Expected, Outcome, Trust};
use crate::evidence::recognise::{Evidence, EvidenceKind};
use crate::evidence::snp::Admission;
use crate::id::NodeId;
use crate::platform::Platform;
use crate::proposal::Registration;
use crate::service::{JoinPolicy, Node, NodeAddress, NodeStatus, Service, ServiceError};
use crate::text::visible;

/// Whether a trusted node is there, and says of itself what the service says of it.
pub async fn ask_itself(service: &Service, node: &Node, attested: &[Value], found: &mut Checks) {
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
            format!("{who} could not be asked for {PATH} ({why}): all that is known of it is what the service reports"),
        ),
        Ok(own) if of(&own, "node_id") != id => {
            found.warn(NAME, format!("{PATH} at {} is answered by another node", visible(published)));
        }
        Ok(own) => {
            let told = attested.iter().find(|a| of(a, "node_id") == id);
            let same = told.is_none_or(|told| of(told, "raw") == of(&own, "raw"));
            let detail = if same {
                "shows the attestation that the service reports"
            } else {
                "shows a different attestation from the one that the service reports"
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
///
/// # Errors
/// The service does not say which version it runs.
pub async fn running_version(given: Option<CcfVersion>, service: &Service) -> Result<Option<CcfVersion>, ServiceError> {
    match given {
        Some(version) => Ok(Some(version)),
        None => Ok(service.version().await?.parse().ok()),
    }
}

/// Everything that can be found of a node that waits to be trusted: its attestation, of what its operator gave and what the
/// service shows, against the join policy and the artefacts.
pub fn verify(
    given: Attestation,
    node: &ObservedNode,
    policy: &JoinPolicy,
    ccf: Option<CcfVersion>,
    trust: &Trust,
    evidence: &[Evidence],
) -> Checks {
    let id = node.node.node_id;
    let (attestation, problems) = gather(given, id, &node.raw, &[]);
    let mut found = match check(id, &node.node, &attestation, policy, ccf, trust) {
        None => {
            let mut found = trust.preface();
            found.append(without_attestation(id, &node.node));
            found
        }
        Some(outcome) => {
            let artefacts = against_artefacts(&outcome, evidence);
            let mut found = outcome.checks;
            found.append(artefacts);
            found
        }
    };
    found.append(problems);
    found
}

/// What is to be said of a node that shows no attestation.
pub fn without_attestation(id: NodeId, node: &Node) -> Checks {
    let mut found = Checks::new();
    found.incomplete("attestation", missing(node));
    check_certificate(id, node, &mut found);
    found
}

fn missing(node: &Node) -> String {
    let format = node.quote_info.as_ref().map_or("no attestation", |q| q.format.as_str());
    format!(
        "the service gives no report of this {} node ({format}): ask its operator for report, endorsements and UVM \
         endorsement, and give them with --report",
        node.status.to_string().to_lowercase()
    )
}

/// The operator's files first; then what the service tells, where it adds something. What of that cannot be read is told.
pub fn gather(mut attestation: Attestation, id: NodeId, node: &Value, attested: &[Value]) -> (Attestation, Checks) {
    let mut problems = Checks::new();
    let own = attested.iter().find(|a| a.get("node_id").and_then(Value::as_str) == Some(&id.to_string()));
    for part in own.into_iter().chain(node.get("quoteInfo")) {
        for (name, value) in part.as_object().into_iter().flatten() {
            let Err(error) = attestation.complete(json!({name: value}).to_string().as_bytes()) else { continue };
            let detail = format!("what the service reports about the node cannot be used: {error}");
            if !problems.iter().any(|known| known.detail == detail) {
                problems.fail("service-attestation", detail);
            }
        }
    }
    (attestation, problems)
}

/// Verifies what there is of a node's attestation, and compares it with what the service admits; `None` if there is no
/// report.
///
/// `id` is the node that was asked for: an attestation or a certificate of another one, as which the service may answer, fails.
pub fn check(
    id: NodeId,
    node: &Node,
    attestation: &Attestation,
    policy: &JoinPolicy,
    ccf: Option<CcfVersion>,
    trust: &Trust,
) -> Option<Outcome> {
    let expected = Expected { node_id: Some(id), ccf, policy: Some(Admission::of(policy)), ..Expected::default() };
    let mut outcome = attestation.verify(&expected, trust).ok()?;
    let found = &mut outcome.checks;
    let mut registered = |name, kind, value: &str| {
        let known = policy.has(kind, value);
        let detail = if known { format!("{value} is registered") } else { format!("{value} is not registered") };
        found.require(name, known, detail);
    };
    match outcome.platform {
        Platform::Sgx => registered("join-policy-measurement", Registration::SgxCode, &outcome.measurement),
        Platform::Virtual => {
            registered("join-policy-measurement", Registration::VirtualMeasurement, &outcome.measurement);
            let host_data = outcome.host_data.map(|h| h.to_string()).unwrap_or_default();
            registered("join-policy-host-data", Registration::VirtualHostData, &host_data);
        }
        Platform::Snp => {}
    }
    check_certificate(id, node, found);
    if node.status == NodeStatus::Retired {
        found.warn("node-status", "the node is retired");
    }
    Some(outcome)
}

/// The key in the node's certificate must be the one that its id is the digest of.
fn check_certificate(id: NodeId, node: &Node, found: &mut Checks) {
    let Some(text) = &node.certificate else {
        found.warn("node-certificate", "the service has not issued it a certificate yet: its id identifies its key");
        return;
    };
    let key = pem::parse(text).ok().and_then(|pem| {
        let certificate = crate::certificate::parse(pem.contents()).ok()?;
        Some(NodeId::from_bytes(sha256(certificate.public_key().raw)))
    });
    match key {
        Some(key) => {
            found.require("node-certificate", key == id, format!("the certificate's key is {key}"));
        }
        None => found.fail("node-certificate", "the service's certificate of it cannot be read"),
    }
}

/// Compares what a node runs with the artefacts, which are judged first. Without one, the answer is no yes: what the join
/// policy admits, the service has looked at already.
pub fn against_artefacts(outcome: &Outcome, evidence: &[Evidence]) -> Checks {
    let mut found = Checks::new();
    if evidence.is_empty() {
        found.incomplete(
            "artefacts",
            "nothing was compared with an artefact: give what the node should run with --evidence",
        );
        return found;
    }
    found.append(judge(evidence, outcome.checks.is_rehearsal()));
    check_artefacts(outcome, evidence, &mut found);
    found
}

/// Judges the artefacts. In a rehearsal, the issuer of a UVM endorsement is a sandbox's, which nobody can know.
pub(super) fn judge(evidence: &[Evidence], is_rehearsal: bool) -> Checks {
    let judged = rules::judge(evidence);
    if is_rehearsal { judged.settling("uvm-known-issuer") } else { judged }
}

/// Whether the node runs what the artefacts are.
pub(super) fn check_artefacts(outcome: &Outcome, evidence: &[Evidence], found: &mut Checks) {
    let host_data = outcome.host_data;
    let (mut measured, mut hosted) = (Vec::new(), Vec::new());
    for item in evidence {
        match &item.kind {
            EvidenceKind::Executable(digest) if outcome.platform == Platform::Virtual && Some(*digest) == host_data => {
                hosted.push(item.name.clone());
            }
            EvidenceKind::Enclave(enclave)
                if outcome.platform == Platform::Sgx
                    && enclave.checks.verdict() == Conclusion::Pass
                    && enclave.mrenclave.to_string() == outcome.measurement =>
            {
                measured.push(item.name.clone());
            }
            EvidenceKind::Policies(groups)
                if outcome.platform == Platform::Snp && groups.iter().any(|g| Some(g.host_data()) == host_data) =>
            {
                hosted.push(item.name.clone());
            }
            EvidenceKind::Uvm { uvm, valid: true }
                if outcome.platform == Platform::Snp && uvm.measurement.to_string() == outcome.measurement =>
            {
                measured.push(item.name.clone());
            }
            EvidenceKind::Guest(guest)
                if outcome.platform == Platform::Snp
                    && guest.is_sound()
                    && guest.measurement.to_string() == outcome.measurement =>
            {
                measured.push(item.name.clone());
            }
            EvidenceKind::Launch(measurement)
                if outcome.platform == Platform::Snp && measurement.to_string() == outcome.measurement =>
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
    if outcome.platform != Platform::Virtual {
        backed("artefact-measurement", &outcome.measurement, &measured);
    }
}

#[cfg(test)]
pub(super) mod tests;
