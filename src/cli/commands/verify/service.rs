//! `verify service`: every registered value and every node, against the artefacts.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::node;
use crate::cli::checks;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::evidence;
use crate::cli::exit::Exit;
use ccf_gov::ccf_version::CcfVersion;
use ccf_gov::check::{Checks, Verdict};
use ccf_gov::digest::HostData;
use ccf_gov::evidence::node::{Attestation, Outcome};
use ccf_gov::evidence::recognise::Evidence;
use ccf_gov::id::NodeId;
use ccf_gov::proposal::Action;
use ccf_gov::review::backing;
use ccf_gov::service::{JoinPolicy, NodeStatus};
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
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verified<'a> {
    #[cfg_attr(test, schemars(with = "crate::cli::shapes::Verdict"))]
    verdict: &'static str,
    checks: &'a Checks,
    /// Every value of the join policy.
    values: &'a [Row],
    /// Every node that has not retired.
    nodes: Vec<VerifiedNode<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct VerifiedNode<'a> {
    node_id: NodeId,
    status: NodeStatus,
    #[cfg_attr(test, schemars(with = "crate::cli::shapes::Verdict"))]
    verdict: &'static str,
    /// Null, as the next two, if the node shows no attestation.
    measurement: Option<&'a str>,
    /// Null for SGX, too.
    host_data: Option<HostData>,
    checks: Option<&'a Checks>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Row {
    /// In words, such as `virtual host data`.
    kind: &'static str,
    /// As the join policy has it.
    value: String,
    /// `backed`, `unbacked` (by no artefact that was given), or `stale` (backed or not, no node runs it).
    state: &'static str,
    /// Files, `the virtual platform's constant`, or for a minimum TCB the reports of nodes.
    backed_by: Vec<String>,
    /// The nodes that run it.
    nodes: Vec<NodeId>,
}

/// A node that has not retired, and what it runs, if that could be told.
struct Running {
    id: NodeId,
    status: NodeStatus,
    outcome: Option<Outcome>,
}

impl Service {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let evidence = evidence::read(&self.evidence, self.ccf_version)?;
        let service = context.connect().await?;
        let ccf = node::running_version(self.ccf_version, &service).await?;
        let read = async || {
            let policy = service.join_policy().await?.value;
            Ok((policy, service.nodes().await?, service.attestations().await?))
        };
        let ((policy, nodes, attested), committed) = context.read(&service, read).await?;
        let raw = nodes.raw.get("value").and_then(|v| v.as_array()).cloned().unwrap_or_default();
        let mut found = backing::judge(&evidence);
        node::check_committed(committed, &mut found);
        let mut running = Vec::new();
        for listed in nodes.value.iter().filter(|n| n.status != NodeStatus::Retired) {
            let id = listed.node_id.to_string();
            let json = raw.iter().find(|n| n.get("nodeId").and_then(|i| i.as_str()) == Some(&id)).cloned();
            let given = Attestation::of(Some(listed.node_id));
            let (attestation, mut problems) = node::gather(given, listed.node_id, &json.unwrap_or_default(), &attested);
            node::ask_itself(&service, listed, &attested, &mut problems).await;
            let mut outcome = node::check(listed.node_id, listed, &attestation, &policy, ccf);
            match &mut outcome {
                Some(outcome) => {
                    outcome.checks.append(problems);
                    let mut artefacts = Checks::new();
                    node::check_artefacts(outcome, &evidence, &mut artefacts);
                    outcome.checks.append(artefacts);
                }
                None => found.append(problems),
            }
            running.push(Running { id: listed.node_id, status: listed.status, outcome });
        }
        let rows = registered(&policy, &evidence, ccf, &running, &mut found);
        for node in &running {
            check_node(node, &mut found);
        }
        warnings(&running, &mut found);
        let nodes = running.iter().map(|n| VerifiedNode {
            node_id: n.id,
            status: n.status,
            verdict: n.outcome.as_ref().map_or("incomplete", |o| o.checks.verdict()),
            measurement: n.outcome.as_ref().map(|o| o.measurement.as_str()),
            host_data: n.outcome.as_ref().and_then(|o| o.host_data),
            checks: n.outcome.as_ref().map(|o| &o.checks),
        });
        let result = Verified { verdict: found.verdict(), checks: &found, values: &rows, nodes: nodes.collect() };
        context.output.result(&result, || {
            let width = rows.iter().map(|r| r.kind.len()).max().unwrap_or(0);
            let mut text = String::new();
            for row in &rows {
                let nodes = if row.nodes.len() == 1 { "1 node".into() } else { format!("{} nodes", row.nodes.len()) };
                text += &format!("{:8}  {:width$}  {}  {nodes}\n", row.state, row.kind, visible(&row.value));
            }
            format!("{text}\n{}", checks::lines(&found))
        })?;
        Ok(checks::exit(&found))
    }
}

/// One row for every value of the join policy.
fn registered(
    policy: &JoinPolicy,
    evidence: &[Evidence],
    ccf: Option<CcfVersion>,
    running: &[Running],
    found: &mut Checks,
) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut add = |kind: &'static str, value: String, action: Action, runs: &dyn Fn(&Outcome) -> bool| {
        let (contents, values) = backing::compare(&action, evidence, ccf);
        let of_value = |name: &str| name == action.name || name == "other-action";
        for check in contents.iter().filter(|c| c.verdict != Verdict::Pass && !of_value(c.name)) {
            found.push(check.name, check.verdict, check.detail.clone());
        }
        let why = contents.iter().find(|c| of_value(c.name)).map(|c| c.detail.clone()).unwrap_or_default();
        let mut backed_by = values.into_iter().next().map(|v| v.backed_by).unwrap_or_default();
        let nodes: Vec<NodeId> =
            running.iter().filter(|n| n.outcome.as_ref().is_some_and(runs)).map(|n| n.id).collect();
        // What a minimum is held against is no artefact, but a processor: a node's verified report shows it.
        if kind == MINIMUM_TCB {
            let verified = |n: &&Running| n.outcome.as_ref().is_some_and(|o| runs(o) && meets_minimum(o));
            backed_by.extend(running.iter().filter(verified).map(|n| format!("the report of node {}", n.id)));
        }
        let unknown = running.iter().any(|n| n.outcome.is_none());
        let state = match (backed_by.is_empty(), nodes.is_empty()) {
            (true, true) if kind == MINIMUM_TCB && !unknown => {
                found.warn("stale", format!("{kind} {value}: no node has this processor"));
                "stale"
            }
            (true, _) => {
                found.fail("unbacked", format!("registered as {kind}: {why}"));
                "unbacked"
            }
            (false, true) if !unknown => {
                found.warn("stale", format!("{kind} {value}: registered, and no node runs it"));
                "stale"
            }
            (false, _) => {
                found.pass("backed", format!("{kind} {value}: {}", backed_by.join(", ")));
                "backed"
            }
        };
        rows.push(Row { kind, value, state, backed_by, nodes });
    };
    let action = |name: &str, args| Action::new(name, Some(args));
    for value in &policy.sgx.measurements {
        let remove = action("remove_node_code", json!({"code_id": value}));
        add("sgx measurement", value.clone(), remove, &|o| o.platform == "sgx" && o.measurement == *value);
    }
    for (value, policy) in &policy.snp.host_data {
        let set = action("add_snp_host_data", json!({"host_data": value, "security_policy": policy}));
        let runs = |o: &Outcome| o.platform == "snp" && o.host_data.is_some_and(|h| h.to_string() == *value);
        add("snp host data", value.clone(), set, &runs);
    }
    for value in &policy.snp.measurements {
        let remove = action("remove_snp_measurement", json!({"measurement": value}));
        add("snp measurement", value.clone(), remove, &|o| o.platform == "snp" && o.measurement == *value);
    }
    for (did, feeds) in &policy.snp.uvm_endorsements {
        // What is no object has no feed, and what has no svn admits nobody: both are told as malformed.
        let none = [(String::new(), Value::Null)].into_iter().collect();
        for (feed, entry) in feeds.as_object().unwrap_or(&none) {
            let svn = entry.get("svn").map(|svn| svn.as_str().map_or_else(|| svn.to_string(), str::to_owned));
            let svn = svn.unwrap_or_default();
            let is_integer = ccf.is_some_and(CcfVersion::svn_is_integer_in_action);
            let written = svn.parse::<u64>().ok().filter(|_| is_integer).map_or(json!(svn), |number| json!(number));
            let set = action("add_snp_uvm_endorsement", json!({"did": did, "feed": feed, "svn": written}));
            let runs = |o: &Outcome| {
                let uvm = o.values.snp().and_then(|values| values.uvm.as_ref());
                uvm.is_some_and(|u| u.did == *did && u.feed == *feed)
            };
            add("snp uvm endorsement", format!("{feed} svn {svn} of {did}"), set, &runs);
        }
    }
    for (cpuid, minimum) in &policy.snp.tcb_versions {
        let set = action("set_snp_minimum_tcb_version", json!({"cpuid": cpuid, "tcb_version": minimum}));
        let runs = |o: &Outcome| o.values.snp().and_then(|v| v.cpuid.as_ref()) == Some(cpuid);
        add(MINIMUM_TCB, format!("{cpuid} {minimum}"), set, &runs);
    }
    for value in &policy.virtual_.host_data {
        let remove = action("remove_virtual_host_data", json!({"host_data": value}));
        let runs = |o: &Outcome| o.platform == "virtual" && o.host_data.is_some_and(|h| h.to_string() == *value);
        add("virtual host data", value.clone(), remove, &runs);
    }
    for value in &policy.virtual_.measurements {
        let remove = action("remove_virtual_measurement", json!({"measurement": value}));
        add("virtual measurement", value.clone(), remove, &|o| o.platform == "virtual" && o.measurement == *value);
    }
    rows
}

const MINIMUM_TCB: &str = "snp minimum tcb";

/// Whether a node's signed report reaches the service's minimum.
fn meets_minimum(outcome: &Outcome) -> bool {
    let holds = |name| outcome.checks.get(name).is_some_and(|c| c.verdict == Verdict::Pass);
    holds("report-signature") && holds("ark-pinned") && holds("policy-minimum-tcb")
}

/// What the nodes' checks warn of, each warning once.
fn warnings(running: &[Running], found: &mut Checks) {
    let mut told: Vec<(&'static str, &str, Vec<String>)> = Vec::new();
    for node in running {
        let checks = node.outcome.iter().flat_map(|o| o.checks.iter());
        for check in checks.filter(|c| c.verdict == Verdict::Warn) {
            match told.iter_mut().find(|(name, detail, _)| *name == check.name && *detail == check.detail) {
                Some((.., nodes)) => nodes.push(node.id.to_string()),
                None => told.push((check.name, &check.detail, vec![node.id.to_string()])),
            }
        }
    }
    for (name, detail, nodes) in told {
        let who = match &nodes[..] {
            [one] if detail.contains(one) => String::new(),
            all if all.len() == running.len() => "every node: ".into(),
            all => format!("node {}: ", all.join(", ")),
        };
        found.warn(name, format!("{who}{detail}"));
    }
}

/// A node's attestation in one line; code that runs and is no longer registered is named as such.
fn check_node(node: &Running, found: &mut Checks) {
    let who = format!("{} node {}", node.status, node.id);
    let Some(outcome) = &node.outcome else {
        found.incomplete("node", format!("{who}: the service gives no report, so what it runs is not known"));
        return;
    };
    let failed: Vec<String> = outcome
        .checks
        .iter()
        .filter(|c| c.verdict == Verdict::Fail)
        .map(|c| format!("{}: {}", c.name, c.detail))
        .collect();
    let about_policy = |name: &str| {
        name.starts_with("join-policy") || matches!(name, "policy-host-data" | "policy-measurement" | "uvm-trusted")
    };
    let unregistered = outcome.checks.iter().any(|c| about_policy(c.name) && c.verdict == Verdict::Fail);
    let silent = outcome.checks.get("node-itself").filter(|check| check.verdict == Verdict::Warn);
    match (outcome.checks.verdict(), silent) {
        ("pass", Some(silent)) => {
            // Its attestation is that of a node which joined; whether it is still there, nobody has said.
            found.incomplete(
                "node",
                format!("{who}: its attestation is verified, and it was not heard: {}", silent.detail),
            );
        }
        ("pass", None) => found.pass("node", format!("{who}: verified")),
        ("fail", _) if unregistered => {
            found.fail(
                "not-registered",
                format!("{who} runs code that is no longer registered ({})", failed.join("; ")),
            );
        }
        ("fail", _) => found.fail("node", format!("{who}: {}", failed.join("; "))),
        _ => {
            let open = outcome.checks.iter().filter(|c| c.verdict == Verdict::Incomplete);
            let open: Vec<String> = open.map(|c| format!("{}: {}", c.name, c.detail)).collect();
            found.incomplete("node", format!("{who}: not everything could be checked: {}", open.join("; ")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccf_gov::digest::sha256;
    use ccf_gov::evidence::policy::deployment;
    use ccf_gov::evidence::recognise::{Evidence, EvidenceKind};

    /// What is found in a policy by somebody who has `text` as the security policy.
    fn found(policy: Value, text: &str) -> (Vec<&'static str>, Checks) {
        let kind = EvidenceKind::policies(deployment::find(text.as_bytes()).unwrap());
        let evidence = [Evidence { name: "policy.rego".into(), kind, digest: None }];
        let policy = serde_json::from_value(policy).unwrap();
        let mut checks = Checks::new();
        let rows = registered(&policy, &evidence, Some(CcfVersion::new(7, 0, 0)), &[], &mut checks);
        (rows.iter().map(|row| row.state).collect(), checks)
    }

    #[test]
    fn what_is_registered_is_looked_at_as_if_it_were_proposed() {
        let open = "package policy\ncreate_container := {\"allowed\": true}\n";
        let value = hex::encode(sha256(open.as_bytes()));
        for (stored, check) in [(open, "policy-allow-all"), ("something else", "security-policy")] {
            let (states, checks) = found(json!({"snp": {"hostData": {&value: stored}}}), open);
            assert_eq!(states, ["stale"]);
            assert_eq!(checks.get(check).map(|c| c.verdict), Some(Verdict::Fail), "{checks:?}");
        }
    }

    #[test]
    fn an_entry_of_another_form_does_not_vanish() {
        let did = "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2";
        for feeds in [json!([]), json!({"ContainerPlat-AMD-UVM": {}}), json!({"ContainerPlat-AMD-UVM": {"svn": "x"}})] {
            let (states, checks) = found(json!({"snp": {"uvmEndorsements": {did: feeds}}}), "package policy\n");
            assert_eq!((states, checks.verdict()), (vec!["unbacked"], "fail"), "{checks:?}");
        }
    }
}
