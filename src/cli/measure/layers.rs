//! `measure layers`: the layer hashes that a security policy must list.

use std::fs::File;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::common::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::exit::Exit;
use ccf_gov::evidence::layers;

/// The layer hashes (dm-verity roots) of a container image
#[derive(Args)]
pub struct Layers {
    /// Layers as tar archives
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

impl Layers {
    pub fn run(self, context: &Context) -> Result<Exit, CliError> {
        let mut found = Vec::new();
        for path in &self.files {
            let wrong = |e: Box<dyn std::error::Error + Send + Sync>| {
                CliError::new(Kind::Usage, format!("cannot measure {}", path.display()), e)
            };
            let file = File::open(path).map_err(|e| wrong(e.into()))?;
            found.push(layers::measure(file).map_err(|e| wrong(e.into()))?);
        }
        context.output.result(&json!({"layers": found}), || found.iter().map(|l| format!("{}\n", l.hash)).collect())?;
        Ok(Exit::Done)
    }
}
