//! `measure`: the values to register, computed from artefacts.

mod launch;
pub mod layers;
mod register;
pub mod sgx;
pub mod snp;
pub mod virt;

use clap::{Args, Subcommand};

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::text::visible;

pub use launch::LaunchArgs;

/// Compute the values to register from artefacts. No network is used.
#[derive(Args)]
pub struct Measure {
    #[command(subcommand)]
    platform: Platform,
}

#[derive(Subcommand)]
#[command(defer = true)]
enum Platform {
    /// The host data and measurement of nodes that run an executable on the virtual platform
    Virtual(virt::Virtual),
    /// MRENCLAVE, signer and version of an enclave, recomputed from its file
    Sgx(sgx::Sgx),
    /// Host data of a security policy, the values of a UVM endorsement, the launch digest of a guest
    Snp(Box<snp::Snp>),
    /// The layer hashes of a container image, which a security policy lists
    Layers(layers::Layers),
}

impl Measure {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.platform {
            Platform::Virtual(args) => args.run(context),
            Platform::Sgx(args) => args.run(context),
            Platform::Snp(args) => args.run(context),
            Platform::Layers(args) => args.run(context),
        }
    }
}

/// Lines of names and values, the values aligned.
pub fn table(rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    rows.iter().map(|(name, value)| format!("{name:width$}  {}\n", visible(value))).collect()
}
