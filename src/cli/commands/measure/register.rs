//! `--proposal`: the one proposal that registers what was measured, or with `--remove` deregisters it.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::common::Context;
use crate::cli::error::CliError;
use ccf_gov::digest::{HostData, MrEnclave, SnpMeasurement};
use ccf_gov::files::Readers;
use ccf_gov::proposal::{Action, Proposal, Registration};

#[derive(Args)]
pub struct Register {
    /// Also write the one proposal that registers these values
    #[arg(long, value_name = "FILE")]
    proposal: Option<PathBuf>,
    /// Let that proposal deregister them instead (but never the virtual measurement, which all virtual nodes share)
    #[arg(long, requires = "proposal")]
    pub remove: bool,
    /// Replace FILE if it exists
    #[arg(long, requires = "proposal")]
    force: bool,
}

/// A value that was measured, and can be registered and deregistered.
pub enum MeasuredValue {
    VirtualHostData(HostData),
    /// The measurement is every virtual node's, so deregistering one code never removes it.
    VirtualMeasurement(&'static str),
    NodeCode(MrEnclave),
    SnpHostData {
        host_data: HostData,
        policy: String,
    },
    SnpMeasurement(SnpMeasurement),
    SnpUvm {
        did: String,
        feed: String,
        svn: String,
    },
}

impl MeasuredValue {
    fn registration(&self) -> (Registration, Value) {
        match self {
            Self::VirtualHostData(value) => (Registration::VirtualHostData, json!({"host_data": value})),
            Self::VirtualMeasurement(value) => (Registration::VirtualMeasurement, json!({"measurement": value})),
            Self::NodeCode(value) => (Registration::SgxCode, json!({"code_id": value})),
            Self::SnpHostData { host_data, policy } => {
                (Registration::SnpHostData, json!({"host_data": host_data, "security_policy": policy}))
            }
            Self::SnpMeasurement(value) => (Registration::SnpMeasurement, json!({"measurement": value})),
            Self::SnpUvm { did, feed, svn } => {
                (Registration::SnpUvmEndorsement, json!({"did": did, "feed": feed, "svn": svn}))
            }
        }
    }

    fn add(&self) -> Action {
        let (kind, args) = self.registration();
        kind.addition(args)
    }

    fn remove(&self) -> Option<Action> {
        let (kind, args) = self.registration();
        (kind != Registration::VirtualMeasurement).then(|| kind.removal(&args))
    }
}

impl Register {
    /// Writes the proposal, if one was asked for. `refusal` is why the values must not be registered, if so.
    pub fn write(&self, context: &Context, values: &[MeasuredValue], refusal: Option<&str>) -> Result<(), CliError> {
        let Some(path) = &self.proposal else { return Ok(()) };
        if let (false, Some(why)) = (self.remove, refusal) {
            return Err(CliError::no(format!("{} was not written: {why}", path.display()))
                .hint("register values only of artefacts that are what they should be"));
        }
        let actions: Vec<Action> = if self.remove {
            values.iter().filter_map(MeasuredValue::remove).collect()
        } else {
            values.iter().map(MeasuredValue::add).collect()
        };
        if actions.is_empty() {
            return Err(CliError::usage("there is nothing to register in what was measured"));
        }
        context.output.file(path, Proposal::of(actions).bytes(), Readers::Shared, self.force)?;
        if path.as_os_str() != "-" {
            context.output.note(format!("Wrote {}", path.display()));
        }
        Ok(())
    }

    /// Whether the proposal goes to standard output, where nothing else may then be printed.
    pub fn to_stdout(&self) -> bool {
        self.proposal.as_ref().is_some_and(|path| path.as_os_str() == "-")
    }
}
