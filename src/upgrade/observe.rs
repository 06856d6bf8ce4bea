//! One look at a service: what it shows, verified here as far as it can be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::timeout;

use super::{
    Doing, Need, Observed, ObservedBallot, ObservedNode, ObservedProposal, Phase, Plan, Running, RunningUvm,
    Verification, Who, next,
};
use crate::certificate;
use crate::check::Verdict;
use crate::digest::{Sha256Digest, sha256};
use crate::evidence::node::{Expected, Outcome};
use crate::id::{MemberId, ProposalId};
use crate::platform::Platform;
use crate::proposal::Proposal;
use crate::proposal::ballot::{self, Seen, SeenMember};
use crate::review;
use crate::service::{self, Member, NodeAddress, NodeStatus, ProposalState, Replication, Service, ServiceError};

/// How long the primary's view of its network is waited for: with no primary, there is none.
const PATIENCE: Duration = Duration::from_secs(3);

/// Looks at a service once, for whoever is about to take a step; `None` looks at everything.
///
/// What is read is committed, or [`Observed::committed`] says that it is not. For somebody who can only wait, no more is read than
/// that takes. `verification` says under whose roots attestations are verified and what operators provided of them, and `at` is the moment for which everything is judged.
///
/// # Errors
/// The service cannot be reached, or shows something that is not understood.
pub async fn observe(
    service: &Service,
    plan: &Plan,
    verification: &Verification,
    at: OffsetDateTime,
    who: Option<Who>,
) -> Result<Observed, ServiceError> {
    let look = Look { service, plan, verification, at, who };
    let settled = service.settled(async || look.read().await).await?;
    let mut seen = Observed { committed: settled.committed, ..settled.value };
    seen.lost_quorum = service.lost_quorum();
    if seen.lost_quorum.is_none()
        && let Some(commit) = settled.transaction
    {
        // After the commit: whoever has acknowledged it is not behind.
        seen.replication = timeout(PATIENCE, Replication::since(service, commit)).await.ok().transpose()?.flatten();
    }
    look.complete(&mut seen).await?;
    Ok(seen)
}

struct Look<'a> {
    service: &'a Service,
    plan: &'a Plan,
    verification: &'a Verification,
    at: OffsetDateTime,
    who: Option<Who>,
}

impl Look<'_> {
    /// What every step is decided from.
    async fn read(&self) -> Result<Observed, ServiceError> {
        let service = self.service;
        let (members, policy, proposals) =
            tokio::try_join!(service.members(), service.join_policy(), service.proposals())?;
        let nodes = service.nodes().await?;
        // Of virtual nodes, the list of nodes tells it all.
        let attested =
            if self.plan.new.platform == Platform::Virtual { Vec::new() } else { service.attestations().await? };
        let mut seen = Observed {
            at: self.at,
            committed: false,
            info: None,
            members: members.value,
            nodes: Vec::new(),
            replication: None,
            lost_quorum: None,
            registered: serde_json::from_value(policy.raw).ok(),
            join_policy: policy.value,
            constitution: None,
            basis: None,
            application: None,
            proposals: BTreeMap::new(),
        };
        let raw = nodes.raw.get("value").and_then(|list| list.as_array()).cloned().unwrap_or_default();
        let each = nodes.value.iter().zip(&raw);
        seen.nodes = each.map(|(node, raw)| self.node(node, raw, &attested)).collect();
        for listed in proposals.value {
            let known = self.proposal(&listed, &seen).await?;
            seen.proposals.insert(listed.proposal_id, known);
        }
        if self.plan.constitution.is_some() || self.who.is_none() {
            seen.constitution = Some(service.constitution().await?);
        }
        Ok(seen)
    }

    /// The application where it counts, the ballots on what may be voted on, and whatever else is needed by somebody who does not only wait.
    async fn complete(&self, seen: &mut Observed) -> Result<(), ServiceError> {
        let rules = |phase: Phase| matches!(phase, Phase::Rules | Phase::Deregister | Phase::Done);
        if self.plan.application.is_some() && (self.who.is_none() || rules(super::wanted(self.plan, seen).phase)) {
            seen.application = Some(review::Application::read(self.service).await?);
        }
        if self.plan.version.is_some() && super::wanted(self.plan, seen).phase == Phase::JoinAndTrust {
            // Whether new nodes need a snapshot depends on what runs.
            self.versions(seen).await;
        }
        if let Need::Proposal(intended) = super::wanted(self.plan, seen).need {
            let needed = |known: &ObservedProposal| {
                known.proposal.as_ref().is_some_and(|p| intended.check(self.plan, self.at, p).is_ok())
            };
            let open = seen.proposals.iter().filter(|(_, known)| known.state == ProposalState::Open && needed(known));
            let ids: Vec<ProposalId> = open.map(|(id, _)| *id).collect();
            for id in ids {
                self.ballots(seen, id).await?;
            }
        }
        let next = self.who.map(|who| (who, next(self.plan, seen, who)));
        if next.is_some_and(|(who, next)| matches!(next.doing, Doing::Wait(_)) && !(who.operator && starts(&next))) {
            return Ok(());
        }
        self.identity(seen).await?;
        self.versions(seen).await;
        Ok(())
    }

    /// What says which service this is, and by which rules it decides: whatever a guarded ballot can rest on.
    async fn identity(&self, seen: &mut Observed) -> Result<(), ServiceError> {
        if seen.constitution.is_none() {
            seen.constitution = Some(self.service.constitution().await?);
        }
        if seen.info.is_none() {
            seen.info = Some(self.service.info().await?.value);
        }
        seen.basis = basis(seen);
        Ok(())
    }

    fn node(&self, node: &service::Node, raw: &serde_json::Value, attested: &[serde_json::Value]) -> ObservedNode {
        let id = node.node_id;
        let (attestation, problems) = review::node::gather(self.verification.given(id), id, raw, attested);
        // What is registered is for the plan to say: old nodes run on when their code is deregistered.
        let expected = Expected { node_id: Some(id), ..Expected::default() };
        let outcome = attestation.verify(&expected, &self.verification.trust).ok();
        let checks = outcome.iter().flat_map(|outcome| &outcome.checks).chain(&problems);
        let failed = checks.filter(|check| matches!(check.verdict, Verdict::Fail | Verdict::Incomplete));
        let mut failed: Vec<String> = failed.map(|check| format!("{}: {}", check.name, check.detail)).collect();
        // What the plan asks of the new code's nodes, it asks before they are trusted.
        let is_new = outcome.as_ref().filter(|outcome| self.plan.new.is(&running(outcome)));
        failed.extend(is_new.and_then(|outcome| self.plan.new.tcb_fault(outcome.values.snp()?)));
        let verified = match &outcome {
            None => Err("the service shows no attestation of it that can be read".into()),
            Some(_) if failed.is_empty() => Ok(()),
            Some(_) => Err(failed.join("; ")),
        };
        ObservedNode {
            id,
            status: node.status,
            retired_committed: node.retired_committed,
            address: node.address().map(str::to_owned),
            running: outcome.as_ref().map(running),
            verified,
            version: None,
            validity: node.validity(),
        }
    }

    async fn proposal(&self, listed: &service::Proposal, seen: &Observed) -> Result<ObservedProposal, ServiceError> {
        let actions = match listed.proposal_state {
            ProposalState::Withdrawn | ProposalState::Dropped => None,
            _ => self.service.actions(listed.proposal_id).await?,
        };
        let no = listed.final_votes.iter().flatten().filter(|(_, yes)| !**yes);
        let no: Vec<String> = no.map(|(member, _)| seen.name(*member)).collect();
        let outcome = match &listed.failure {
            Some(failure) => Some(failure.reason.clone()),
            None if no.is_empty() => None,
            None => Some(format!("no by {}", no.join(", "))),
        };
        Ok(ObservedProposal {
            proposer: listed.proposer_id,
            state: listed.proposal_state,
            proposal: actions.and_then(|answer| Proposal::of_value(answer.value).ok()),
            ballots: BTreeMap::new(),
            ballot_count: listed.ballot_count,
            outcome,
        })
    }

    /// Who has voted: whoever takes the step is asked for first, then the proposer, and nobody more than have voted.
    async fn ballots(&self, seen: &mut Observed, id: ProposalId) -> Result<(), ServiceError> {
        let own = self.who.and_then(|who| who.member);
        let mut members: Vec<MemberId> = seen.members.iter().map(|member| member.member_id).collect();
        let Some(known) = seen.proposals.get_mut(&id) else { return Ok(()) };
        // Whoever proposes votes at once.
        members.sort_by_key(|member| (Some(*member) != own, *member != known.proposer, *member));
        let mut scripts = BTreeMap::new();
        for member in members {
            if scripts.len() as u64 >= known.ballot_count {
                break;
            }
            if let Some(script) = self.service.ballot(id, member).await? {
                scripts.insert(member, script);
            }
        }
        // So many decide as a rule. If they have not, a guarded ballot among them may say no by now.
        if 2 * scripts.len() > seen.active().count() && seen.basis.is_none() {
            self.identity(seen).await?;
        }
        let basis = seen.basis.as_ref();
        let holds = |script: &str| match (ballot::guards(script), basis) {
            (Some(guards), Some(basis)) => guards.iter().all(|guard| guard.holds(basis)),
            _ => true,
        };
        let ballots =
            scripts.iter().map(|(member, script)| (*member, ObservedBallot { holds: holds(script) })).collect();
        if let Some(known) = seen.proposals.get_mut(&id) {
            known.ballots = ballots;
        }
        Ok(())
    }

    async fn versions(&self, seen: &mut Observed) {
        let trusted = seen.nodes_that_are(NodeStatus::Trusted).filter_map(address);
        let addresses: BTreeSet<NodeAddress> = trusted.collect();
        let told = self.service.versions(addresses.into_iter().collect()).await;
        for node in &mut seen.nodes {
            let version = address(node).and_then(|address| told.get(&address));
            node.version = version.and_then(|version| version.parse().ok());
        }
    }
}

/// Whether nodes are to be started: what they are started with depends on the versions of those that run.
fn starts(next: &super::Next) -> bool {
    next.wanted.tasks.iter().any(|task| matches!(task, super::Task::Start(_)))
}

/// What guarded ballots rest on, as the governance API shows it.
fn basis(seen: &Observed) -> Option<Seen> {
    let der = certificate::from_pem(seen.info.as_ref()?.certificate.as_bytes()).ok()?;
    let [der] = der.as_slice() else { return None };
    let member =
        |m: &Member| (m.member_id, SeenMember { status: format!("{:?}", m.status), data: m.member_data.clone() });
    Some(Seen {
        certificate: Sha256Digest(sha256(der)),
        constitution: Sha256Digest(sha256(seen.constitution.as_ref()?.as_bytes())),
        join_policy: seen.registered.clone()?,
        nodes: seen.nodes.iter().map(|node| (node.id, node.status.to_string())).collect(),
        members: seen.members.iter().map(member).collect(),
    })
}

fn address(node: &ObservedNode) -> Option<NodeAddress> {
    NodeAddress::from_published(node.address.as_deref()?).ok()
}

fn running(outcome: &Outcome) -> Running {
    let uvm = outcome.values.snp().and_then(|snp| snp.uvm.as_ref());
    Running {
        platform: outcome.platform,
        host_data: outcome.host_data.map(|host_data| host_data.to_string()),
        measurement: outcome.measurement.clone(),
        uvm: uvm.map(|uvm| RunningUvm { did: uvm.did.clone(), feed: uvm.feed.clone(), svn: uvm.svn.clone() }),
    }
}
