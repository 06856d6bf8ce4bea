//! `node list`.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::common::Context;
use crate::cli::connect::with_committed;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::service::Node;
use ccf_gov::text::visible;

/// List the nodes: their standing, what they run, which one leads
#[derive(Args)]
#[command(after_help = "Example:
  ccf-gov node list --service https://127.0.0.1:8000 --service-cert service_cert.pem")]
pub struct List {}

impl List {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let service = context.connect().await?;
        let (nodes, committed) = context.read(&service, async || Ok(service.nodes().await?)).await?;
        // The node API may be closed to members; then nobody says which node leads.
        let primary = service.network().await.ok().and_then(|n| n.primary_id);
        let mut json = with_committed(nodes.raw.clone(), committed);
        for node in json.get_mut("value").and_then(Value::as_array_mut).into_iter().flatten() {
            let leads = primary.is_some_and(|p| node["nodeId"] == p.to_string());
            if let Value::Object(node) = node {
                node.insert("primary".into(), json!(leads));
            }
        }
        context.output.result(&json, || {
            let line = |n: &Node| {
                let leads = if primary == Some(n.node_id) { "  primary" } else { "" };
                let gone = if n.retired_committed { "  can be deleted" } else { "" };
                let address = n.rpc_interfaces.values().next().map_or("", |i| i.published_address.as_str());
                let status = n.status.to_string();
                format!("{}  {status:8}  {}{leads}{gone}\n", n.node_id, visible(address))
            };
            nodes.iter().map(line).collect()
        })?;
        Ok(Exit::Done)
    }
}
