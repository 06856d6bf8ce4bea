//! What must be so before and during a walk: each a named check that `upgrade.toml` can waive with a reason.

mod rules;
mod version_path;

use time::Duration;

use super::{Intended, Need, Observed, Plan, Wanted};
use crate::check::{Checks, Verdict};
use crate::proposal::{Proposal, Registration};
use crate::service::{MemberStatus, NodeStatus, ProposalState, ServiceInfo, Validity};
use crate::tcb::MinimumTcb;

pub use rules::check_constitution;
pub(super) use rules::check_rules;

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
/// Whether the live constitution takes the plan's proposals, and some votes pass them.
pub(super) const CONSTITUTION: &str = "constitution";

/// Who proposes. It cannot be waived: `upgrade.toml` names somebody else, or nobody.
const PROPOSER: &str = "proposer";

/// Every precondition that can be waived.
pub const PRECONDITIONS: [&str; 8] =
    [VERSION_PATH, CERTIFICATES, MEMBERS, PROPOSALS, NODES, VALIDITY, MINIMUM, CONSTITUTION];

/// A certificate that ends within this time fails: a walk may take so long.
const WALK: Duration = Duration::hours(6);
/// One that ends within this time is a warning.
const SOON: Duration = Duration::days(7);

/// Judges what the plan rests on, as far as that needs no constitution to be run.
pub fn preconditions(plan: &Plan, seen: &Observed, wanted: &Wanted) -> Checks {
    waive(plan, judge(plan, seen, wanted))
}

/// The same, whatever is waived.
pub(super) fn judge(plan: &Plan, seen: &Observed, wanted: &Wanted) -> Checks {
    let mut found = Checks::new();
    version_path::check(plan, seen, &mut found);
    certificates(seen, &mut found);
    members(seen, &mut found);
    open_proposals(plan, seen, wanted, &mut found);
    node_count(plan, &mut found);
    validity(plan, seen, &mut found);
    minimum(plan, seen, &mut found);
    proposer(plan, seen, &mut found);
    found
}

/// What is waived stays in sight, with its reason.
pub(super) fn waive(plan: &Plan, found: Checks) -> Checks {
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
