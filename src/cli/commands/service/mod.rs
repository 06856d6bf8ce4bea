//! `service`: what the service is, and by which rules it lives.

pub mod app;
pub mod wait;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::object::{Read, beside};
use ccf_gov::id::NodeId;
use ccf_gov::service::{Leadership, UvmEntry, Validity};
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
    let validity = Validity::of_pem(&info.certificate);
    let addresses = service.published();
    let leadership = match &network {
        Some(network) => Some(service.leadership(network).await),
        None => None,
    };
    let lost = leadership.and_then(Leadership::lost_quorum);
    let more = Info {
        certificate_validity: validity,
        primary_id: network.as_ref().and_then(|n| n.primary_id),
        current_view: network.as_ref().and_then(|n| n.current_view),
        addresses: addresses.iter().map(ToString::to_string).collect(),
        lost_quorum: lost.map(|q| Quorum { trusted: q.trusted, answering: q.answering, needed: q.needed() }),
        read: Read { committed, transaction_id: info.transaction },
    };
    context.output.result(&beside(&info.raw, &more)?, || {
        let mut text = format!("Status         {}\n", visible(&info.status.to_string()));
        if let Some(leadership) = leadership {
            text += &format!("Primary        {leadership}\n");
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
    context.output.result(&beside(&policy.raw, &Read { committed, transaction_id: policy.transaction })?, || {
        let mut text = String::new();
        let mut line = |what: &str, value: &str| text += &format!("{what:24}  {}\n", visible(value));
        policy.sgx.measurements.iter().for_each(|m| line("sgx measurement", m));
        policy.snp.measurements.iter().for_each(|m| line("snp measurement", m));
        policy.snp.host_data.keys().for_each(|h| line("snp host data", h));
        for UvmEntry { did, feed, written, .. } in &policy.snp.uvm_endorsements {
            line("snp UVM endorsement", &format!("{did} {feed} {written}"));
        }
        for (cpuid, minimum) in &policy.snp.tcb_versions {
            line("snp minimum TCB", &format!("{cpuid} {}", minimum.written));
        }
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
        let shown = Constitution { constitution, read: Read { committed, transaction_id: settled.transaction } };
        context.output.result(&shown, String::new)?;
    } else {
        context.output.bytes(constitution.as_bytes())?;
    }
    Ok(Exit::Done)
}

/// What is known of the service beside its own object.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// Of the service certificate; null if it cannot be read.
    certificate_validity: Option<Validity>,
    /// Null without a primary, or where no node says who it is.
    primary_id: Option<NodeId>,
    current_view: Option<u64>,
    /// Where the trusted nodes listen.
    addresses: Vec<String>,
    /// There if fewer nodes answer than are needed to commit anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_quorum: Option<Quorum>,
    #[serde(flatten)]
    read: Read,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Quorum {
    trusted: usize,
    answering: usize,
    needed: usize,
}

/// The constitution as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Constitution<'a> {
    constitution: &'a str,
    #[serde(flatten)]
    read: Read,
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
