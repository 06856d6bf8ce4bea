//! `node show`.

use clap::Args;
use serde_json::Value;

use crate::cli::common::Context;
use crate::cli::connect::with_committed;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::id::NodeId;
use ccf_gov::service::{NodeStatus, Reference};
use ccf_gov::text::visible;
use ccf_gov::upgrade::quorum::{Heard, Sight};

/// Show one node, with the attestation that it joined with
#[derive(Args)]
#[command(after_help = "The attestation is shown as the service tells it; `ccf-gov verify node` checks it here.

Example:
  ccf-gov node show f6a46660146ab837cec4dfaa62cfaf2501582c4b1068effc276139b7de94466a --output json")]
pub struct Show {
    /// The node: its id, the first digits of it, or its address
    #[arg(value_name = "ID")]
    id: Reference<NodeId>,
}

impl Show {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let service = context.connect().await?;
        let id = context.node(&service, &self.id).await?;
        let read = async || service.node(id).await?.ok_or_else(|| super::not_there(id));
        let (node, committed) = context.read(&service, read).await?;
        // Only the primary knows, and the node API may be closed to members: then it is not said.
        let sight = Sight::take(&service).await.ok().flatten();
        let caught_up = sight.as_ref().map(|sight| sight.caught_up.contains(&id));
        let heard = sight.as_ref().and_then(|sight| sight.heard.get(&id).copied());
        let mut json = with_committed(node.raw.clone(), committed);
        if let Value::Object(json) = &mut json {
            json.insert("caughtUp".into(), caught_up.into());
            json.insert("hasEverything".into(), heard.map(|h| h.has_everything).into());
            json.insert("silentMs".into(), heard.map(|h| h.silent_ms).into());
        }
        context.output.result(&json, || {
            let mut text = format!("Node      {}\nStatus    {}\n", node.node_id, node.status);
            if let (NodeStatus::Trusted, Some(caught_up)) = (node.status, caught_up) {
                text += &format!("          {}\n", standing(caught_up, heard));
            }
            if node.retired_committed {
                text += "          its retirement is committed: it can be stopped and deleted\n";
            }
            for (name, interface) in &node.rpc_interfaces {
                text += &format!("Interface {} {}\n", visible(name), visible(&interface.published_address));
            }
            if let Some(quote) = &node.quote_info {
                text += &format!("Platform  {}\n", visible(&quote.format));
                for (name, value) in quote.details.as_object().into_iter().flatten() {
                    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    text += &format!("          {} {}\n", visible(name), visible(&value));
                }
            }
            text
        })?;
        Ok(Exit::Done)
    }
}

/// How a trusted node stands, by the primary's word.
fn standing(caught_up: bool, heard: Option<Heard>) -> String {
    let silent = |heard: Heard| format!("not heard of for {} s", heard.silent_ms / 1000);
    match heard {
        _ if caught_up => "caught up with the commit".into(),
        Some(heard) if heard.has_everything => format!("{}; it had everything that is committed", silent(heard)),
        Some(heard) if !heard.is_live() => format!("{}, and not caught up", silent(heard)),
        _ => "not caught up yet".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_node_that_has_everything_is_not_one_that_is_behind() {
        let heard = |silent_ms, has_everything| Some(Heard { silent_ms, has_everything });
        assert_eq!(standing(true, heard(5, true)), "caught up with the commit");
        assert_eq!(standing(false, heard(4263, true)), "not heard of for 4 s; it had everything that is committed");
        assert_eq!(standing(false, heard(4263, false)), "not heard of for 4 s, and not caught up");
        assert_eq!(standing(false, heard(5, false)), "not caught up yet");
        assert_eq!(standing(false, None), "not caught up yet");
    }
}
