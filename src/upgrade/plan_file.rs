//! `PLAN.json`: a plan as it was made, and what it was decided from.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{CodeKind, Forecast, Observed, Plan};
use crate::certificate;
use crate::check::Checks;
use crate::digest::sha256;
use crate::id::{MemberId, NodeId};
use crate::json::{self, JsonError};
use crate::proposal::Registration;
use crate::service::JoinPolicy;
use crate::tcb::MinimumTcb;
use crate::text::clip;

/// The largest plan file that is read: it may hold an application and a constitution more than once.
pub const MAX_PLAN_FILE: u64 = 64 << 20;

/// A plan file: `upgrade step` and `upgrade status` can be held to it, so that they stop where the service has changed since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanFile {
    /// The plan's whole digest, 64 hexadecimal digits.
    digest: String,
    decided_from: DecidedFrom,
}

/// What a plan was decided from, as far as a change of it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct DecidedFrom {
    /// SHA-256 of the constitution in force, if it was read.
    constitution: Option<String>,
    /// What was registered, by what its kind is called.
    registered: BTreeMap<String, BTreeSet<String>>,
    /// The least that was registered: of each processor's TCB, and of each feed's security version, by the kind and the key.
    minimums: BTreeMap<String, Value>,
    /// The members who could vote.
    active_members: BTreeSet<MemberId>,
    /// Every node that was listed.
    nodes: BTreeSet<NodeId>,
}

/// Why a file is no plan file.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// Not strict JSON.
    #[error("a plan file is JSON")]
    Json(#[from] JsonError),
    /// JSON of another shape.
    #[error("the file has no digest and decided_from of a plan: use one that `upgrade plan -o` wrote")]
    Shape,
}

impl PlanFile {
    /// The plan as it is now.
    pub fn of(plan: &Plan, seen: &Observed) -> Self {
        Self { digest: plan.digest().hex(), decided_from: DecidedFrom::of(seen) }
    }

    /// Reads what [`Self::write`] wrote.
    ///
    /// # Errors
    /// [`PlanFileError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, PlanFileError> {
        let value = json::parse(bytes)?;
        let digest = value.get("digest").and_then(Value::as_str).ok_or(PlanFileError::Shape)?;
        let from = value.get("decided_from").cloned().ok_or(PlanFileError::Shape)?;
        let decided_from = serde_json::from_value(from).map_err(|_| PlanFileError::Shape)?;
        Ok(Self { digest: digest.to_owned(), decided_from })
    }

    /// The file: the plan, its digest, what it was decided from, every step with its whole proposal, the preconditions, and whether
    /// attestations were judged by made-up roots.
    pub fn write(&self, plan: &Plan, forecast: &Forecast, checks: &Checks, rehearsal: bool) -> Value {
        json!({
            "digest": self.digest,
            "short": plan.digest().to_string(),
            "plan": plan.to_json(),
            "decided_from": self.decided_from,
            "phases": forecast.phases(),
            "stops": forecast.stops,
            "checks": checks,
            "rehearsal": rehearsal,
        })
    }

    /// What has changed in a way that matters since the plan was made, and is not the walk's own progress.
    pub fn changes(&self, plan: &Plan, seen: &Observed) -> Vec<String> {
        let mut changes = Vec::new();
        if self.digest != plan.digest().hex() {
            changes.push(format!(
                "upgrade.toml or a file that it names has changed: the plan is {} now, and the plan file is of {}",
                plan.digest().hex(),
                clip(&self.digest, 64)
            ));
        }
        changes.extend(service(plan, seen));
        changes.extend(self.constitution(plan, seen));
        changes.extend(self.members(seen));
        changes.extend(self.nodes(plan, seen));
        changes.extend(self.registered(plan, seen));
        changes.extend(self.minimums(plan, seen));
        changes
    }

    /// Minimums that are neither what they were nor what the plan makes of them. Old feeds are deregistered by the walk; minimum TCBs
    /// never are.
    fn minimums(&self, plan: &Plan, seen: &Observed) -> Vec<String> {
        let (then, now, wanted) = (&self.decided_from.minimums, minimums(&seen.join_policy), wanted_minimums(plan));
        let is_tcb = |name: &str| name.starts_with(Registration::SnpMinimumTcb.name());
        let gone = then.keys().filter(|name| is_tcb(name) && !now.contains_key(*name));
        let gone = gone.map(|name| format!("the {} was registered then, and is not any more", clip(name, 120)));
        let other = now.iter().filter(|(name, least)| {
            let known = then.get(*name).or(wanted.get(*name));
            known.is_some_and(|known| known != *least) && wanted.get(*name) != Some(least)
        });
        let other = other.map(|(name, least)| {
            let what = clip(&least.to_string(), 120);
            format!("the {} has the minimum {what}, which is neither that of then nor the plan's", clip(name, 120))
        });
        gone.chain(other).collect()
    }

    fn constitution(&self, plan: &Plan, seen: &Observed) -> Option<String> {
        let (before, now) = (self.decided_from.constitution.as_ref()?, seen.constitution.as_ref()?);
        let known = digest(now) == *before || plan.constitution.as_ref() == Some(now);
        (!known).then(|| "the constitution is neither the one of then nor the one that the plan wants".to_owned())
    }

    fn members(&self, seen: &Observed) -> Vec<String> {
        let now: BTreeSet<MemberId> = seen.active().map(|member| member.member_id).collect();
        let then = &self.decided_from.active_members;
        let change = |id: &MemberId, what: &str| format!("member {} {what}", seen.name(*id));
        let come = now.difference(then).map(|id| change(id, "is active, and was not then"));
        let gone = then.difference(&now).map(|id| change(id, "was active then, and is not any more"));
        come.chain(gone).collect()
    }

    /// Nodes that are there now, and run neither the old code nor the new.
    fn nodes(&self, plan: &Plan, seen: &Observed) -> Vec<String> {
        let old = plan.old_code(seen);
        let is_foreign = |node: &&super::ObservedNode| {
            !self.decided_from.nodes.contains(&node.id) && old.kind_of(plan, node) == CodeKind::Other
        };
        let foreign = seen.nodes.iter().filter(is_foreign);
        foreign.map(|node| format!("node {} has come, and is neither old nor new", node.title())).collect()
    }

    /// Values that are registered now, and are none of the new code.
    fn registered(&self, plan: &Plan, seen: &Observed) -> Vec<String> {
        let own = |kind: Registration, key: &str| plan.new.values.iter().any(|v| v.kind == kind && v.key() == key);
        let mut changes = Vec::new();
        for kind in Registration::ALL {
            let then = self.decided_from.registered.get(kind.name());
            for key in seen.join_policy.keys(kind) {
                if !own(kind, &key) && !then.is_some_and(|then| then.contains(&key)) {
                    let (name, key) = (kind.name(), clip(&key, 120));
                    changes.push(format!("the {name} {key} is registered, and was not then"));
                }
            }
        }
        changes
    }
}

/// What a join policy asks at the least: TCBs by their components, and security versions.
fn minimums(policy: &JoinPolicy) -> BTreeMap<String, Value> {
    let tcbs = policy.snp.tcb_versions.iter().map(|(cpuid, entry)| {
        let least = entry.minimum.as_ref().map_or_else(|_| entry.written.clone(), tcb);
        (named(Registration::SnpMinimumTcb, cpuid), least)
    });
    let feeds = policy.snp.uvm_endorsements.iter().filter(|entry| entry.has_feed());
    let feeds = feeds.map(|entry| {
        (named(Registration::SnpUvmEndorsement, &format!("{} {}", entry.did, entry.feed)), json!(entry.svn))
    });
    tcbs.chain(feeds).collect()
}

/// The same, of the code that is to run.
fn wanted_minimums(plan: &Plan) -> BTreeMap<String, Value> {
    let least = |value: &super::CodeValue| match value.kind {
        Registration::SnpMinimumTcb => {
            MinimumTcb::from_json(value.args.get("tcb_version")?).ok().map(|least| tcb(&least))
        }
        Registration::SnpUvmEndorsement => value.args.get("svn").cloned(),
        _ => None,
    };
    plan.new.values.iter().filter_map(|value| Some((named(value.kind, &value.key()), least(value)?))).collect()
}

fn tcb(least: &MinimumTcb) -> Value {
    let MinimumTcb { fmc, boot_loader, tee, snp, microcode, hexstring: _ } = least;
    json!({"fmc": fmc, "boot_loader": boot_loader, "tee": tee, "snp": snp, "microcode": microcode})
}

fn named(kind: Registration, key: &str) -> String {
    format!("{} {key}", kind.name())
}

fn service(plan: &Plan, seen: &Observed) -> Option<String> {
    let info = seen.info.as_ref()?;
    let list = certificate::from_pem(info.certificate.as_bytes()).unwrap_or_default();
    let same = matches!(&list[..], [der] if sha256(der) == plan.service);
    (!same).then(|| "the service has another certificate than the one in upgrade.toml".to_owned())
}

impl DecidedFrom {
    fn of(seen: &Observed) -> Self {
        let keys = |kind: Registration| (kind.name().to_owned(), seen.join_policy.keys(kind).into_iter().collect());
        Self {
            constitution: seen.constitution.as_deref().map(digest),
            registered: Registration::ALL.into_iter().map(keys).collect(),
            minimums: minimums(&seen.join_policy),
            active_members: seen.active().map(|member| member.member_id).collect(),
            nodes: seen.nodes.iter().map(|node| node.id).collect(),
        }
    }
}

fn digest(text: &str) -> String {
    sha256(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
