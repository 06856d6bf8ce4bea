//! `node show`.

use clap::Args;
use time::OffsetDateTime;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::object::{Read, beside};
use ccf_gov::id::NodeId;
use ccf_gov::review::ObservedNode;
use ccf_gov::service::Reference;
use ccf_gov::text::visible;

/// Show one node, with the attestation that it joined with
#[derive(Args)]
#[command(after_help = "The attestation is shown as the service gives it; `ccf-gov verify node` checks it here.

Examples:
  ccf-gov node show 127.0.0.1:8000
  ccf-gov node show f6a46660 --output json")]
pub struct Show {
    /// The node: its id, the first digits of it, or its address
    #[arg(value_name = "ID")]
    id: Reference<NodeId>,
}

impl Show {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let service = context.connect().await?;
        let id = context.node(&service, &self.id).await?;
        let read = async || ObservedNode::of(&service, id).await?.ok_or_else(|| super::not_there(id));
        let settled = context.settled(&service, read).await?;
        let (answer, standing) = &settled.value;
        let json =
            beside(&standing.json(), &Read { committed: settled.committed, transaction_id: answer.transaction })?;
        context.output.result(&json, || human(standing))?;
        Ok(Exit::Done)
    }
}

fn human(standing: &ObservedNode) -> String {
    let (node, more) = (&standing.node, &standing.more);
    let mut text =
        format!("Node         {}\nStatus       {}\n             {}\n", node.node_id, node.status, standing.describe());
    let mut line = |name: &str, value: &str| text += &format!("{name:11}  {value}\n");
    for (name, interface) in &node.rpc_interfaces {
        line("Interface", &format!("{} {}", visible(name), visible(&interface.published_address)));
    }
    if let Some(validity) = more.certificate_validity {
        line("Certificate", &validity.describe(OffsetDateTime::now_utc()));
    }
    if let Some(version) = &more.ccf_version {
        line("CCF", &format!("{} (the node's word)", visible(version.trim_start_matches("ccf-"))));
    }
    if let Some(quote) = &node.quote_info {
        line("Platform", &visible(&quote.format));
    }
    if let Some(code) = &more.code {
        if let Some(host_data) = &code.host_data {
            line("Host data", host_data);
        }
        line("Measurement", &visible(&code.measurement));
    }
    text
}
