//! Where a command takes a service's governance state from: a file, or the service.

use std::path::{Path, PathBuf};

use clap::Args;
use time::OffsetDateTime;

use super::common::Context;
use super::error::CliError;
use ccf_gov::files;
use ccf_gov::review::state::{Reading, State};
use ccf_gov::service::Service;

/// The largest state file, in bytes.
const MAX_STATE: u64 = 512 << 20;

/// A state file instead of the service.
#[derive(Args)]
pub struct StateSource {
    /// Judge on this state, as `state export` wrote it, instead of asking the service
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
}

impl StateSource {
    /// The state; on standard error, how old it is.
    pub async fn read(&self, context: &Context) -> Result<State, CliError> {
        let Some(path) = &self.state else { return fetch(context).await };
        let state = file(path)?;
        context.output.note(format!("{}: {}", files::shown(path), state.age(OffsetDateTime::now_utc())));
        Ok(state)
    }
}

/// Reads a file that `state export` wrote.
pub fn file(path: &Path) -> Result<State, CliError> {
    State::from_json(&files::read(path, MAX_STATE)?)
        .map_err(|e| CliError::usage(e).doing(format!("cannot use {}", files::shown(path))))
}

/// Reads it from the service that is configured, with progress.
pub async fn fetch(context: &Context) -> Result<State, CliError> {
    fetch_from(context, &context.connect().await?).await
}

/// Reads it from a service, with progress.
pub async fn fetch_from(context: &Context, service: &Service) -> Result<State, CliError> {
    let bar = context.output.progress(0);
    let say = |what: &str, count: usize| {
        bar.set_length(count as u64 + 1);
        bar.set_position(count as u64);
        bar.set_message(what.to_owned());
    };
    let state = State::read(service, &Reading::new(&say)).await;
    bar.finish_and_clear();
    Ok(state?)
}
