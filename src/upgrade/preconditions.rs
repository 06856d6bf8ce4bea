//! What must be so before and during a walk: each a named check that `upgrade.toml` can waive with a reason.

use time::Duration;

use super::{CodeKind, Intended, Need, Observed, Plan, Wanted, Way};
use crate::ccf_version::{CcfVersion, Stage};
use crate::check::{Checks, Verdict};
use crate::constitution::Constitution;
use crate::kv::Tables;
use crate::proposal::{Proposal, Registration};
use crate::service::{MemberStatus, NodeStatus, ProposalState, ServiceInfo, Validity};
use crate::tcb::MinimumTcb;

/// The path from the version that runs to the new one.
const VERSION_PATH: &str = "version-path";
/// Certificates that end soon.
const CERTIFICATES: &str = "certificates";
/// Members who cannot vote.
const MEMBERS: &str = "members-active";
/// Proposals that would be dropped.
const PROPOSALS: &str = "open-proposals";
/// How many nodes there will be.
const NODES: &str = "node-count";
/// How long certificates of nodes may be valid.
const VALIDITY: &str = "validity";
/// A minimum that is registered and would be lowered.
const MINIMUM: &str = "minimum-lowered";
/// Whether the live constitution takes the plan's proposals.
const CONSTITUTION: &str = "constitution";

/// Who proposes. It cannot be waived: `upgrade.toml` names somebody else, or nobody.
const PROPOSER: &str = "proposer";

/// Every precondition that can be waived.
pub const PRECONDITIONS: [&str; 8] =
    [VERSION_PATH, CERTIFICATES, MEMBERS, PROPOSALS, NODES, VALIDITY, MINIMUM, CONSTITUTION];

/// A certificate that ends within this time fails: a walk may take so long.
const WALK: Duration = Duration::hours(6);
/// One that ends within this time is a warning.
const SOON: Duration = Duration::days(7);
/// The first version of CCF 6 from which CCF 7 can be joined.
const SOURCE: CcfVersion = CcfVersion::new(6, 0, 21);
/// The first version of CCF 6 that answers the pre-votes of CCF 7.
const PRE_VOTE: CcfVersion = CcfVersion::new(6, 0, 17);
/// The first version of CCF 7 to go to.
const TARGET: CcfVersion = CcfVersion::new(7, 0, 1);

/// Judges what the plan rests on, as far as that needs no constitution to be run.
pub fn preconditions(plan: &Plan, seen: &Observed, wanted: &Wanted) -> Checks {
    waive(plan, judge(plan, seen, wanted))
}

/// The same, whatever is waived.
pub(super) fn judge(plan: &Plan, seen: &Observed, wanted: &Wanted) -> Checks {
    let mut found = Checks::new();
    version_path(plan, seen, &mut found);
    certificates(seen, &mut found);
    members(seen, &mut found);
    open_proposals(plan, seen, wanted, &mut found);
    node_count(plan, &mut found);
    validity(plan, seen, &mut found);
    minimum(plan, seen, &mut found);
    proposer(plan, seen, &mut found);
    found
}

/// Whether the constitution in force takes these proposals of the plan as valid. It runs the constitution, on empty tables.
///
/// A rule that looks into the tables may say no here and yes on the service: that is a warning, not a failure.
pub fn check_constitution(plan: &Plan, seen: &Observed, proposals: &[Proposal]) -> Checks {
    waive(plan, check_rules(seen, proposals))
}

/// The same, whatever is waived.
pub(super) fn check_rules(seen: &Observed, proposals: &[Proposal]) -> Checks {
    let mut found = Checks::new();
    let Some(source) = &seen.constitution else { return found };
    let constitution = match Constitution::new(source) {
        Ok(constitution) => constitution,
        Err(error) => {
            found.fail(CONSTITUTION, format!("the constitution in force does not run here: {error}"));
            return found;
        }
    };
    for proposal in proposals {
        let title = crate::proposal::title(proposal.value(), |_| None);
        let text = String::from_utf8_lossy(proposal.bytes());
        match constitution.validate(&Tables::new(), &text) {
            Ok(judged) if judged.valid => found.pass(CONSTITUTION, format!("{title}: valid")),
            Ok(judged) => {
                let why = judged.description;
                found.fail(
                    CONSTITUTION,
                    format!("{title}: the constitution refuses it: {}", crate::text::visible(&why)),
                );
            }
            Err(error) => found.warn(CONSTITUTION, format!("{title}: not judged on empty tables: {error}")),
        }
    }
    found
}

/// What is waived stays in sight, with its reason.
fn waive(plan: &Plan, found: Checks) -> Checks {
    let mut waived = Checks::new();
    for check in &found {
        match plan.waived.get(check.name) {
            Some(reason) if matches!(check.verdict, Verdict::Fail | Verdict::Incomplete) => {
                let reason = crate::text::visible(reason);
                waived.warn(check.name, format!("{}; waived: {reason}", check.detail));
            }
            _ => waived.push(check.name, check.verdict, check.detail.clone()),
        }
    }
    waived
}

fn version_path(plan: &Plan, seen: &Observed, found: &mut Checks) {
    let old = plan.old_code(seen);
    let versions = |kind: CodeKind| {
        let nodes = seen.nodes_that_are(NodeStatus::Trusted).filter(move |node| old.kind_of(plan, node) == kind);
        nodes.filter_map(|node| node.version)
    };
    let to = plan.version.or(versions.clone()(CodeKind::New).min());
    let from = versions.clone()(CodeKind::Old).chain(versions(CodeKind::Other)).min();
    let (Some(from), Some(to)) = (from, to) else {
        let unknown = plan.word(if to.is_none() { CodeKind::New } else { CodeKind::Old });
        let hint = match plan.way {
            Way::Forward => "state [new] version, and read CCF's release notes",
            Way::Back => "read CCF's release notes",
        };
        found.warn(VERSION_PATH, format!("the version of the {unknown} code is not known: {hint}"));
        return;
    };
    match version_step(from, to) {
        Ok(None) => found.pass(VERSION_PATH, format!("from {from} to {to}")),
        Ok(Some(doubt)) => found.warn(VERSION_PATH, format!("from {from} to {to}: {doubt}")),
        Err(reason) => found.fail(VERSION_PATH, format!("from {from} to {to}: {reason}")),
    }
}

/// Whether nodes of one version can be replaced by nodes of another; a doubt, or why not. Source: CCF's release policy and its
/// migration guide from 6.x to 7.0.
fn version_step(from: CcfVersion, to: CcfVersion) -> Result<Option<&'static str>, &'static str> {
    let released = |version: CcfVersion| version.stage == Stage::Release && version.commits == 0;
    match (from.major, to.major) {
        (from, to) if to < from => Err("nodes of an older major version cannot read the ledger of a newer one"),
        (from, to) if to > from + 1 => Err("no major version may be skipped"),
        (6, 7) if from < PRE_VOTE => {
            Err("nodes before 6.0.17 do not answer the pre-votes of CCF 7: go to 6.0.28 first")
        }
        (6, 7) if from < SOURCE => Err("CCF 7 is reached from 6.0.21 or later: go to 6.0.28 first"),
        (6, 7) if to < TARGET => Err("CCF 7.0.0 and what came before it are to be skipped: go to 7.0.1 or later"),
        _ if !released(from) || !released(to) => {
            Ok(Some("one of them is no release: nobody promises that they run together"))
        }
        (from, to) if to == from + 1 && from != 6 => Ok(Some("read CCF's migration guide for this version")),
        _ => Ok(None),
    }
}

fn certificates(seen: &Observed, found: &mut Checks) {
    let service = seen.info.as_ref().and_then(|info| Validity::of_pem(&info.certificate));
    let service = service.map(|validity| ("the service certificate".to_owned(), validity));
    let nodes = seen.nodes_that_are(NodeStatus::Trusted);
    let nodes = nodes.filter_map(|node| Some((format!("the certificate of node {}", node.title()), node.validity?)));
    let members = seen.active().filter_map(|member| {
        let certificate = member.read_certificate()?;
        let validity = Validity { not_before: certificate.not_before(), not_after: certificate.not_after() };
        Some((format!("the certificate of member {}", seen.name(member.member_id)), validity))
    });
    let mut good = true;
    for (of, validity) in service.into_iter().chain(nodes).chain(members) {
        let left = validity.not_after - seen.at;
        if left < SOON {
            good = false;
            // Nodes do not look at when a member's certificate ends; this tool does, and other clients may.
            let verdict = if left < WALK { Verdict::Fail } else { Verdict::Warn };
            found.push(CERTIFICATES, verdict, format!("{of} {}", validity.describe(seen.at)));
        }
    }
    if good {
        found.pass(CERTIFICATES, "no certificate of the service, its nodes or its members ends within 7 days");
    }
}

fn members(seen: &Observed, found: &mut Checks) {
    let inactive = seen.members.iter().filter(|member| member.status != MemberStatus::Active);
    let names: Vec<String> = inactive.map(|member| seen.name(member.member_id)).collect();
    let detail = match names.is_empty() {
        true => format!("all {} members are active", seen.members.len()),
        false => format!("not active, and cannot vote before they activate their membership: {}", names.join(", ")),
    };
    found.require(MEMBERS, names.is_empty(), detail);
}

/// Asked only before the plan's own proposal stands: whoever proposes something else later cannot hold it up.
fn open_proposals(plan: &Plan, seen: &Observed, wanted: &Wanted, found: &mut Checks) {
    let Need::Proposal(intended @ Intended::Register(_)) = &wanted.need else { return };
    let open = || seen.proposals.iter().filter(|(_, known)| known.state == ProposalState::Open);
    let ours = |proposal: &Proposal| intended.check(plan, seen.at, proposal).is_ok();
    if open().any(|(_, known)| known.proposal.as_ref().is_some_and(ours)) {
        return;
    }
    let about_code = |proposal: &Proposal| {
        proposal.actions().iter().any(|action| {
            Registration::of(&action.name).is_some()
                || matches!(action.name.as_str(), "transition_node_to_trusted" | "remove_node" | "set_constitution")
        })
    };
    let others = open().filter(|(_, known)| !known.proposal.as_ref().is_some_and(about_code));
    let ids: Vec<String> = others.map(|(id, _)| id.short()).collect();
    let detail = match ids.is_empty() {
        true => "no open proposal is dropped by the registration".into(),
        false => format!(
            "accepting the registration drops the open proposals {}: decide or withdraw them first",
            ids.join(", ")
        ),
    };
    found.require(PROPOSALS, ids.is_empty(), detail);
}

fn node_count(plan: &Plan, found: &mut Checks) {
    let f = super::quorum::Quorum::of(plan.nodes).f;
    let detail = format!("{} nodes tolerate {f} failed ones, and the minimum is {}", plan.nodes, plan.minimum_f);
    found.require(NODES, f >= plan.minimum_f, detail);
}

fn validity(plan: &Plan, seen: &Observed, found: &mut Checks) {
    let setting = |info: &ServiceInfo| info.configuration.get("maximumNodeCertificateValidityDays")?.as_u64();
    let Some(most) = seen.info.as_ref().and_then(setting) else { return };
    let days = plan.validity_days;
    found.require(
        VALIDITY,
        u64::from(days) <= most,
        format!("certificates of new nodes are valid for {days} days, and the service allows {most}"),
    );
}

fn minimum(plan: &Plan, seen: &Observed, found: &mut Checks) {
    let lowered = plan.new.registration(&seen.join_policy).into_iter().filter_map(|action| {
        let kind = Registration::of(&action.name)?;
        let key = kind.key(&action)?;
        (kind == Registration::SnpUvmEndorsement && seen.join_policy.has(kind, &key)).then_some(key)
    });
    for key in lowered {
        found.fail(
            MINIMUM,
            format!(
                "{} is of an older UVM than the least that is registered for {}",
                plan.wanted_code(),
                crate::text::clip(&key, 120)
            ),
        );
    }
    for action in plan.new.raises(&seen.join_policy) {
        let wanted = action.arg("tcb_version").and_then(|tcb| MinimumTcb::from_json(tcb).ok());
        let cpuid = action.text("cpuid").unwrap_or_default();
        let registered = seen.join_policy.snp.tcb_versions.get(cpuid).and_then(|entry| entry.minimum.as_ref().ok());
        if registered.zip(wanted).is_some_and(|(registered, wanted)| registered.exceeds(&wanted)) {
            let cpuid = crate::text::clip(cpuid, 40);
            found.fail(MINIMUM, format!("the plan's minimum TCB for CPUID {cpuid} is less than what is registered"));
        }
    }
}

fn proposer(plan: &Plan, seen: &Observed, found: &mut Checks) {
    match plan.proposing(seen) {
        Ok(None) => {}
        Ok(Some(id)) => found.pass(PROPOSER, format!("{} proposes", seen.name(id))),
        Err(reason) => found.fail(PROPOSER, format!("[rules] proposer in upgrade.toml: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(from: &str, to: &str) -> Result<Option<&'static str>, &'static str> {
        version_step(from.parse().unwrap(), to.parse().unwrap())
    }

    #[test]
    fn the_path_from_6_to_7_is_the_documented_one() {
        assert_eq!(step("6.0.21", "7.0.1"), Ok(None));
        assert_eq!(step("6.0.28", "ccf-7.0.25"), Ok(None));
        assert!(step("6.0.20", "7.0.1").is_err());
        assert!(step("6.0.17", "7.0.25").is_err());
        assert!(step("6.0.16", "7.0.25").unwrap_err().contains("pre-votes"));
        assert!(step("6.0.28", "7.0.0").is_err());
        assert!(step("6.0.28", "7.0.0-dev7").is_err());
        assert!(step("6.0.28", "8.0.0").unwrap_err().contains("skipped"));
        assert!(step("7.0.5", "6.0.28").is_err());
    }

    #[test]
    fn patches_of_one_version_run_together_and_builds_are_doubted() {
        assert_eq!(step("7.0.5", "7.0.25"), Ok(None));
        assert_eq!(step("7.0.25", "7.0.25"), Ok(None));
        assert_eq!(step("6.0.28", "6.0.17"), Ok(None));
        assert!(step("7.0.0-dev5-12-gabcdef0", "7.0.0-dev7").unwrap().is_some());
        assert!(step("7.0.25", "8.0.0").unwrap().is_some());
    }
}
