//! `member list`.

use clap::Args;

use crate::cli::common::Context;
use crate::cli::connect::with_committed;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::service::Member;
use ccf_gov::text::visible;

/// List the members: who is active, and who still has to activate itself
#[derive(Args)]
#[command(after_help = "Example:
  ccf-gov member list --service https://127.0.0.1:8000 --service-cert service_cert.pem")]
pub struct List {}

impl List {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let service = context.connect().await?;
        let (members, committed) = context.read(&service, async || Ok(service.members().await?)).await?;
        let json = with_committed(members.raw.clone(), committed);
        context.output.result(&json, || members.iter().map(line).collect())?;
        Ok(Exit::Done)
    }
}

fn line(member: &Member) -> String {
    let data = match &member.member_data {
        serde_json::Value::Null => String::new(),
        data => format!("  {}", visible(&data.to_string())),
    };
    let status = format!("{:?}", member.status);
    format!("{}  {status:8}  {}{data}\n", member.member_id, visible(member.recovery_role.as_deref().unwrap_or("")))
}
