//! `proposal list`: what the service holds.

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::object::{Read, beside};
use crate::cli::table::{Table, abridged};
use ccf_gov::id::MemberId;
use ccf_gov::proposal::{begins, title};
use ccf_gov::review::waits_for;
use ccf_gov::service::{Names, Proposal, ProposalState, Service};

/// How many proposals are read for what they would do.
const READ: usize = 200;

/// List the proposals that the service holds: the open ones, and those that were resolved last
///
/// Open proposals come first, then by state and title. The service does not say when a proposal was made; where its
/// actions begin at a time (valid_from), that is shown. Ids are shown by their first digits, which every command takes;
/// -v shows them whole.
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov proposal list --service https://127.0.0.1:8000 --service-cert service_cert.pem
  ccf-gov proposal list --mine --cert alice_cert.pem")]
pub struct List {
    /// Only those that are open
    #[arg(long)]
    open: bool,
    /// Only those that wait for your vote: open, and without a ballot of the member whose certificate --cert gives
    #[arg(long)]
    mine: bool,
}

/// A proposal, and what is known beside the service's own list.
struct Held {
    proposal: Proposal,
    raw: Value,
    more: More,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct More {
    /// What it would do, in a line; null where its actions were not read.
    pub title: Option<String>,
    /// The name in the proposer's certificate.
    pub proposer_name: Option<String>,
    /// The earliest `valid_from` among its actions, RFC 3339.
    valid_from: Option<String>,
    /// Whether it waits for the vote of the member of `--cert`; null without one.
    waits_for_you: Option<bool>,
    #[serde(skip)]
    begins: Option<OffsetDateTime>,
}

impl List {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let you = if self.mine { Some(context.member()?) } else { context.member().ok() };
        let service = context.connect().await?;
        let read = async || {
            let answer = service.proposals().await?;
            let held = self.read(&service, &answer.value, &answer.raw, you).await?;
            Ok((answer, held))
        };
        let settled = context.settled(&service, read).await?;
        let (answer, held) = &settled.value;
        let mut json = beside(&answer.raw, &Read { committed: settled.committed, transaction_id: answer.transaction })?;
        json["value"] = held.iter().map(|h| beside(&h.raw, &h.more)).collect::<Result<Vec<_>, CliError>>()?.into();
        context.output.result(&json, || match held.is_empty() {
            true if self.mine => "No proposal waits for your vote.\n".into(),
            true if self.open => "No proposal is open.\n".into(),
            true => "The service holds no proposal.\n".into(),
            false => table(held, context.verbose),
        })?;
        Ok(Exit::Done)
    }

    async fn read(
        &self,
        service: &Service,
        proposals: &[Proposal],
        raw: &Value,
        you: Option<MemberId>,
    ) -> Result<Vec<Held>, CliError> {
        let members = service.members().await?;
        let names = Names::of(&members, &service.nodes().await?);
        let mut held = Vec::new();
        for (at, proposal) in proposals.iter().enumerate() {
            let is_open = proposal.proposal_state == ProposalState::Open;
            if (self.open || self.mine) && !is_open {
                continue;
            }
            let waits_for_you = match you {
                Some(you) => Some(waits_for(service, &members, proposal, you).await?),
                None => None,
            };
            if self.mine && waits_for_you != Some(true) {
                continue;
            }
            let more = More::of(service, &names, proposal, waits_for_you, held.len() < READ).await?;
            let raw = raw["value"].get(at).cloned().unwrap_or_default();
            held.push(Held { proposal: proposal.clone(), raw, more });
        }
        held.sort_by_cached_key(|h| (order(h.proposal.proposal_state), h.more.title.clone(), h.proposal.proposal_id));
        Ok(held)
    }
}

impl More {
    /// Of `proposal`; its actions are read if `is_read`.
    pub async fn of(
        service: &Service,
        names: &Names,
        proposal: &Proposal,
        waits_for_you: Option<bool>,
        is_read: bool,
    ) -> Result<Self, CliError> {
        let actions = if is_read { service.actions(proposal.proposal_id).await? } else { None };
        let actions = actions.map(|a| a.raw);
        let begins = actions.as_ref().and_then(begins);
        Ok(Self {
            title: actions.map(|actions| title(&actions, |id| names.get(id))),
            proposer_name: names.members.get(&proposal.proposer_id).cloned(),
            valid_from: begins.and_then(|b| b.format(&time::format_description::well_known::Rfc3339).ok()),
            waits_for_you,
            begins,
        })
    }
}

fn order(state: ProposalState) -> u8 {
    match state {
        ProposalState::Open => 0,
        ProposalState::Accepted => 1,
        ProposalState::Failed => 2,
        ProposalState::Rejected => 3,
        ProposalState::Dropped => 4,
        ProposalState::Withdrawn => 5,
    }
}

fn table(held: &[Held], whole: bool) -> String {
    let ids = held.iter().flat_map(|h| [h.proposal.proposal_id.to_string(), h.proposal.proposer_id.to_string()]);
    let short = abridged(ids, whole);
    let now = OffsetDateTime::now_utc();
    let mut table = Table::new(["Proposal", "State", "Ballots", "Proposer"]);
    for Held { proposal, more, .. } in held {
        let proposer = more.proposer_name.clone().unwrap_or_else(|| short(&proposal.proposer_id.to_string()));
        let (id, state) = (short(&proposal.proposal_id.to_string()), proposal.proposal_state.to_string());
        table.row([id, state, proposal.ballot_count.to_string(), proposer]);
        more.title.iter().for_each(|title| table.note(title.clone()));
        if let Some(begins) = more.begins {
            table.note(format!("valid from {}, {}", begins.date(), ago(now - begins)));
        }
        if more.waits_for_you == Some(true) {
            table.note("waits for your vote".into());
        }
    }
    table.text()
}

/// How long ago something was.
fn ago(age: time::Duration) -> String {
    let (amount, unit) = match age.abs().whole_minutes() {
        0 => return "just now".into(),
        m if m < 120 => (m, "min"),
        m if m < 48 * 60 => (m / 60, "h"),
        m => (m / (24 * 60), "days"),
    };
    if age.is_negative() { format!("in {amount} {unit}") } else { format!("{amount} {unit} ago") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_fits_sixty_columns() {
        let held = |digit: &str, state: &str, title: &str, waits| {
            let raw = json!({"proposalId": digit.repeat(64), "proposerId": "9".repeat(64), "proposalState": state, "ballotCount": 1});
            let more = More {
                title: Some(title.into()),
                proposer_name: Some("alice".into()),
                valid_from: None,
                waits_for_you: Some(waits),
                begins: None,
            };
            Held { proposal: serde_json::from_value(raw.clone()).unwrap(), raw, more }
        };
        let list = [held("1", "Open", "trust node 10.0.0.4:8000", true), held("2", "Accepted", "a", false)];
        let text = "\
Proposal  State     Ballots  Proposer
11111111  Open      1        alice
  trust node 10.0.0.4:8000
  waits for your vote
22222222  Accepted  1        alice
  a
";
        assert_eq!(table(&list, false), text);
        assert!(table(&list, true).contains(&"1".repeat(64)));
    }

    #[test]
    fn ages_are_rounded() {
        let said = |seconds| ago(time::Duration::seconds(seconds));
        assert_eq!(said(20), "just now");
        assert_eq!(said(185), "3 min ago");
        assert_eq!(said(3 * 3600), "3 h ago");
        assert_eq!(said(72 * 3600), "3 days ago");
        assert_eq!(said(-185), "in 3 min");
    }
}
