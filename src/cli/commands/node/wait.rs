//! `node wait`: until a node stands as the next step needs it.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::object::{Read, beside};
use ccf_gov::id::NodeId;
use ccf_gov::review::ObservedNode;
use ccf_gov::service::Reference;
use ccf_gov::upgrade::{Distance, Goal, Watch};

/// How often the service is asked.
const LOOK: Duration = Duration::from_millis(500);

/// Wait until a node is caught up, retired, or can be stopped
///
/// Says at once what it waits for, and again when something else is missing.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 the node is in that state, and this is committed; 3 it never will be; 4 no such node; 6 not yet, when the time is over.

Examples:
  ccf-gov node wait 10.0.0.4:8000 --caught-up
  ccf-gov node wait f6a46660 --removable --timeout 600"
)]
pub struct Wait {
    /// The node: its id, the first digits of it, or its address
    #[arg(value_name = "ID")]
    id: Reference<NodeId>,
    #[command(flatten)]
    goal: GoalArgs,
    /// How many seconds to wait
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct GoalArgs {
    /// Until it is trusted, in contact, and has everything that is committed: then the next node can be trusted
    #[arg(long)]
    caught_up: bool,
    /// Until the members have removed it: it may still be needed
    #[arg(long)]
    retired: bool,
    /// Until its retirement is committed: it can be stopped and deleted
    #[arg(long)]
    removable: bool,
}

/// What is printed of a node that the service does not list any more.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Gone {
    node_id: NodeId,
    /// Always false.
    listed: bool,
    #[serde(flatten)]
    read: Read,
}

impl Wait {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let (goal, what) = self.goal.goal();
        let service = context.connect().await?;
        let id = context.node(&service, &self.id).await?;
        let end = Instant::now() + Duration::from_secs(self.timeout.min(365 * 24 * 3600));
        let mut said = None;
        let mut watch = Watch::new(goal);
        loop {
            let settled = context.settled_quietly(&service, async || Ok(ObservedNode::of(&service, id).await?)).await?;
            let standing = settled.value.as_ref().map(|(_, standing)| standing);
            let missing = match watch.look(standing, settled.committed) {
                None => return Err(super::not_there(id)),
                Some(Distance::Reached) => None,
                Some(Distance::Missing(what)) => Some(what),
                Some(Distance::Never(why)) => {
                    let message = format!("node {id} will not be {what}: {why}");
                    return Err(CliError::no(message));
                }
            };
            let over = Instant::now() + LOOK >= end;
            match &missing {
                Some(missing) if over => {
                    context.output.note(format!("Not {what} after {} s: {missing}.", self.timeout));
                }
                Some(missing) if said.as_deref() != Some(kind_of(missing).as_str()) => {
                    let left = end.saturating_duration_since(Instant::now()).as_secs();
                    context.output.note(format!("Waiting, at most {left} s, until node {id} is {what}: {missing}."));
                    said = Some(kind_of(missing));
                }
                _ => {}
            }
            if missing.is_none() || over {
                let read = |transaction_id| Read { committed: settled.committed, transaction_id };
                let json = match &settled.value {
                    Some((answer, standing)) => beside(&standing.json(), &read(answer.transaction))?,
                    None => {
                        let gone = Gone { node_id: id, listed: false, read: read(settled.transaction) };
                        beside(&Value::Null, &gone)?
                    }
                };
                context.output.result(&json, || match standing {
                    Some(standing) => format!("Node {id} is {}: {}\n", standing.node.status, standing.describe()),
                    None => format!("The service does not list node {id} any more: its process can be stopped.\n"),
                })?;
                return Ok(if missing.is_none() { Exit::Done } else { Exit::Waiting });
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl GoalArgs {
    fn goal(&self) -> (Goal, &'static str) {
        match (self.caught_up, self.retired) {
            (true, _) => (Goal::CaughtUp, "caught up"),
            (_, true) => (Goal::Retired, "retired"),
            _ => (Goal::Removable, "removable"),
        }
    }
}

/// What is missing, without the numbers that change all the time.
fn kind_of(missing: &str) -> String {
    missing.chars().filter(|c| !c.is_ascii_digit()).collect()
}
