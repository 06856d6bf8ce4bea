//! The configuration with which a node of the new code joins the service.

use std::path::Path;

use serde_json::{Value, json};

use super::{CodeKind, Observed, Plan};
use crate::ccf_version::{CcfVersion, Feature, Support};
use crate::id::NodeId;
use crate::platform::Platform;
use crate::service::{NodeAddress, NodeStatus};

/// CCF 7: an application is one executable, and the configuration says nothing of it.
const SEVEN: &str = include_str!("../../templates/join/ccf-7.json");
/// Before CCF 7: `cchost` loads the application, and is told on which platform.
const SIX: &str = include_str!("../../templates/join/ccf-6.json");
/// Where a node on SNP finds its evidence.
const SNP: &str = include_str!("../../templates/join/snp-attestation.json");

/// The configuration with which a node of the new code joins, but for its own addresses.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinConfiguration {
    /// The node through which it joins: the primary or, if its address is not published, another one that is heard of.
    pub target: NodeId,
    /// Where that node listens: `HOST:PORT`.
    pub address: String,
    /// The major version of CCF for which it is written.
    pub major: u32,
    /// Whether that version is an assumption, since neither the plan nor the service says one.
    pub assumed: bool,
    /// The configuration file's content. Its addresses are placeholders.
    pub content: Value,
}

impl JoinConfiguration {
    /// The configuration for a plan's new nodes, as the service stands; `None` if no trusted node is heard of that publishes
    /// where it listens.
    ///
    /// `service_certificate` is where the node finds the service's certificate. The format is that of [`Plan::version`] or,
    /// where the plan names none, of the version that new nodes or, before there are any, trusted ones say they run.
    pub fn of(plan: &Plan, seen: &Observed, service_certificate: &Path) -> Option<Self> {
        let (target, address) = target(seen)?;
        let version = plan.version.or_else(|| version(plan, seen));
        let major = version.map_or(if plan.new.platform == Platform::Sgx { 5 } else { 7 }, |version| version.major);
        let mut content: Value = serde_json::from_str(if major < 7 { SIX } else { SEVEN }).ok()?;
        let name = match plan.new.platform {
            Platform::Sgx => "SGX",
            Platform::Snp => "SNP",
            Platform::Virtual => "Virtual",
        };
        if let Some(platform) = content.pointer_mut("/enclave/platform") {
            *platform = json!(name);
        }
        if plan.new.platform == Platform::Snp
            && let Some(all) = content.as_object_mut()
        {
            all.insert("attestation".into(), serde_json::from_str(SNP).ok()?);
        }
        if let Some(command) = content.get_mut("command") {
            command["service_certificate_file"] = json!(service_certificate);
            command["join"]["target_rpc_address"] = json!(address);
        }
        if let Some(interface) = content.pointer_mut("/network/rpc_interfaces/primary_rpc_interface")
            && lets_others_join(version, seen)
        {
            interface["enabled_operator_features"] = json!(["SnapshotRead"]);
        }
        Some(Self { target, address, major, assumed: version.is_none(), content })
    }

    /// The file's text.
    pub fn text(&self) -> String {
        format!("{:#}\n", self.content)
    }
}

/// The primary joins a node without sending it elsewhere.
fn target(seen: &Observed) -> Option<(NodeId, String)> {
    let primary = seen.replication.as_ref().map(|network| network.primary);
    let mut nodes: Vec<_> = seen.nodes_that_are(NodeStatus::Trusted).filter(|node| seen.is_live(node.id)).collect();
    nodes.sort_by_key(|node| (Some(node.id) != primary, node.id));
    nodes.into_iter().find_map(|node| {
        let address = node.address.clone()?;
        NodeAddress::from_published(&address).ok()?;
        Some((node.id, address))
    })
}

/// The oldest version that new nodes say they run, or else the newest one of any node.
fn version(plan: &Plan, seen: &Observed) -> Option<CcfVersion> {
    let old = plan.old_code(seen);
    let new = seen.nodes.iter().filter(|node| old.kind_of(plan, node) == CodeKind::New);
    let any = seen.nodes_that_are(NodeStatus::Trusted).filter_map(|node| node.version);
    new.filter_map(|node| node.version).min().or_else(|| any.max())
}

/// Whether later nodes may fetch their snapshot from it. A node that does not know an operator feature cannot read the request
/// of one that offers it, so every trusted node has to know this one.
fn lets_others_join(version: Option<CcfVersion>, seen: &Observed) -> bool {
    let known = |version: Option<CcfVersion>| version.is_some_and(|v| v.has(Feature::SnapshotRead) == Support::Yes);
    known(version) && seen.nodes_that_are(NodeStatus::Trusted).all(|node| known(node.version))
}
