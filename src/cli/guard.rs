//! What the quorum guard says of a proposal that is made or voted on by hand, and the one way around it.

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::common::Context;
use super::error::CliError;
use ccf_gov::cose::Message;
use ccf_gov::evidence::node::Trust;
use ccf_gov::review::ServiceView;
use ccf_gov::service::Service;
use ccf_gov::upgrade::{Basis, NetworkChange};

/// Whether the guard's refusal counts.
#[derive(Args, Clone, Copy, Debug)]
pub struct Guard {
    /// Go on although the service could not commit anything any more afterwards; otherwise a proposal to trust or remove nodes,
    /// or a vote for it, is refused then
    #[arg(long)]
    although_it_stops_the_service: bool,
}

/// The guard's judgement beside other results.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Guarded<'a> {
    /// Of a proposal that trusts or removes nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<&'a NetworkChange>,
}

impl Guard {
    /// What a proposal, or a vote for it, does to the network; `None` if that is nothing. One after which nothing could be
    /// committed is shown and refused.
    pub async fn judge(
        self,
        context: &Context,
        service: &Service,
        proposal: &Value,
        view: &ServiceView,
    ) -> Result<Option<NetworkChange>, CliError> {
        let trust = Trust::pinned(OffsetDateTime::now_utc());
        let basis = Basis { evidence: &[], trust: &trust };
        let found = NetworkChange::look(service, proposal, view, basis).await?;
        self.check(context, found)
    }

    /// As [`Self::judge`], of what is signed already; it is shown.
    pub async fn judge_signed(
        self,
        context: &Context,
        service: &Service,
        message: &Message,
    ) -> Result<Option<NetworkChange>, CliError> {
        let trust = Trust::pinned(OffsetDateTime::now_utc());
        let basis = Basis { evidence: &[], trust: &trust };
        let found = self.check(context, NetworkChange::of_message(service, message, basis).await?)?;
        if let Some(found) = &found {
            show(context, found);
        }
        Ok(found)
    }

    /// Refuses what stops the service.
    pub fn check(self, context: &Context, found: Option<NetworkChange>) -> Result<Option<NetworkChange>, CliError> {
        if let Some(change) = found.as_ref().filter(|_| !self.although_it_stops_the_service) {
            change.check().map_err(|stops| {
                show(context, change);
                CliError::from(stops)
            })?;
        }
        Ok(found)
    }
}

fn show(context: &Context, found: &NetworkChange) {
    context.output.note(format!("What it does to the network:\n  {}", found.lines().join("\n  ")));
}
