//! `member list`.

use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::object::{Read, beside};
use crate::cli::table::{Table, abridged};
use ccf_gov::id::MemberId;
use ccf_gov::service::{Member, Validity};
use ccf_gov::text::visible;

/// List the members: who is active, and who must still activate
///
/// Sorted by the name in the certificate. Ids are shown by their first digits, which every command takes; -v shows them
/// whole. "you" is the member whose certificate --cert gives.
#[derive(Args)]
#[command(after_help = "Example:
  ccf-gov member list --service https://127.0.0.1:8000 --service-cert service_cert.pem")]
pub struct List {}

/// What is known of a member beside the service's own object.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct More {
    /// The name in the certificate; null if the certificate has none, or is not the member's.
    name: Option<String>,
    /// Whether it is the member of `--cert`; null without one.
    you: Option<bool>,
    /// How long the certificate is valid.
    certificate_validity: Option<Validity>,
}

impl More {
    fn of(member: &Member, you: Option<MemberId>) -> Self {
        let name = member.name().map(|name| visible(&name));
        let you = you.map(|you| you == member.member_id);
        Self { name, you, certificate_validity: Validity::of_pem(&member.certificate) }
    }
}

impl List {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let you = context.member().ok();
        let service = context.connect().await?;
        let settled = context.settled(&service, async || Ok(service.members().await?)).await?;
        let answer = &settled.value;
        let raw = answer.raw["value"].as_array().cloned().unwrap_or_default();
        let mut members: Vec<_> = answer.iter().zip(raw).map(|(m, raw)| (m, raw, More::of(m, you))).collect();
        members.sort_by_cached_key(|(m, _, more)| (more.name.is_none(), more.name.clone(), m.member_id));
        let read = Read { committed: settled.committed, transaction_id: answer.transaction };
        let mut json = beside(&answer.raw, &read)?;
        let lines = members.iter().map(|(_, raw, more)| beside(raw, more));
        json["value"] = lines.collect::<Result<Vec<_>, CliError>>()?.into();
        let shown: Vec<_> = members.iter().map(|(m, _, more)| (*m, more)).collect();
        context.output.result(&json, || table(&shown, context.verbose, OffsetDateTime::now_utc()))?;
        Ok(Exit::Done)
    }
}

fn table(members: &[(&Member, &More)], whole: bool, now: OffsetDateTime) -> String {
    let short = abridged(members.iter().map(|(m, _)| m.member_id.to_string()), whole);
    let mut table = Table::new(["Member", "Name", "Status", "Certificate"]);
    for (member, more) in members {
        let name = more.name.clone().unwrap_or_default();
        let you = if more.you == Some(true) { " (you)" } else { "" };
        let validity = more.certificate_validity.map(|v| v.describe(now)).unwrap_or_default();
        let validity = validity.split_once(',').map_or(validity.as_str(), |(date, _)| date).to_owned();
        let status = format!("{:?}", member.status);
        table.row([short(&member.member_id.to_string()), format!("{name}{you}"), status, validity]);
        if let Some(role) = member.recovery_role.as_deref().filter(|role| *role != "Participant") {
            table.note(format!("recovery: {}", visible(role)));
        }
        if !member.member_data.is_null() {
            table.note(format!("data: {}", visible(&member.member_data.to_string())));
        }
    }
    table.text()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;

    #[test]
    fn members_have_names_and_dates() {
        let pem = include_str!("../../../../keys-example/member0_cert.pem");
        let id = ccf_gov::cose::MemberCertificate::from_pem(pem.as_bytes()).unwrap().member_id();
        let member = |id: &str, data: Value| -> Member {
            serde_json::from_value(json!({"memberId": id, "status": "Active", "certificate": pem, "memberData": data}))
                .unwrap()
        };
        let (known, other) = (member(&id.to_string(), Value::Null), member(&"a".repeat(64), json!({"is\u{1b}": 1})));
        let (first, second) = (More::of(&known, Some(id)), More::of(&other, Some(id)));
        assert_eq!((first.you, second.you), (Some(true), Some(false)));
        // Another's certificate gives no name.
        assert_eq!((first.name.is_some(), &second.name), (true, &None));
        let text = table(&[(&known, &first), (&other, &second)], false, datetime!(2026-11-25 12:00 UTC));
        assert!(text.contains(" (you)  Active  until 2126-") && text.contains("\n  data: {\"is\\"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 60) && !text.contains('\u{1b}'), "{text}");
    }
}
