//! What a proposal that was written by hand does to the network: each node that it trusts or removes, and the guard's judgement.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::named_node::{Effect, NamedNode, resolve};
use super::network::Network;
use super::quorum::{Assessment, Change, GuardError, Quorum};
use crate::check::{Checks, Conclusion, Verdict};
use crate::id::NodeId;
use crate::review::ObservedNode;
use crate::text::visible;

/// How many nodes are to be able to fail: one that nobody can miss is warned of.
const MINIMUM_F: usize = 1;

/// Whether a majority is left.
const QUORUM: &str = "quorum";
/// Whether one more node can fail.
const FAULT_TOLERANCE: &str = "fault-tolerance";
/// Whether an earlier change is under way.
const SETTLED: &str = "settled";
/// Whether there will be an election.
const PRIMARY: &str = "primary";
/// Whether the nodes are there.
const NODE: &str = "node-there";
/// Whether a node that is to be trusted was verified.
const ATTESTATION: &str = "attestation";

/// A proposal that trusts or removes nodes, beside the network as it is.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct NetworkChange {
    /// `fail` if nothing could be committed afterwards, `incomplete` if nobody says how the network stands.
    pub verdict: Conclusion,
    /// What the guard says.
    pub checks: Checks,
    /// Each action that names a node.
    pub nodes: Vec<NamedNode>,
    /// How many nodes there are before and after; null if nobody leads.
    pub network: Option<Assessment>,
}

/// Afterwards nothing could be committed any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StopsTheService(String);

impl StopsTheService {
    /// What to do instead.
    pub fn advice(&self) -> &'static str {
        "start the nodes that are down again, or trust new ones and let them catch up, before a live one is removed; \
         `ccf-gov node list` shows how each node stands"
    }
}

impl NetworkChange {
    /// Judges a `proposal` that trusts or removes nodes. `nodes` are those that the service lists, and `verified` is what was found of
    /// those that are to be trusted.
    pub fn of(
        proposal: &Value,
        nodes: &[ObservedNode],
        network: &Network,
        verified: &BTreeMap<NodeId, Checks>,
    ) -> Self {
        let (named, change) = resolve(proposal, nodes, verified);
        let mut checks = Checks::new();
        let network = judge(&change, network, &mut checks);
        for node in &named {
            check_node(node, verified, &mut checks);
        }
        Self { verdict: checks.verdict(), checks, nodes: named, network }
    }

    /// Whether something can be committed afterwards, as far as that is known.
    ///
    /// # Errors
    /// [`StopsTheService`]
    pub fn check(&self) -> Result<(), StopsTheService> {
        match self.checks.iter().find(|check| check.verdict == Verdict::Fail) {
            Some(check) => Err(StopsTheService(check.detail.clone())),
            None => Ok(()),
        }
    }

    /// What there is to warn of.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        let open = |verdict| matches!(verdict, Verdict::Warn | Verdict::Incomplete);
        self.checks.iter().filter(move |check| open(check.verdict)).map(|check| check.detail.as_str())
    }

    /// The network before and after and what the guard says, in lines that begin with a word.
    pub fn lines(&self) -> Vec<String> {
        let words = |quorum: Quorum, live| {
            let Quorum { n, majority, f } = quorum;
            format!("n {n}, majority {majority}, live {live}, f {f}")
        };
        let mut lines = Vec::new();
        if let Some(found) = self.network {
            lines.push(format!("network     now: {}", words(found.before, found.live_before)));
            lines.push(format!("            afterwards: {}", words(found.after, found.live_after)));
        }
        lines.extend(self.checks.iter().enumerate().map(|(at, check)| {
            let word = if at == 0 { "guard" } else { "" };
            format!("{word:12}{}: {}", check.verdict, check.detail)
        }));
        lines
    }
}

/// What the guard says of a change, most important first.
fn judge(change: &Change, network: &Network, found: &mut Checks) -> Option<Assessment> {
    if change.is_empty() {
        found.pass(QUORUM, "the network stays as it is");
    }
    let network = match network {
        Network::Led(network) => network,
        _ if change.is_empty() => return None,
        Network::Lost(lost) => {
            let (live, n, majority) = (lost.answering, lost.trusted, lost.needed());
            found.fail(QUORUM, GuardError::Disaster { live, n, majority }.to_string());
            return None;
        }
        Network::Unknown => {
            found.incomplete(
                QUORUM,
                "no primary says how the network stands, so it is not known whether a majority is left",
            );
            return None;
        }
    };
    let assessment = network.assess(change);
    if change.is_empty() {
        return Some(assessment);
    }
    if network.is_second_node(change) {
        found.warn(QUORUM, format!("{change} leaves two nodes that both have to live: until the new one has caught up, nothing is committed"));
        return Some(assessment);
    }
    let error = network.check(change, MINIMUM_F).err();
    match &error {
        Some(error) if error.stops_the_service() => found.fail(QUORUM, error.to_string()),
        _ => found.pass(QUORUM, format!("{change} leaves {}", left(&assessment))),
    }
    match &error {
        Some(GuardError::BelowMinimum { .. }) => {
            found.warn(FAULT_TOLERANCE, format!("{change} leaves a service that stops when one more node fails"));
        }
        Some(error @ (GuardError::NotSettled | GuardError::NotThere(_))) => found.warn(SETTLED, error.to_string()),
        _ => {}
    }
    if change.removed.contains(&network.primary) && assessment.after.n > 0 {
        let id = network.primary.short();
        found.warn(
            PRIMARY,
            format!("node {id} is the primary: its removal is an election, and writes pause until it is over"),
        );
    }
    Some(assessment)
}

fn left(found: &Assessment) -> String {
    let (live, Quorum { n, majority, .. }) = (found.live_after, found.after);
    let are = if live == 1 {
        "1 live node that is caught up".into()
    } else {
        format!("{live} live nodes that are caught up")
    };
    format!("{are}, and {majority} of {n} are a majority")
}

/// What is to be said of one node.
fn check_node(node: &NamedNode, verified: &BTreeMap<NodeId, Checks>, found: &mut Checks) {
    let id = visible(node.node_id.get(..8).unwrap_or(&node.node_id));
    match (node.effect, node.status) {
        (Effect::Fails, _) => {
            found.warn(
                NODE,
                format!("the service has no node {id}: applying the proposal will fail, and change nothing"),
            );
        }
        (Effect::Nothing, None) => found.warn(NODE, format!("the service has no node {id}: removing it does nothing")),
        (Effect::Nothing, Some(status)) => {
            found.warn(NODE, format!("node {id} is {status}: the proposal changes nothing of that"));
        }
        (Effect::Trusted, _) => {
            let whole = node.node_id.parse::<NodeId>().ok();
            check_verified(&id, whole.and_then(|whole| verified.get(&whole)), found);
        }
        _ => {}
    }
}

fn check_verified(id: &str, verified: Option<&Checks>, found: &mut Checks) {
    let worst = |verdict| verified.and_then(|checks| checks.iter().find(|check| check.verdict == verdict));
    let mark = if verified.is_some_and(Checks::is_rehearsal) { "REHEARSAL: " } else { "" };
    if let Some(check) = worst(Verdict::Fail) {
        let why = format!("{}: {}", check.name, visible(&check.detail));
        found.warn(ATTESTATION, format!("{mark}node {id} did not pass verification here: {why}"));
    } else if verified.is_some_and(|checks| checks.verdict() == Conclusion::Pass) {
        found.pass(ATTESTATION, format!("{mark}node {id} was verified here, and runs what the evidence is"));
    } else {
        let open = worst(Verdict::Incomplete).map_or_else(String::new, |check| format!(" ({})", check.name));
        found.warn(
            ATTESTATION,
            format!(
                "{mark}node {id} was not verified here{open}: `ccf-gov verify node {id} --evidence FILE` does that"
            ),
        );
    }
}

#[cfg(test)]
mod tests;
