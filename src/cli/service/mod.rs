//! `service`: what the service is, and by which rules it lives.

mod app;
mod wait;

use clap::{Args, Subcommand};
use serde_json::Value;
use time::OffsetDateTime;

use super::common::Context;
use super::connect::beside;
use super::error::CliError;
use super::exit::Exit;
use ccf_gov::id::TransactionId;
use ccf_gov::service::Validity;
use ccf_gov::text::visible;

/// Show the service: its state, its rules, its application
#[derive(Args)]
pub struct Service {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[command(defer = true)]
enum Command {
    /// Show the service's status, configuration and primary
    #[command(
        after_help = "Example:\n  ccf-gov service info --service https://127.0.0.1:8000 --service-cert service_cert.pem"
    )]
    Info,
    /// Show what code may join
    #[command(after_help = "Example:\n  ccf-gov service join-policy --output json")]
    JoinPolicy,
    /// Print the constitution
    #[command(after_help = "Example:\n  ccf-gov service constitution > constitution.js")]
    Constitution,
    /// Show the application's endpoints and modules
    App(app::App),
    /// Wait until a transaction is committed
    Wait(wait::Wait),
}

impl Service {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.command {
            Command::Info => info(context).await,
            Command::JoinPolicy => join_policy(context).await,
            Command::Constitution => constitution(context).await,
            Command::App(args) => args.run(context).await,
            Command::Wait(args) => args.run(context).await,
        }
    }
}

async fn info(context: &Context) -> Result<Exit, CliError> {
    let service = context.connect().await?;
    let (info, committed) = context.read(&service, async || Ok(service.info().await?)).await?;
    let network = service.network().await.ok();
    let mut json = beside(info.raw.clone(), info.transaction, committed);
    let validity = Validity::of_pem(&info.certificate);
    if let Some(object) = json.as_object_mut() {
        object.insert("certificateValidity".into(), serde_json::json!(validity));
    }
    if let (Some(network), Some(object)) = (&network, json.as_object_mut()) {
        object.insert("primaryId".into(), serde_json::json!(network.primary_id));
        object.insert("currentView".into(), serde_json::json!(network.current_view));
    }
    let addresses = service.published();
    let standing_still = match &network {
        Some(network) if network.primary_id.is_none() => {
            service.refresh().await;
            service.lost_quorum()
        }
        _ => None,
    };
    if let Some(object) = json.as_object_mut() {
        let urls: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        object.insert("addresses".into(), serde_json::json!(urls));
        if let Some(quorum) = standing_still {
            let quorum = serde_json::json!({"trusted": quorum.trusted, "answering": quorum.answering, "needed": quorum.needed()});
            object.insert("lostQuorum".into(), quorum);
        }
    }
    context.output.result(&json, || {
        let mut text = format!("Status         {}\n", visible(&info.status));
        if let Some(network) = &network {
            let none = || match standing_still {
                Some(quorum) => format!("none: {quorum}"),
                None => "none (an election is under way)".into(),
            };
            let primary = network.primary_id.map_or_else(none, |p| p.to_string());
            text += &format!("Primary        {primary}\n");
        }
        for (at, address) in addresses.iter().enumerate() {
            text += &format!("{:14} {address}\n", if at == 0 { "Nodes" } else { "" });
        }
        text += &format!("Recoveries     {}\n", info.recovery_count.unwrap_or(0));
        if let Some(validity) = validity {
            text += &format!("Certificate    {}\n", validity.describe(OffsetDateTime::now_utc()));
        }
        text + &configuration(&info.configuration)
    })?;
    Ok(Exit::Done)
}

async fn join_policy(context: &Context) -> Result<Exit, CliError> {
    let service = context.connect().await?;
    let (policy, committed) = context.read(&service, async || Ok(service.join_policy().await?)).await?;
    context.output.result(&beside(policy.raw.clone(), policy.transaction, committed), || {
        let mut text = String::new();
        let mut line = |what: &str, value: &str| text += &format!("{what:24}  {}\n", visible(value));
        policy.sgx.measurements.iter().for_each(|m| line("sgx measurement", m));
        policy.snp.measurements.iter().for_each(|m| line("snp measurement", m));
        policy.snp.host_data.keys().for_each(|h| line("snp host data", h));
        policy
            .snp
            .uvm_endorsements
            .iter()
            .for_each(|(did, feeds)| line("snp UVM endorsement", &format!("{did} {feeds}")));
        policy.snp.tcb_versions.iter().for_each(|(cpu, tcb)| line("snp minimum TCB", &format!("{cpu} {tcb}")));
        policy.virtual_.measurements.iter().for_each(|m| line("virtual measurement", m));
        policy.virtual_.host_data.iter().for_each(|h| line("virtual host data", h));
        if text.is_empty() { "No code may join.\n".into() } else { text }
    })?;
    Ok(Exit::Done)
}

async fn constitution(context: &Context) -> Result<Exit, CliError> {
    let service = context.connect().await?;
    let settled = context.settled(&service, async || Ok(service.constitution().await?)).await?;
    let (constitution, committed) = (&settled.value, settled.committed);
    if context.output.is_json() {
        let shown = Constitution { constitution, committed, transaction_id: settled.transaction };
        context.output.result(&shown, String::new)?;
    } else {
        context.output.bytes(constitution.as_bytes())?;
    }
    Ok(Exit::Done)
}

/// The constitution as it is printed.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Constitution<'a> {
    constitution: &'a str,
    committed: bool,
    transaction_id: Option<TransactionId>,
}

/// The service's configuration, a line for each value.
fn configuration(configuration: &Value) -> String {
    let lines = configuration.as_object().into_iter().flatten();
    let lines: Vec<_> = lines.map(|(name, value)| (words(name), visible(&value.to_string()))).collect();
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let heading = if lines.is_empty() { "" } else { "Configuration\n" };
    let line = |(name, value): &(String, String)| format!("  {name:width$}  {value}\n");
    heading.to_owned() + &lines.iter().map(line).collect::<String>()
}

/// A name of CCF's configuration in words: "Recovery threshold".
fn words(name: &str) -> String {
    let mut text = String::new();
    for (at, c) in visible(name).chars().enumerate() {
        match c {
            _ if at == 0 => text.extend(c.to_uppercase()),
            _ if c.is_uppercase() => {
                text.push(' ');
                text.extend(c.to_lowercase());
            }
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_in_words() {
        assert_eq!(words("maximumNodeCertificateValidityDays"), "Maximum node certificate validity days");
        assert_eq!(words("recoveryThreshold"), "Recovery threshold");
        assert_eq!(words("a\u{1b}"), "A\\u{1b}");
        let configuration = configuration(&serde_json::json!({"recoveryThreshold": 1, "x": "y"}));
        assert_eq!(configuration, "Configuration\n  Recovery threshold  1\n  X                   \"y\"\n");
    }
}
