//! `state export`: everything that the governance API tells, in one file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::state_source::fetch;
use ccf_gov::files::Readers;
use ccf_gov::review::state::unknown;

/// Read the governance state of the service and write it to a file, to simulate with where the service cannot be reached
///
/// Nothing in it is secret. What the API does not tell is listed in the file under "unknown".
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov state export -o state.json
  ccf-gov simulate --state state.json proposal.json")]
pub struct Export {
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// Overwrite the file if it is there
    #[arg(long)]
    force: bool,
}

/// What was written.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Exported {
    file: String,
    /// SHA-256 of the service's certificate, DER.
    service: Option<String>,
    transaction_id: Option<String>,
    committed: bool,
    tables: usize,
    rows: usize,
    /// What is not in it, and why.
    unknown: BTreeMap<String, String>,
}

impl Export {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let state = fetch(context).await?;
        let mut text = serde_json::to_vec_pretty(&state.to_json())
            .map_err(|error| CliError::usage(error).doing("cannot write the state"))?;
        text.push(b'\n');
        context.output.file(&self.out, &text, Readers::Shared, self.force)?;
        let names: Vec<&str> = state.tables.names().collect();
        let exported = Exported {
            file: self.out.display().to_string(),
            service: state.identity().map(|id| id.to_string()),
            transaction_id: state.transaction.map(|id| id.to_string()),
            committed: state.committed,
            tables: names.len(),
            rows: names.iter().map(|name| state.tables.len(name)).sum(),
            unknown: unknown().map(|(what, why)| (what.into(), why.into())).collect(),
        };
        context.output.result(&exported, || {
            let mut text = format!("{} rows of {} tables", exported.rows, exported.tables);
            if let Some(id) = &exported.transaction_id {
                text += &format!(", at transaction {id}");
            }
            text + "\n"
        })?;
        Ok(Exit::Done)
    }
}
