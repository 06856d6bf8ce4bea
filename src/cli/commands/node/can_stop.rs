//! `node can-stop`.

use clap::Args;
use serde::Serialize;

use crate::cli::checks;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::check::{Checks, Conclusion};
use ccf_gov::id::NodeId;
use ccf_gov::review::node::check_committed;
use ccf_gov::service::{NodeStatus, Reference};
use ccf_gov::upgrade::Dependence;

/// Say whether a node's process can be stopped
///
/// It can be when its retirement is committed: then no election makes it part of the network again. A node that is not trusted yet, or
/// that the service does not list, is not needed either. Of a trusted node, you see what stopping it would leave.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 it can be stopped; 3 it cannot, or that is not known.

Examples:
  ccf-gov node can-stop 10.0.0.1:8000
  ccf-gov node can-stop f6a46660 && ssh host1 systemctl stop ccf-node && ccf-gov node delete f6a46660")]
pub struct CanStop {
    /// The node: its id, the first digits of it, or its address
    #[arg(value_name = "ID")]
    id: Reference<NodeId>,
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Answer<'a> {
    node_id: NodeId,
    /// Null if the service does not list it.
    status: Option<NodeStatus>,
    /// `pass` if it can be stopped.
    verdict: Conclusion,
    checks: &'a Checks,
}

impl CanStop {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let service = context.connect().await?;
        let id = context.node(&service, &self.id).await?;
        let (read, committed) = context.read(&service, async || Ok(Dependence::read(&service, id).await?)).await?;
        let mut found = read.can_stop(id);
        check_committed(committed, &mut found);
        let status = read.node.as_ref().map(|node| node.status);
        let answer = Answer { node_id: id, status, verdict: found.verdict(), checks: &found };
        context.output.result(&answer, || checks::lines(&found))?;
        Ok(checks::exit(&found))
    }
}
