//! What nodes of a copy run, and the plan as it is on the sandbox.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::copy::CopyError;
use crate::digest::HostData;
use crate::evidence::snp::Report;
use crate::evidence::virt;
use crate::id::NodeId;
use crate::kv::row::rows;
use crate::kv::{Tables, table};
use crate::platform::Platform;
use crate::processor::Cpuid;
use crate::proposal::Registration;
use crate::sandbox::{NodeCode, Sandbox, SandboxError, SnpCode, UvmEndorsement};
use crate::tcb::TcbVersion;
use crate::upgrade::{CodeValue, Named, Plan};

/// More than any minimum asks for.
const NEWEST_TCB: TcbVersion = TcbVersion(u64::MAX);

/// What the operator starts in a rehearsal of a plan, on a service with these tables.
pub(super) fn of_plan(plan: &Plan, tables: &Tables) -> Result<NodeCode, CopyError> {
    let running = plan.new.running();
    let host_data =
        || running.host_data.as_deref().unwrap_or_default().parse::<HostData>().map_err(|_| CopyError::NewCode);
    match plan.new.platform {
        Platform::Virtual => Ok(NodeCode::Virtual { host_data: host_data()?, measurement: running.measurement }),
        Platform::Snp => {
            let mut code = SnpCode { tcb: NEWEST_TCB, ..SnpCode::new(host_data()?) };
            if let Ok(measurement) = running.measurement.parse() {
                code.measurement = measurement;
            }
            code.uvm = running.uvm.map(|uvm| UvmEndorsement { feed: uvm.feed, svn: uvm.svn });
            let minimum = |value: &&CodeValue| value.kind == Registration::SnpMinimumTcb;
            let of_plan = plan.new.values.iter().find(minimum).map(CodeValue::key);
            let registered = || rows(tables, table::SNP_TCB_VERSIONS).map(|(cpuid, _)| cpuid).next();
            if let Some(cpuid) = of_plan.or_else(registered).and_then(|cpuid| cpuid.parse::<Cpuid>().ok()) {
                code.cpuid = cpuid;
            }
            Ok(NodeCode::Snp(code))
        }
        Platform::Sgx => Err(CopyError::Sgx),
    }
}

/// What a node runs by its row in these tables; `None` if its row does not tell.
pub(super) fn of_node(row: &Value, tables: &Tables) -> Result<Option<NodeCode>, CopyError> {
    let quote = &row["quote_info"];
    let shown = quote["quote"].as_str().unwrap_or_default();
    match quote["format"].as_str() {
        Some("Insecure_Virtual") => Ok(virt::Attestation::parse(shown.as_bytes())
            .ok()
            .map(|shown| NodeCode::Virtual { host_data: shown.host_data, measurement: shown.measurement })),
        Some("AMD_SEV_SNP_v1") => {
            let report = STANDARD.decode(shown).ok().and_then(|bytes| Report::parse(&bytes).ok());
            Ok(report.map(|report| {
                let code = SnpCode::new(report.host_data());
                let cpuid = report.cpuid().unwrap_or(code.cpuid);
                let tcb = report.reported_tcb();
                NodeCode::Snp(SnpCode {
                    measurement: report.measurement(),
                    uvm: endorsement(tables),
                    tcb,
                    cpuid,
                    ..code
                })
            }))
        }
        Some("OE_SGX_v1") => Err(CopyError::Sgx),
        _ => Ok(None),
    }
}

/// The endorsement that admits the utility VM of a node, of which no row tells: the first that is registered.
fn endorsement(tables: &Tables) -> Option<UvmEndorsement> {
    let mut feeds = rows(tables, table::SNP_UVM_ENDORSEMENTS).filter_map(|(_, row)| row.as_object().cloned()).flatten();
    let (feed, least) = feeds.next()?;
    Some(UvmEndorsement { feed, svn: least["svn"].as_str()?.to_owned() })
}

/// The plan with what the sandbox calls otherwise: its issuer of UVM endorsements, and its nodes. `nodes` are the names of its first nodes
/// in the service that was copied.
pub(super) fn as_on(mut plan: Plan, sandbox: &Sandbox, nodes: &[NodeId]) -> Result<Plan, SandboxError> {
    let copies: BTreeMap<NodeId, NodeId> =
        nodes.iter().copied().zip(sandbox.nodes().into_iter().map(|node| node.id)).collect();
    let uvm = |kind: Registration| kind == Registration::SnpUvmEndorsement;
    let named = plan.old.iter().flat_map(|old| &old.values).any(|(kind, _)| uvm(*kind));
    let issuer = match named || plan.new.values.iter().any(|value| uvm(value.kind)) {
        true => sandbox.uvm_issuer()?,
        false => String::new(),
    };
    plan.new
        .values
        .iter_mut()
        .filter(|value| uvm(value.kind))
        .for_each(|value| value.args["did"] = issuer.clone().into());
    plan.old = plan.old.map(|old| Named {
        values: old
            .values
            .into_iter()
            .map(|(kind, key)| match key.split_once(' ') {
                Some((_, feed)) if uvm(kind) => (kind, format!("{issuer} {feed}")),
                _ => (kind, key),
            })
            .collect(),
        nodes: old.nodes.iter().map(|id| copies.get(id).copied().unwrap_or(*id)).collect(),
    });
    Ok(plan)
}
