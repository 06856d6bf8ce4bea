//! Reading a service: as few requests as its API allows, several at a time.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use time::OffsetDateTime;

use super::rebuild::{HeldProposal, Told, rebuild};
use super::{Reading, State};
use crate::ccf_version::CcfVersion;
use crate::id::MemberId;
use crate::service::{Member, ProposalState, Service, ServiceError};

/// How many requests are under way at once.
const AT_ONCE: usize = 8;
/// More modules than an application has; each costs a request.
const MOST_MODULES: usize = 5000;

impl State {
    /// Reads the governance state of a service.
    ///
    /// It is one look: read again if an election undid a part of it, and if a proposal was decided meanwhile.
    ///
    /// # Errors
    /// The service cannot be reached, or shows something that is not understood.
    pub async fn read(service: &Service, reading: &Reading<'_>) -> Result<Self, ServiceError> {
        let settled = service.settled(async || consistent(service, reading).await).await?;
        let told = settled.value;
        let version = told.version.as_deref().and_then(|text| text.parse::<CcfVersion>().ok());
        Ok(Self {
            certificate: told.text(&["info", "certificate"]).to_owned(),
            transaction: settled.transaction,
            committed: settled.committed,
            read_at: OffsetDateTime::now_utc(),
            version,
            tables: rebuild(&told, settled.transaction.map_or(1, |id| id.seqno)),
        })
    }
}

/// Reads until the proposals at the end are those of the beginning, three times at most: the last is taken as it is.
async fn consistent(service: &Service, reading: &Reading<'_>) -> Result<Told, ServiceError> {
    let mut told = once(service, reading).await?;
    for _ in 0..2 {
        let now = service.proposals().await?;
        if now.raw == told.answers["proposals"] {
            break;
        }
        told = once(service, reading).await?;
    }
    Ok(told)
}

async fn once(service: &Service, reading: &Reading<'_>) -> Result<Told, ServiceError> {
    let noted = async |what: &'static str, answer: Result<Value, ServiceError>| {
        reading.did(what);
        answer.map(|value| (what, value))
    };
    let raw = |answer: Result<crate::service::Answer<Value>, ServiceError>| answer.map(|answer| answer.raw);
    let members = service.members().await?;
    reading.did("members");
    let (info, policy, nodes, proposals, users, application, jwk, constitution, modules, version) = tokio::try_join!(
        async { noted("info", service.info().await.map(|answer| answer.raw)).await },
        async { noted("joinPolicy", service.join_policy().await.map(|answer| answer.raw)).await },
        async { noted("nodes", service.nodes().await.map(|answer| answer.raw)).await },
        async {
            let answer = service.proposals().await;
            reading.did("proposals");
            answer
        },
        async { noted("users", optional(raw(service.users().await))).await },
        async { noted("application", optional(raw(service.application().await))).await },
        async { noted("jwk", optional(raw(service.jwk().await))).await },
        async { noted("constitution", service.constitution().await.map(Value::from)).await },
        async {
            let answer = modules(service, reading).await;
            reading.did("modules");
            answer
        },
        async { Ok(service.version().await.ok()) },
    )?;
    let mut told = Told { version, modules, ..Told::default() };
    if nodes.1["value"].as_array().into_iter().flatten().any(is_snp) {
        // The governance API does not show an SNP node's report.
        let attested = optional(service.attestations().await.map(Value::from))?;
        reading.did("attestations");
        told.answers.insert("attestations".into(), attested);
    }
    told.answers.extend([info, policy, nodes, users, application, jwk, constitution].map(|(n, v)| (n.to_owned(), v)));
    for listed in &proposals.value {
        let mut held = HeldProposal::default();
        if listed.proposal_state == ProposalState::Open {
            held.text = service.proposal_text(listed.proposal_id).await?;
            reading.did("proposal");
            held.ballots = ballots(service, listed, &members.value, reading).await?;
        }
        told.proposals.insert(listed.proposal_id, held);
    }
    told.answers.insert("proposals".into(), proposals.raw);
    told.answers.insert("members".into(), members.raw);
    Ok(told)
}

fn is_snp(node: &Value) -> bool {
    node["quoteInfo"]["format"] == "AMD_SEV_SNP_v1"
}

/// What an older service does not tell is nothing.
fn optional(answer: Result<Value, ServiceError>) -> Result<Value, ServiceError> {
    match answer {
        Err(ServiceError::Refused(refusal)) if refusal.status == 404 => Ok(Value::Null),
        other => other,
    }
}

async fn modules(service: &Service, reading: &Reading<'_>) -> Result<BTreeMap<String, String>, ServiceError> {
    let names = match service.modules().await {
        Err(ServiceError::Refused(refusal)) if refusal.status == 404 => return Ok(BTreeMap::new()),
        names => names?,
    };
    let read = |name: String| async move {
        let text = service.module(&name).await?;
        reading.did("module");
        Ok((name, text))
    };
    stream::iter(names.into_iter().take(MOST_MODULES).map(read)).buffer_unordered(AT_ONCE).try_collect().await
}

/// The ballots on an open proposal. Whoever has been removed since is not asked for.
async fn ballots(
    service: &Service,
    listed: &crate::service::Proposal,
    members: &[Member],
    reading: &Reading<'_>,
) -> Result<BTreeMap<MemberId, String>, ServiceError> {
    let mut ballots = BTreeMap::new();
    let read = |member: MemberId| async move {
        let ballot = service.ballot(listed.proposal_id, member).await;
        reading.did("ballot");
        ballot.map(|ballot| (member, ballot))
    };
    let members: Vec<MemberId> = members.iter().map(|member| member.member_id).collect();
    let mut answers = stream::iter(members.into_iter().map(read)).buffer_unordered(AT_ONCE);
    while (ballots.len() as u64) < listed.ballot_count {
        let Some(answer) = answers.next().await else { break };
        let (member, ballot) = answer?;
        ballots.extend(ballot.map(|script| (member, script)));
    }
    Ok(ballots)
}
