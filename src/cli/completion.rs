//! Completion in the shell: the scripts call this program back, which knows its commands, and asks the service for ids.
//!
//! The service is asked as `ccf-gov.toml` and the environment say, for a moment, and silently: where there is none,
//! nothing is offered.

use std::time::Duration;

use clap::{Arg, Command, CommandFactory, Parser};
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};
use tokio::time::timeout;

use super::common::{Common, Context};
use super::config::Config;
use super::connect::MAX_CERTIFICATE;
use ccf_gov::files;
use ccf_gov::proposal::catalogue::Catalogue;
use ccf_gov::service::{self, NodeAddress, Options, Service};
use ccf_gov::text::visible;

/// The variable by which a shell's script asks for completions.
pub const VARIABLE: &str = "CCF_GOV_COMPLETE";
/// The program, as it is found in `PATH`.
const NAME: &str = "ccf-gov";
/// How long a shell may wait for the service.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Answers a shell that asks for completions, and ends the process; returns if none does.
pub fn answer() {
    CompleteEnv::with_factory(command).var(VARIABLE).complete();
}

/// The script that a shell loads.
pub fn script(shell: &str) -> std::io::Result<Vec<u8>> {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let completer = shells.completer(shell).ok_or(std::io::ErrorKind::Unsupported)?;
    completer.write_registration(VARIABLE, NAME, NAME, NAME, &mut script)?;
    Ok(script)
}

/// The commands, with what can be offered for their arguments.
fn command() -> Command {
    let mut command = super::Cli::command();
    // Everything below is deferred until it is asked for.
    command.build();
    offer(command)
}

/// Attaches to every argument what its name promises, in this command and those below it.
fn offer(command: Command) -> Command {
    let names: Vec<_> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    let noun = command.get_name().to_owned();
    let group = command.get_bin_name().and_then(|name| name.split(' ').nth(1)).unwrap_or(&noun).to_owned();
    let command = command.mut_args(|argument| candidates(&group, argument));
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, offer))
}

fn candidates(group: &str, argument: Arg) -> Arg {
    let value = argument.get_value_names().and_then(|names| names.first()).map(|name| name.to_string());
    let id = argument.get_id().to_string();
    match (value.as_deref(), group) {
        (Some("TEMPLATE"), _) => argument.add(ArgValueCandidates::new(templates)),
        (Some("ID"), "proposal" | "ballot" | "sign" | "prepare" | "finish") => {
            argument.add(ArgValueCandidates::new(|| ask(proposals)))
        }
        (Some("ID"), "node") => argument.add(ArgValueCandidates::new(|| ask(nodes))),
        (Some("ID"), "verify") if id.contains("node") || argument.is_positional() => {
            argument.add(ArgValueCandidates::new(|| ask(nodes)))
        }
        _ => argument,
    }
}

fn templates() -> Vec<CompletionCandidate> {
    let Some(context) = typed() else { return Vec::new() };
    // Where one of the user's own is broken, the built-in ones are still offered; the command then says what is wrong.
    let catalogue = Catalogue::with_folders(&context.templates).unwrap_or_else(|_| Catalogue::builtin().clone());
    catalogue.templates().map(|t| described((t.name.clone(), t.description.clone()))).collect()
}

async fn proposals(service: Service) -> Option<Vec<CompletionCandidate>> {
    let candidate = |p: &service::Proposal| (p.proposal_id.to_string(), p.proposal_state.to_string());
    Some(service.proposals().await.ok()?.iter().map(candidate).map(described).collect())
}

async fn nodes(service: Service) -> Option<Vec<CompletionCandidate>> {
    let candidate = |n: &service::Node| (n.node_id.to_string(), n.status.to_string());
    Some(service.nodes().await.ok()?.iter().map(candidate).map(described).collect())
}

fn described((id, what): (String, String)) -> CompletionCandidate {
    CompletionCandidate::new(id).help(Some(visible(&what).into()))
}

/// What the service answers, if there is one and it answers soon.
fn ask<F>(question: impl FnOnce(Service) -> F) -> Vec<CompletionCandidate>
where
    F: Future<Output = Option<Vec<CompletionCandidate>>>,
{
    let answer = async { question(connect().await?).await };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok();
    let answer = runtime.and_then(|runtime| runtime.block_on(async { timeout(PATIENCE, answer).await.ok()? }));
    answer.unwrap_or_default()
}

/// What the words typed so far, the environment and the configuration file say.
fn typed() -> Option<Context> {
    #[derive(Parser)]
    struct Words {
        #[command(flatten)]
        common: Common,
    }
    let typed: Vec<_> = std::env::args().collect();
    let named =
        typed.windows(2).filter(|pair| matches!(&*pair[0], "--service" | "--service-cert" | "--templates")).flatten();
    let words = Words::try_parse_from([NAME].into_iter().chain(named.map(String::as_str))).ok()?;
    Some(Context::merge(words.common, Config::load().ok()?))
}

/// The service that they name.
async fn connect() -> Option<Service> {
    let context = typed()?;
    let addresses: Vec<NodeAddress> = context.service.iter().map(|s| s.parse().ok()).collect::<Option<_>>()?;
    let certificate = files::read(&context.service_cert?, MAX_CERTIFICATE).ok()?;
    let options = Options { api_version: context.api_version, ..Options::new(addresses, certificate) };
    Service::connect(options).await.ok()
}
