//! A plan on a copy of the service that it is for: its members under throw-away keys, its nodes, its rules and its join policy.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Rehearsal, Signing, code};
use crate::cose::Algorithm;
use crate::digest::Sha256Digest;
use crate::id::{MemberId, NodeId};
use crate::kv::row::{read_one, rows, write};
use crate::kv::{Tables, table};
use crate::review::simulate::name_of;
use crate::review::state::{State, unknown};
use crate::sandbox::{Copied, NodeCode, Options};
use crate::service::Reference;
use crate::signer::{GenerateError, NewKeys, PemSigner, Signer};
use crate::upgrade::Plan;

/// For how many days the throw-away certificates are valid.
const DAYS: u32 = 30;
/// How long a name is taken over.
const LONGEST_NAME: usize = 64;

/// Why a plan cannot be rehearsed on a copy of its service.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The state is another service's.
    #[error("the state is of another service than upgrade.toml is for: the certificates differ")]
    OtherService,
    /// No members.
    #[error("no member of the service is active, so nobody could take a step")]
    NobodyActive,
    /// No nodes.
    #[error("no node of the service is trusted, so there is no service to copy")]
    NoNodes,
    /// What a node runs is not told.
    #[error("what node {0} runs is not told by the state, so it cannot be copied")]
    UnknownCode(NodeId),
    /// SGX.
    #[error("a rehearsal has virtual nodes and SNP nodes: attestations of SGX nodes cannot be made up")]
    Sgx,
    /// Without host data, there is no node to start.
    #[error("the new code in upgrade.toml has no host data with which a node could be started")]
    NewCode,
    /// No throw-away key.
    #[error("no throw-away key could be made")]
    Key(#[from] GenerateError),
}

impl Rehearsal {
    /// A plan on a copy of the service that it is for.
    ///
    /// # Errors
    /// [`CopyError`]
    pub fn of(plan: &Plan, state: &State) -> Result<Self, CopyError> {
        if state.identity() != Some(Sha256Digest(plan.service)) {
            return Err(CopyError::OtherService);
        }
        let cast = Members::of(&state.tables)?;
        let nodes = Nodes::of(plan, &state.tables)?;
        let mut plan = plan.clone();
        if let Some(proposer) = &plan.proposer {
            let copy = cast.copies.iter().find(|(id, _)| proposer.begins(**id));
            plan.proposer = copy.map(|(_, copy)| Reference::from(*copy)).or(plan.proposer);
        }
        let mut tables = state.tables.clone();
        cast.put(&mut tables);
        let copied = said(&plan, state, &cast, &nodes);
        let not_copied = lost(state, &nodes);
        let taken = Copied {
            tables,
            pending: nodes.pending,
            retired: nodes.retired,
            version: state.version.map(|version| format!("ccf-{version}")),
        };
        Ok(Self {
            new: code::of_plan(&plan, &state.tables)?,
            plan,
            sandbox: Options::copy(taken, nodes.trusted),
            signers: cast.signers.into_iter().map(|signer| Box::new(signer) as Box<dyn Signer>).collect(),
            nodes: nodes.ids,
            copied,
            not_copied,
            signing: Signing::Direct,
            faults: Vec::new(),
            progress: None,
        })
    }
}

/// The members' copies.
struct Members {
    /// By the member's id, the copy's.
    copies: BTreeMap<MemberId, MemberId>,
    certificates: BTreeMap<MemberId, String>,
    /// The keys of those that are active, by name.
    signers: Vec<PemSigner>,
    names: Vec<String>,
}

impl Members {
    fn of(tables: &Tables) -> Result<Self, CopyError> {
        let mut members =
            Self { copies: BTreeMap::new(), certificates: BTreeMap::new(), signers: Vec::new(), names: Vec::new() };
        let mut active = Vec::new();
        for (id, row) in rows(tables, table::MEMBER_INFO) {
            let Ok(member) = id.parse::<MemberId>() else { continue };
            let name = name_of(&id, tables).unwrap_or_else(|| member.short());
            let name: String = name.chars().take(LONGEST_NAME).collect();
            let signer = NewKeys::throw_away(&name, Algorithm::ES256, DAYS)?;
            let copy = signer.certificate().member_id();
            members.copies.insert(member, copy);
            members.certificates.insert(copy, signer.certificate().to_pem());
            if row["status"] == "Active" {
                active.push((name, signer));
            }
        }
        active.sort_by(|(one, _), (other, _)| one.cmp(other));
        (members.names, members.signers) = active.into_iter().unzip();
        if members.signers.is_empty() { Err(CopyError::NobodyActive) } else { Ok(members) }
    }

    /// Puts the copies in the members' places, wherever the tables name them.
    fn put(&self, tables: &mut Tables) {
        let before = tables.clone();
        for name in [table::MEMBER_INFO, table::MEMBER_CERTS, table::MEMBER_ENCRYPTION_KEYS, table::MEMBER_ACKS] {
            tables.clear(name);
        }
        for (id, copy) in &self.copies {
            let (id, key) = (id.to_string(), copy.to_string());
            for name in [table::MEMBER_INFO, table::MEMBER_ENCRYPTION_KEYS] {
                if let Some(value) = before.get(name, id.as_bytes()) {
                    tables.put(name, key.as_bytes(), value);
                }
            }
            if let Some(certificate) = self.certificates.get(copy) {
                tables.put(table::MEMBER_CERTS, key.as_bytes(), certificate.as_str());
            }
            write(tables, table::MEMBER_ACKS, &key, &json!({"state_digest": "0".repeat(64)}));
        }
        for (id, mut row) in rows(&before, table::PROPOSALS_INFO) {
            if let Some(proposer) = row.get_mut("proposer_id") {
                *proposer = self.renamed(proposer.as_str().unwrap_or_default()).into();
            }
            for by_member in ["ballots", "final_votes", "vote_failures"] {
                if let Some(Value::Object(of)) = row.get_mut(by_member) {
                    let renamed = std::mem::take(of).into_iter().map(|(id, value)| (self.renamed(&id), value));
                    *of = renamed.collect::<Map<_, _>>();
                }
            }
            write(tables, table::PROPOSALS_INFO, &id, &row);
        }
    }

    fn renamed(&self, id: &str) -> String {
        let copy = id.parse().ok().and_then(|id: MemberId| self.copies.get(&id));
        copy.map_or_else(|| id.to_owned(), MemberId::to_string)
    }
}

/// The nodes' copies.
struct Nodes {
    /// The ids of the nodes that are copied, in the order in which the sandbox has them.
    ids: Vec<NodeId>,
    trusted: Vec<NodeCode>,
    pending: Vec<NodeCode>,
    retired: Vec<NodeCode>,
    /// Nodes that wait, and of which the service shows no attestation.
    guessed: Vec<NodeId>,
}

impl Nodes {
    fn of(plan: &Plan, tables: &Tables) -> Result<Self, CopyError> {
        let mut guessed = Vec::new();
        let (mut trusted, mut pending, mut retired) = (Vec::new(), Vec::new(), Vec::new());
        for (name, row) in rows(tables, table::NODE_INFO) {
            let Ok(id) = name.parse::<NodeId>() else { continue };
            let status = row["status"].as_str().unwrap_or_default();
            let found = match code::of_node(&row, tables)? {
                Some(found) => found,
                None if status == "Trusted" => return Err(CopyError::UnknownCode(id)),
                None => {
                    guessed.push(id);
                    code::of_plan(plan, tables)?
                }
            };
            match status {
                "Trusted" => trusted.push((id, found)),
                "Pending" => pending.push((id, found)),
                _ => retired.push((id, found)),
            }
        }
        if trusted.is_empty() {
            return Err(CopyError::NoNodes);
        }
        let all = trusted.iter().chain(&pending).chain(&retired);
        let ids = all.map(|(id, _)| *id).collect();
        let codes = |list: Vec<(NodeId, NodeCode)>| list.into_iter().map(|(_, code)| code).collect();
        Ok(Self { ids, trusted: codes(trusted), pending: codes(pending), retired: codes(retired), guessed })
    }
}

/// What is copied, in words.
fn said(plan: &Plan, state: &State, members: &Members, nodes: &Nodes) -> Vec<String> {
    let tables = &state.tables;
    let others = members.copies.len() - members.signers.len();
    let names = match members.names.len() {
        ..=10 => format!(": {}", members.names.join(", ")),
        _ => String::new(),
    };
    let mut said = vec![
        format!("{} under throw-away keys{names}", count(members.signers.len(), "active member")),
        format!(
            "{} ({} trusted, {} that wait, {} retired)",
            count(nodes.ids.len(), "node"),
            nodes.trusted.len(),
            nodes.pending.len(),
            nodes.retired.len()
        ),
        "the constitution and the join policy, as they are".to_owned(),
    ];
    if others > 0 {
        said.push(format!("{} not active", count(others, "member")));
    }
    let of = |name: &str, noun: &str| (!tables.is_empty(name)).then(|| count(tables.len(name), noun));
    let rest = [of(table::USER_CERTS, "user"), of(table::ENDPOINTS, "endpoint"), of(table::MODULES, "module")];
    let rest: Vec<String> = rest.into_iter().flatten().collect();
    if !rest.is_empty() {
        said.push(rest.join(", "));
    }
    let open = rows(tables, table::PROPOSALS_INFO).filter(|(_, row)| row["state"] == "Open").count();
    if open > 0 {
        said.push(format!("{} with the ballots", count(open, "open proposal")));
    }
    if let Some(version) = state.version {
        said.push(format!("the version of CCF that nodes name: {version}"));
    }
    if plan.proposer.is_some() {
        said.push("who proposes, by the copy of that member".into());
    }
    said
}

/// What cannot be copied, and why.
fn lost(state: &State, nodes: &Nodes) -> Vec<String> {
    let mut lost = vec![
        "when certificates end: the service, its nodes and its members have new ones".to_owned(),
        "ids of nodes and members: what names one, such as an open proposal or a ballot, means none of the copies"
            .into(),
        "the primary: the first trusted node leads, and every trusted node is heard of".into(),
    ];
    let constitution = read_one(&state.tables, table::CONSTITUTION);
    let source = constitution.as_ref().and_then(Value::as_str).unwrap_or_default();
    let named = rows(&state.tables, table::MEMBER_INFO).filter(|(id, _)| source.contains(id.as_str())).count();
    if named > 0 {
        lost.push(format!("what the constitution says of {}: it names them by id", count(named, "member")));
    }
    let snp = |(_, row): &(String, Value)| row["quote_info"]["format"] == "AMD_SEV_SNP_v1";
    if rows(&state.tables, table::NODE_INFO).any(|row| snp(&row)) {
        lost.push("who signs attestations and endorses utility VMs: made-up roots and a made-up issuer do".into());
    }
    for id in &nodes.guessed {
        lost.push(format!("what node {} runs, which is not told: it runs the new code here", id.short()));
    }
    lost.extend(unknown().map(|(what, why)| format!("{what}: {why}")));
    lost
}

fn count(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
