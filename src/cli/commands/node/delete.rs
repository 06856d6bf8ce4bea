//! `node delete`: forget a node that the members removed.

use clap::Args;
use serde::Serialize;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::id::{NodeId, TransactionId};
use ccf_gov::review::ObservedNode;
use ccf_gov::service::{Reference, ServiceError};
use ccf_gov::text::visible;

/// Delete a node whose retirement is committed
///
/// Stop its process first: one that still answers is deleted with a warning, and goes on answering as if it were part of the
/// service. Nothing is signed for this: it is the operator's part. A node that is still needed is refused here, before the
/// service is asked.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 deleted; 3 it must not be deleted (yet); 4 no such node.

Example:
  ccf-gov node delete f6a46660")]
pub struct Delete {
    /// The node: its id, the first digits of it, or its address
    #[arg(value_name = "ID")]
    id: Reference<NodeId>,
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    node_id: NodeId,
    deleted: bool,
    /// Whether its process still answered before it was deleted.
    answers: bool,
    /// Null if an earlier sending without an answer deleted it.
    transaction_id: Option<TransactionId>,
}

impl Delete {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let service = context.connect().await?;
        let id = context.node(&service, &self.id).await?;
        let Some((_, standing)) = ObservedNode::of(&service, id).await? else { return Err(super::not_there(id)) };
        let node = &standing.node;
        standing.check_deletable()?;
        let transaction = service.delete_node(id).await.map_err(|error| match error {
            ServiceError::Undecided { .. } => {
                CliError::from(error).hint(format!("run `ccf-gov node delete {id}` again; it is safe to repeat"))
            }
            error => error.into(),
        })?;
        let answers = standing.more.answers == Some(true);
        if answers {
            context.output.warn(format!(
                "node {id} still answers at {}: stop its process, which goes on as if it were part of the service",
                visible(node.address().unwrap_or_default())
            ));
        }
        let deleted = Deleted { node_id: id, deleted: true, answers, transaction_id: transaction };
        context.output.result(&deleted, || format!("Node {id} is deleted.\n"))?;
        Ok(Exit::Done)
    }
}
