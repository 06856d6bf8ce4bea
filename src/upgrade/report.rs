//! The report of an upgrade: what was planned, what was done, and the proof of what came of it.

use serde::Serialize;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;

use super::record::Entry;
use super::{CodeKind, Need, Observed, Phase, Plan, Progress, Topology, Waiver, preconditions, waivers_now, wanted};
use crate::check::{Checks, Conclusion};
use crate::id::{MemberId, NodeId, ProposalId};
use crate::service::NodeStatus;

/// A report. Everything in it that came from the service or from a file is foreign text.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// When it was made, RFC 3339.
    pub at: String,
    /// Whether attestations were verified under made-up roots.
    pub rehearsal: bool,
    /// The plan's digest, which everybody shares.
    pub digest: String,
    /// The plan.
    pub plan: Value,
    /// How far each phase is.
    pub phases: Vec<Progress>,
    /// Every precondition, those that were waived with their reasons.
    pub preconditions: Checks,
    /// Which preconditions are waived, why, and what their checks say today.
    pub waived: Vec<Waiver>,
    /// Why the new code, or a part of it, is given by values that nobody can measure again.
    pub without_artefact: Option<String>,
    /// Nodes that still wait when the end is reached, in a sentence.
    pub leftover: Option<String>,
    /// What the records say was done, in order.
    pub done: Vec<Line>,
    /// Lines of the records that could not be read.
    pub unreadable: usize,
    /// The nodes now, with what each runs.
    pub topology: Topology,
    /// What each node's attestation proves.
    pub evidence: Vec<Proven>,
    /// Whether the end is reached, each part of it a check.
    pub proof: Checks,
    /// All checks of the proof together.
    pub verdict: Conclusion,
}

/// One thing that was done.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// When, RFC 3339.
    pub at: String,
    /// The phase.
    pub phase: Phase,
    /// Who did it.
    pub who: String,
    /// What.
    pub what: String,
    /// The proposal that it was about.
    pub proposal_id: Option<ProposalId>,
    /// The committed transaction.
    pub transaction: Option<String>,
    /// How each member voted, of a proposal that was decided by it.
    pub votes: Vec<(String, bool)>,
    /// The nodes before it.
    pub before: Topology,
}

/// What a node's attestation proves.
#[derive(Clone, Debug, Serialize)]
pub struct Proven {
    /// The node.
    pub node_id: NodeId,
    /// What its code is to the plan.
    pub code: CodeKind,
    /// Host data, or with SGX nothing.
    pub host_data: Option<String>,
    /// The measurement.
    pub measurement: Option<String>,
    /// Why the attestation does not hold; `None` if it does.
    pub fault: Option<String>,
}

impl Report {
    /// Makes a report from a whole look at the service and from the entries of one or more records. The proof begins with `preface`,
    /// which says by whose roots attestations were judged if they are made up
    /// ([`Trust::preface`](crate::evidence::node::Trust::preface)).
    pub fn of(plan: &Plan, seen: &Observed, mut entries: Vec<Entry>, unreadable: usize, preface: Checks) -> Self {
        let key = |entry: &Entry| (entry.at.clone(), entry.member, entry.did.transaction_id, entry.did.what.clone());
        entries.sort_by_cached_key(key);
        // Only what several records tell alike is told once: none can take the place of another.
        entries.dedup_by(|a, b| a.did.transaction_id.is_some() && a == b);
        let name = |member: Option<MemberId>| member.map_or_else(|| "the operator".into(), |id| seen.name(id));
        let line = |entry: Entry| Line {
            at: entry.at,
            phase: entry.phase,
            who: name(entry.member),
            what: entry.did.what,
            proposal_id: entry.did.proposal_id,
            transaction: entry.did.transaction_id.map(|id| id.to_string()),
            votes: entry.did.votes.into_iter().map(|(id, yes)| (seen.name(id), yes)).collect(),
            before: entry.before,
        };
        let old = plan.old_code(seen);
        let proven = |node: &super::ObservedNode| Proven {
            node_id: node.id,
            code: old.kind_of(plan, node),
            host_data: node.running.as_ref().and_then(|running| running.host_data.clone()),
            measurement: node.running.as_ref().map(|running| running.measurement.clone()),
            fault: node.verified.as_ref().err().cloned(),
        };
        let wanted = wanted(plan, seen);
        let rehearsal = preface.is_rehearsal();
        let mut proof = preface;
        prove(plan, seen, &mut proof);
        Self {
            at: seen.at.format(&Rfc3339).unwrap_or_default(),
            rehearsal,
            digest: plan.digest().to_string(),
            plan: plan.to_json(),
            phases: Progress::of(wanted.phase),
            preconditions: preconditions(plan, seen, &wanted),
            waived: waivers_now(plan, seen, &wanted),
            without_artefact: plan.without_artefact.clone(),
            leftover: seen.leftover().filter(|_| wanted.need == Need::Nothing),
            done: entries.into_iter().map(line).collect(),
            unreadable,
            topology: Topology::of(plan, seen),
            evidence: seen.nodes.iter().map(proven).collect(),
            verdict: proof.verdict(),
            proof,
        }
    }
}

/// Only the new code is admitted, only the new code runs, and all of that is committed.
fn prove(plan: &Plan, seen: &Observed, found: &mut Checks) {
    let old = plan.old_code(seen);
    let others = plan.new.others(&seen.join_policy);
    let names: Vec<String> = others.iter().map(|(kind, key)| format!("{} {key}", kind.name())).collect();
    let admitted = plan.new.is_admitted(&seen.join_policy);
    let detail = format!("the join policy {} the new code", if admitted { "admits" } else { "does not admit" });
    found.require("new-code-admitted", admitted, detail);
    found.require(
        "only-new-code-admitted",
        names.is_empty(),
        match names.is_empty() {
            true => "the join policy admits nothing else".to_owned(),
            false => format!("the join policy still admits {}", names.join(", ")),
        },
    );
    let less = plan.new.raises(&seen.join_policy);
    let detail = if less.is_empty() {
        "the join policy asks for as much as the plan"
    } else {
        "the join policy asks for another UVM or TCB than the plan"
    };
    found.require("minimum-registered", less.is_empty(), detail);
    let trusted: Vec<_> = seen.nodes_that_are(NodeStatus::Trusted).collect();
    let foreign: Vec<String> =
        trusted.iter().filter(|node| old.kind_of(plan, node) != CodeKind::New).map(|node| node.title()).collect();
    found.require(
        "only-new-code-runs",
        foreign.is_empty(),
        match foreign.is_empty() {
            true => "every trusted node runs the new code, by its attestation, which was verified here".to_owned(),
            false => format!("these trusted nodes are not proven to run the new code: {}", foreign.join(", ")),
        },
    );
    let live = trusted.iter().filter(|node| seen.is_caught_up(node.id)).count();
    found.require(
        "nodes",
        live == plan.nodes && trusted.len() == plan.nodes,
        format!("{live} of {} trusted nodes are caught up, and {} are wanted", trusted.len(), plan.nodes),
    );
    let left: Vec<String> = seen.nodes_that_are(NodeStatus::Retired).map(|node| node.title()).collect();
    found.require(
        "old-nodes-deleted",
        left.is_empty(),
        if left.is_empty() { "no retired node is left".into() } else { format!("not deleted: {}", left.join(", ")) },
    );
    if let Some(constitution) = &plan.constitution {
        let same = seen.constitution.as_ref() == Some(constitution);
        found.require("constitution", same, if same { "as planned" } else { "another one is in force" });
    }
    if let Some(bundle) = &plan.application {
        let wanted = crate::review::Application::of_bundle(bundle);
        let same = wanted.zip(seen.application.as_ref()).is_some_and(|(wanted, running)| running.is_as(&wanted));
        found.require("application", same, if same { "as planned" } else { "another one runs" });
    }
    match seen.committed {
        true => found.pass("committed", "everything that this was read from is committed"),
        false => found.incomplete("committed", "what the service shows is not committed yet"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::forecast::testing::{service, virtual_code};
    use super::*;
    use crate::proposal::Registration;
    use crate::service::MinimumTcbEntry;
    use crate::tcb::MinimumTcb;
    use crate::upgrade::CodeValue;

    fn verdict(plan: &Plan, seen: &Observed) -> Conclusion {
        Report::of(plan, seen, Vec::new(), 0, Checks::new()).verdict
    }

    #[test]
    fn nothing_of_any_platform_may_be_let_in_beside_the_new_code() {
        let plan = Plan::of(virtual_code(1), 3);
        let seen = service(&plan.new, 3);
        assert_eq!(verdict(&plan, &seen), Conclusion::Pass);
        let mut others = vec![seen.clone(); 3];
        others[0].join_policy.snp.measurements.push("ab".repeat(48));
        others[1].join_policy.snp.host_data.insert("ab".repeat(32), String::new());
        others[2].join_policy.sgx.measurements.push("ab".repeat(32));
        for seen in others {
            assert_eq!(verdict(&plan, &seen), Conclusion::Fail, "{:?}", seen.join_policy);
        }
    }

    /// What one person's record says cannot take the place of what another's does.
    #[test]
    fn of_records_that_contradict_each_other_both_are_shown() {
        let plan = Plan::of(virtual_code(1), 3);
        let seen = service(&plan.new, 3);
        let entry = |at: &str, what: &str| Entry {
            at: at.into(),
            plan: plan.digest().to_string(),
            phase: Phase::Register,
            member: None,
            did: crate::upgrade::Did::unsigned(what.into(), Some("2.10".parse().unwrap())),
            before: Topology::of(&plan, &seen),
        };
        let shown = |entries| {
            let lines = Report::of(&plan, &seen, entries, 0, Checks::new()).done;
            lines.into_iter().map(|line| line.what).collect::<Vec<_>>()
        };
        let (at, earlier) = ("2026-11-26T06:00:00Z", "2026-11-26T05:59:59Z");
        assert_eq!(shown(vec![entry(at, "a"), entry(at, "a")]), ["a"]);
        assert_eq!(shown(vec![entry(at, "true"), entry(earlier, "false"), entry(at, "true")]), ["false", "true"]);
    }

    #[test]
    fn a_higher_minimum_tcb_is_not_lowered_silently() {
        let mut plan = Plan::of(virtual_code(1), 3);
        let args =
            json!({"cpuid": "00a00f11", "tcb_version": {"boot_loader": 4, "tee": 0, "snp": 24, "microcode": 219}});
        plan.new.values.push(CodeValue { kind: Registration::SnpMinimumTcb, args });
        let mut seen = service(&plan.new, 3);
        let judge = |plan: &Plan, seen: &Observed| preconditions(plan, seen, &wanted(plan, seen)).verdict();
        let good = judge(&plan, &seen);
        let higher = json!({"boot_loader": 4, "tee": 0, "snp": 25, "microcode": 219});
        let entry = MinimumTcbEntry { minimum: MinimumTcb::from_json(&higher), written: higher };
        seen.join_policy.snp.tcb_versions.insert("00a00f11".into(), entry);
        assert_ne!(good, Conclusion::Fail);
        assert_eq!(judge(&plan, &seen), Conclusion::Fail);
        plan.waived.insert("minimum-lowered".into(), "the processors were exchanged".into());
        assert_eq!(judge(&plan, &seen), good);
    }

    #[test]
    fn what_is_registered_asks_for_as_much_as_the_plan() {
        let mut plan = Plan::of(virtual_code(1), 3);
        let tcb = |snp: u8| json!({"boot_loader": 4, "tee": 0, "snp": snp, "microcode": 219});
        let args = json!({"cpuid": "00a00f11", "tcb_version": tcb(24)});
        plan.new.values.push(CodeValue { kind: Registration::SnpMinimumTcb, args });
        let mut seen = service(&plan.new, 3);
        assert_eq!(verdict(&plan, &seen), Conclusion::Pass);
        for written in [tcb(23), json!("unreadable")] {
            let entry = MinimumTcbEntry { minimum: MinimumTcb::from_json(&written), written };
            seen.join_policy.snp.tcb_versions.insert("00a00f11".into(), entry);
            assert_eq!(verdict(&plan, &seen), Conclusion::Fail);
            assert_eq!(wanted(&plan, &seen).phase, Phase::Deregister);
        }
    }
}
