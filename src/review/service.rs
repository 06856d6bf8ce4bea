//! A whole service: every registered value and every node, against the artefacts.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use super::{node, rules};
use crate::ccf_version::CcfVersion;
use crate::check::{Checks, Conclusion, REHEARSAL, Verdict};
use crate::evidence::node::{Attestation, Outcome, Trust};
use crate::evidence::recognise::Evidence;
use crate::id::NodeId;
use crate::platform::Platform;
use crate::proposal::{Action, Registration};
use crate::service::{JoinPolicy, MinimumTcbEntry, Node, NodeStatus, UvmEntry};

/// What a service shows of itself, read at one moment.
#[derive(Clone, Debug, Default)]
pub struct ShownService {
    /// What may join.
    pub policy: JoinPolicy,
    /// Every node.
    pub nodes: Vec<ShownNode>,
    /// What its trusted nodes attest, as `/node/attestations` lists it.
    pub attested: Vec<Value>,
    /// Whether what it shows is committed.
    pub committed: bool,
}

/// A node, as the service and the node itself show it.
#[derive(Clone, Debug)]
pub struct ShownNode {
    /// The node.
    pub node: Node,
    /// The service's JSON of it.
    pub raw: Value,
    /// What came of asking the node itself: see [`node::ask_itself`].
    pub itself: Checks,
}

/// What reviewing a service comes to.
#[derive(Clone, Debug)]
pub struct ServiceReview {
    /// Every rule with its verdict; [`Checks::verdict`] is the answer.
    pub checks: Checks,
    /// Every value of the join policy.
    pub values: Vec<RegisteredValue>,
    /// Every node that has not retired.
    pub nodes: Vec<ReviewedNode>,
}

/// A value of the join policy.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct RegisteredValue {
    /// In words, such as `virtual host data`.
    pub kind: &'static str,
    /// As the join policy has it.
    pub value: String,
    /// Whether an artefact backs it and a node runs it.
    pub state: ValueState,
    /// Files, `the virtual platform's constant`, or for a minimum TCB the reports of nodes.
    pub backed_by: Vec<String>,
    /// The nodes that run it.
    pub nodes: Vec<NodeId>,
}

/// How a registered value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ValueState {
    /// An artefact has it.
    Backed,
    /// None of the artefacts has it.
    Unbacked,
    /// Backed or not, no node runs it.
    Stale,
}

impl fmt::Display for ValueState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Backed => "backed",
            Self::Unbacked => "unbacked",
            Self::Stale => "stale",
        })
    }
}

/// A node that has not retired.
#[derive(Clone, Debug)]
pub struct ReviewedNode {
    /// The node.
    pub id: NodeId,
    /// What the service takes it for.
    pub status: NodeStatus,
    /// What it runs; `None` if it shows no attestation.
    pub outcome: Option<Outcome>,
}

/// Reviews what a service shows against `evidence`, by the rules of `ccf`, as far as `trust` goes.
pub fn review_service(
    shown: &ShownService,
    evidence: &[Evidence],
    ccf: Option<CcfVersion>,
    trust: &Trust,
) -> ServiceReview {
    let mut checks = trust.preface();
    checks.append(node::judge(evidence, checks.is_rehearsal()));
    node::check_committed(shown.committed, &mut checks);
    let mut nodes = Vec::new();
    for ShownNode { node, raw, itself } in shown.nodes.iter().filter(|n| n.node.status != NodeStatus::Retired) {
        let given = Attestation::of(Some(node.node_id));
        let (attestation, mut problems) = node::gather(given, node.node_id, raw, &shown.attested);
        problems.append(itself.clone());
        let mut outcome = node::check(node.node_id, node, &attestation, &shown.policy, ccf, trust);
        match &mut outcome {
            Some(outcome) => {
                outcome.checks.append(problems);
                let mut artefacts = Checks::new();
                node::check_artefacts(outcome, evidence, &mut artefacts);
                outcome.checks.append(artefacts);
            }
            None => checks.append(problems),
        }
        nodes.push(ReviewedNode { id: node.node_id, status: node.status, outcome });
    }
    let values = registered(&shown.policy, evidence, ccf, &nodes, &mut checks);
    for node in &nodes {
        check_node(node, &mut checks);
    }
    warnings(&nodes, &mut checks);
    ServiceReview { checks, values, nodes }
}

/// One row for every value of the join policy.
fn registered(
    policy: &JoinPolicy,
    evidence: &[Evidence],
    ccf: Option<CcfVersion>,
    running: &[ReviewedNode],
    found: &mut Checks,
) -> Vec<RegisteredValue> {
    let mut rows = Vec::new();
    let mut add = |kind: &'static str, value: String, action: Action, runs: &dyn Fn(&Outcome) -> bool| {
        let (contents, values) = rules::compare(&action, evidence, ccf);
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
            let verified = |n: &&ReviewedNode| n.outcome.as_ref().is_some_and(|o| runs(o) && meets_minimum(o));
            backed_by.extend(running.iter().filter(verified).map(|n| format!("the report of node {}", n.id)));
        }
        let unknown = running.iter().any(|n| n.outcome.is_none());
        let state = match (backed_by.is_empty(), nodes.is_empty()) {
            (true, true) if kind == MINIMUM_TCB && !unknown => {
                found.warn("stale", format!("{kind} {value}: no node has this processor"));
                ValueState::Stale
            }
            (true, _) => {
                found.fail("unbacked", format!("registered as {kind}: {why}"));
                ValueState::Unbacked
            }
            (false, true) if !unknown => {
                found.warn("stale", format!("{kind} {value}: registered, and no node runs it"));
                ValueState::Stale
            }
            (false, _) => {
                found.pass("backed", format!("{kind} {value}: {}", backed_by.join(", ")));
                ValueState::Backed
            }
        };
        rows.push(RegisteredValue { kind, value, state, backed_by, nodes });
    };
    for value in &policy.sgx.measurements {
        let remove = Registration::SgxCode.removal(&json!({"code_id": value}));
        add("sgx measurement", value.clone(), remove, &|o| o.platform == Platform::Sgx && o.measurement == *value);
    }
    for (value, policy) in &policy.snp.host_data {
        let set = Registration::SnpHostData.addition(json!({"host_data": value, "security_policy": policy}));
        let runs = |o: &Outcome| o.platform == Platform::Snp && o.host_data.is_some_and(|h| h.to_string() == *value);
        add("snp host data", value.clone(), set, &runs);
    }
    for value in &policy.snp.measurements {
        let remove = Registration::SnpMeasurement.removal(&json!({"measurement": value}));
        add("snp measurement", value.clone(), remove, &|o| o.platform == Platform::Snp && o.measurement == *value);
    }
    for UvmEntry { did, feed, svn, .. } in &policy.snp.uvm_endorsements {
        // An entry without a feed or a svn admits nobody: it is reported as malformed.
        let svn = svn.as_deref().unwrap_or_default();
        let is_integer = ccf.is_some_and(CcfVersion::svn_is_integer_in_action);
        let written = svn.parse::<u64>().ok().filter(|_| is_integer).map_or(json!(svn), |number| json!(number));
        let set = Registration::SnpUvmEndorsement.addition(json!({"did": did, "feed": feed, "svn": written}));
        let runs = |o: &Outcome| {
            let uvm = o.values.snp().and_then(|values| values.uvm.as_ref());
            uvm.is_some_and(|u| u.did == *did && u.feed == *feed)
        };
        add("snp uvm endorsement", format!("{feed} svn {svn} of {did}"), set, &runs);
    }
    for (cpuid, MinimumTcbEntry { written: minimum, .. }) in &policy.snp.tcb_versions {
        let set = Registration::SnpMinimumTcb.addition(json!({"cpuid": cpuid, "tcb_version": minimum}));
        let runs = |o: &Outcome| o.values.snp().and_then(|v| v.cpuid.as_ref()) == Some(cpuid);
        add(MINIMUM_TCB, format!("{cpuid} {minimum}"), set, &runs);
    }
    for value in &policy.virtual_.host_data {
        let remove = Registration::VirtualHostData.removal(&json!({"host_data": value}));
        let runs =
            |o: &Outcome| o.platform == Platform::Virtual && o.host_data.is_some_and(|h| h.to_string() == *value);
        add("virtual host data", value.clone(), remove, &runs);
    }
    for value in &policy.virtual_.measurements {
        let remove = Registration::VirtualMeasurement.removal(&json!({"measurement": value}));
        add("virtual measurement", value.clone(), remove, &|o| {
            o.platform == Platform::Virtual && o.measurement == *value
        });
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
fn warnings(running: &[ReviewedNode], found: &mut Checks) {
    let mut told: Vec<(&'static str, &str, Vec<String>)> = Vec::new();
    for node in running {
        let checks = node.outcome.iter().flat_map(|o| o.checks.iter());
        for check in checks.filter(|c| c.verdict == Verdict::Warn && c.name != REHEARSAL) {
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
fn check_node(node: &ReviewedNode, found: &mut Checks) {
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
        (Conclusion::Pass, Some(silent)) => {
            // Its attestation is that of a node which joined; whether it is still there, nobody has said.
            found.incomplete(
                "node",
                format!("{who}: its attestation is verified, and it was not heard: {}", silent.detail),
            );
        }
        (Conclusion::Pass, None) => found.pass("node", format!("{who}: verified")),
        (Conclusion::Fail, _) if unregistered => {
            found.fail(
                "not-registered",
                format!("{who} runs code that is no longer registered ({})", failed.join("; ")),
            );
        }
        (Conclusion::Fail, _) => found.fail("node", format!("{who}: {}", failed.join("; "))),
        _ => {
            let open = outcome.checks.iter().filter(|c| c.verdict == Verdict::Incomplete);
            let open: Vec<String> = open.map(|c| format!("{}: {}", c.name, c.detail)).collect();
            found.incomplete("node", format!("{who}: not everything could be checked: {}", open.join("; ")));
        }
    }
}

#[cfg(test)]
mod tests;
